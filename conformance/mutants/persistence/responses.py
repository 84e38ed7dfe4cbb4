"""Persistence, responses: faults that the rule of this section is the first to name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import where
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.loop import Outcome
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Answer, Response
from conformance.trace.messages import Message


def _asked_directly(agent: Agent, _: Mapping[str, object]) -> bool:
    """Whether no workflow is in the scenario, whose participants' responses rules of another area read."""
    return not agent.setting.world.scenario.workflows


class ResultsMissingAfterAnApproval(Mutant):
    """The response of a run that went on after an answer lacks the results of the calls that waited."""

    breaks = "PER-52/missing"
    imitates = "a caller who is shown what was asked for, and never what came of it"
    expected = frozenset({"PER-52"})

    class _Agent(Agent):
        @where(_asked_directly)
        async def resume(self, thread: Thread, answers: Sequence[Answer], emit: Emit, *, stream: bool) -> Response:
            """Return what came after them."""
            response = await super().resume(thread, answers, emit, stream=stream)
            return msgspec.structs.replace(response, messages=response.messages[1:])

    agent_type = _Agent


class OnlyTheLastReplyReturned(Mutant):
    """The response holds the last message alone."""

    breaks = "PER-52/missing"
    imitates = "a caller who logs responses and never sees a tool"
    expected = frozenset({"PER-44", "PER-52"})

    class _Agent(Agent):
        @where(_asked_directly)
        def response(self, thread: Thread, outcome: Outcome) -> Response:
            """Leave out what came before."""
            response = super().response(thread, outcome)
            return msgspec.structs.replace(response, messages=response.messages[-1:])

    agent_type = _Agent


class EarlierTextsAgain(Mutant):
    """Streamed, the earlier texts of a run stand again in its last message."""

    breaks = "PER-52/twice"
    imitates = "https://github.com/vercel/ai/issues/8131"
    expected = frozenset({"PER-44", "PER-52"})

    class _Agent(Agent):
        @where(lambda agent, given: given["stream"] and _asked_directly(agent, given))
        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Say them again before the last message."""
            response = await super()._run(thread, new, emit, stream=stream, terms=terms)
            *before, last = response.messages
            again = [Message(role="assistant", text=each.text, author=each.author) for each in before if each.text]
            return msgspec.structs.replace(response, messages=(*before, *again, last))

    agent_type = _Agent


class InputReturned(Mutant):
    """The response begins with what the run was given."""

    breaks = "PER-52/not produced"
    imitates = "a response that is the conversation, cut where the run is taken to have begun"
    expected = frozenset({"PER-44", "PER-52"})

    class _Agent(Agent):
        @where(_asked_directly)
        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Hand the input back too."""
            response = await super()._run(thread, new, emit, stream=stream, terms=terms)
            said = self.handed(each for each in new if each.role == "user")
            return msgspec.structs.replace(response, messages=(*said, *response.messages))

    agent_type = _Agent


class ResultsReturnedLast(Mutant):
    """In the response the results stand behind all replies."""

    breaks = "PER-52/order"
    imitates = "a response that is sorted by kinds of messages"
    expected = frozenset({"PER-44", "PER-52"})

    class _Agent(Agent):
        @where(_asked_directly)
        def response(self, thread: Thread, outcome: Outcome) -> Response:
            """Sort it."""
            response = super().response(thread, outcome)
            return msgspec.structs.replace(response, messages=tuple(sorted(response.messages, key=lambda each: bool(each.results))))

    agent_type = _Agent


class WaitingReplyReturnedAgain(Mutant):
    """The response of a run that went on ends with the reply that had waited."""

    breaks = "PER-52/what was before"
    imitates = "an answer that is put together with what it answers, in the order in which both were at hand"
    expected = frozenset({"PER-52"})

    class _Agent(Agent):
        @where(_asked_directly)
        async def resume(self, thread: Thread, answers: Sequence[Answer], emit: Emit, *, stream: bool) -> Response:
            """Return it behind what came."""
            waited = Message(role="assistant", calls=tuple(thread.waiting), author=self.name)
            response = await super().resume(thread, answers, emit, stream=stream)
            again = self.handed([waited] if response.messages else [])
            return msgspec.structs.replace(response, messages=(*response.messages, *again))

    agent_type = _Agent
