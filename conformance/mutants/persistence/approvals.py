"""Faults in what is sent and stored around a call that waits for a person's approval."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import Front, OrdinaryAgent
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.loop import Outcome
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.scenario.specs import ToolSpec
from conformance.trace.exchange import Answer, Response, Turn
from conformance.trace.messages import Call, Message


class _Asking(OrdinaryAgent):
    """An agent that is faulty where calls wait for approval, and nothing else is special."""

    def special(self, tool: ToolSpec) -> bool:
        """Waiting is not."""
        return tool.raises is not None or tool.terminates

    def fronts(self, thread: Thread) -> bool:
        """Only where no context provider is told of it."""
        return not self.contexts and super().fronts(thread)


class _Resuming(_Asking):
    """An agent that overrides what a run goes on with after an approval."""

    def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
        """What it goes on with, given the results and the calls that waited for them."""
        return [decided]

    async def resume(self, thread: Thread, answers: Sequence[Answer], emit: Emit, *, stream: bool) -> Response:
        """Remember what waits."""
        vars(thread)["waited"] = list(thread.waiting)
        try:
            return await super().resume(thread, answers, emit, stream=stream)
        finally:
            vars(thread).pop("waited", None)

    async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
        waited: list[Call] = vars(thread).pop("waited", [])
        begun = self.resumed(thread, new[0], waited) if waited and self.fronts(thread) else new
        return await super()._run(thread, begun, emit, stream=stream, terms=terms)


class ApprovedCallSentAgain(Mutant):
    """A run that resumes after an approval sends the call once more, with its result."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7271"
    expected = frozenset({"PER-08", "PER-09", "PER-12", "PER-13", "PER-30", "PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Restore the reply that asked."""
            return [Message(role="assistant", calls=tuple(waited)), decided]


class ApprovedCallSentAgainOnHostedThreads(Mutant):
    """On a hosted thread, a run that resumes after an approval sends the call once more, which the service has."""

    imitates = "https://github.com/vercel/ai/pull/13383"
    expected = frozenset({"PER-17", "PER-30", "PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Restore the reply that asked."""
            again = [Message(role="assistant", calls=tuple(waited))] if thread.kind == "hosted" else []
            return [*again, decided]


class ApprovedResultStoredTwice(Mutant):
    """The results of calls that were approved are stored when they are there, and with the run that sends them."""

    imitates = "https://github.com/ag-ui-protocol/ag-ui/issues/1074"
    expected = frozenset({"PER-01", "PER-02", "PER-09", "PER-13", "PER-17", "PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        cells = ("M1", "M2")
        built = True

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Store them once more."""
            if vars(thread).pop("decided", False) and new[0].results and thread.kind == "local" and self.spec.history == "provider":
                await self.store(thread).append(new[:1])
            await super().settle(thread, new, outcome)

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Note that there are such."""
            vars(thread)["decided"] = True
            return [decided]


class ApprovedResultNotStored(Mutant):
    """Per-run persistence stores what follows on an approval without the results that it led to."""

    imitates = "https://github.com/vercel/eve/issues/460"
    expected = frozenset({"PER-06", "PER-10", "PER-13", "PER-18", "PER-31"})

    class agent_type(_Asking):
        """The faulty agent."""

        cells = ("M1",)
        built = True

        class front_type(Front):
            """The store that takes results for a part of the response to an input."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append without the results that came first."""
                await super().append(messages[1:] if messages[0].results else messages)


class WaitingRunNotStored(Mutant):
    """Per-run persistence stores nothing of a run that waits: the results that follow on the approval have no call."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7862"
    expected = frozenset({"PER-06", "PER-10", "PER-13", "PER-18", "PER-31"})

    class agent_type(_Asking):
        """The faulty agent."""

        cells = ("M1",)
        built = True

        class front_type(Front):
            """The store of what came to its end."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append what ends in words."""
                await super().append(() if messages[-1].calls else messages)


class RejectedCallRun(Mutant):
    """A call that was rejected is run."""

    imitates = "https://github.com/microsoft/agent-framework/pull/8403"
    expected = frozenset({"ORC-27", "ORC-30", "PER-31"})

    class agent_type(Agent):
        """The faulty agent."""

        def decide(self, thread: Thread, answers: Sequence[Answer]) -> bool:
            """Take any answer for a yes."""
            return super().decide(thread, [msgspec.structs.replace(answer, approve=True) for answer in answers])


class RejectionNotSent(Mutant):
    """A call that was rejected gets no result."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7125"
    expected = frozenset({"PER-08", "PER-10", "PER-13", "PER-30", "PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Go on with what was run."""
            ran = tuple(result for result in decided.results if result.value != "rejected")
            return [msgspec.structs.replace(decided, results=ran)] if ran else []


class RejectionStoredTwice(Mutant):
    """The rejection of a call is sent and stored twice."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7345"
    expected = frozenset({"PER-08", "PER-09", "PER-13", "PER-30", "PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Say it again."""
            rejected = tuple(result for result in decided.results if result.value == "rejected")
            return [decided, Message(role="tool", results=rejected)] if rejected else [decided]


class UngatedSiblingsForgotten(Mutant):
    """Where one of parallel calls needs an approval, the others are not run, and have no result."""

    imitates = "https://github.com/microsoft/agent-framework/issues/6910"
    expected = frozenset({"PER-08", "PER-10", "PER-13", "PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Go on with what was asked for."""
            asked = {call.id for call in waited if self.needs_approval(call) or thread.kind == "hosted"}
            return [msgspec.structs.replace(decided, results=tuple(each for each in decided.results if each.id in asked))]


class PendingApprovalOverlooked(Mutant):
    """New input while calls wait for approval is sent, with calls that nobody answered in front of it."""

    imitates = "https://github.com/letta-ai/letta/pull/3156"
    expected = frozenset({"PER-42"})

    class agent_type(Agent):
        """The faulty agent."""

        def check_waiting(self, thread: Thread) -> None:
            """Let it pass."""


class PendingApprovalOverlookedByStreams(Mutant):
    """Streaming, new input while calls wait for approval is sent, with calls that nobody answered in front of it."""

    imitates = "https://github.com/letta-ai/lettabot/issues/180"
    expected = frozenset({"PER-42"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Note how the run is made."""
            vars(thread)["streams"] = stream
            return await super().run(thread, turn, emit, stream=stream)

        def check_waiting(self, thread: Thread) -> None:
            """Let it pass, as long as nobody decides."""
            raising = any(tool.raises for tool in self.spec.tools.values())
            if raising or not vars(thread).get("streams"):
                super().check_waiting(thread)
