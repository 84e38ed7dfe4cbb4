"""Persistence, recovery: faults that the rule of this section is the first to name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import pure, where
from conformance.reference.agent import Agent
from conformance.reference.client import PersistingClient
from conformance.reference.errors import Invalid
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Options, Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Turn
from conformance.trace.messages import Message, Result


class OpenCallsSentPerCall(Mutant):
    """Per-service-call persistence loads what an interrupted run left in the history, and sends its calls as they are."""

    breaks = "PER-46/call without a result"
    imitates = "https://github.com/NousResearch/hermes-agent/issues/11351"
    expected = frozenset({"PER-46", "PER-54"})

    class _Client(PersistingClient):
        @pure
        def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
            """Make nothing up."""
            return tuple(each for each in super().request_messages(history, new) if not _made_up(each))

    parts = Parts(decorator=_Client)


class OpenCallsLeftToTheService(Mutant):
    """A conversation that the service keeps goes on with the next input, although it ends with calls without results."""

    breaks = "PER-46/call without a result"
    imitates = "an id that is all that is known of a conversation"
    expected = frozenset({"PER-46", "PER-54"})

    class _Agent(Agent):
        @pure
        def settling(self, thread: Thread, terms: Terms, new: Sequence[Message]) -> list[Message]:
            """Nothing."""
            return []

    agent_type = _Agent


class RepairsPileUp(Mutant):
    """Per-service-call persistence closes the calls that an interrupted run left once more before every new input."""

    breaks = "PER-46/result without a call"
    imitates = "a repair that does not see what it repaired before"
    expected = frozenset({"THR-05", "THR-10", "THR-33", "THR-34", "PER-08", "PER-46", "PER-54"})

    class _Client(PersistingClient):
        @pure
        def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
            """Close them again."""
            *before, last = super().request_messages(history, new)
            again = [each for each in before if _made_up(each)] if last.role == "user" else []
            return (*before, *again, last)

    parts = Parts(decorator=_Client)


class OpenCallsNeverTakenOff(Mutant):
    """A conversation that the service keeps gets a result for each call that was open once, whether or not it has one by now."""

    breaks = "PER-46/result without a call"
    imitates = "a list of open calls that nobody takes anything off"
    expected = frozenset({"THR-10", "PER-17", "PER-30", "PER-46", "PER-54"})

    class _Agent(Agent):
        def settling(self, thread: Thread, terms: Terms, new: Sequence[Message]) -> list[Message]:
            """For all that were ever open."""
            settled = super().settling(thread, terms, new)
            vars(thread)["ever"] = [*vars(thread).get("ever", ()), *settled]
            return list(vars(thread)["ever"])

    agent_type = _Agent


class InterruptedCallsToldAsDone(Mutant):
    """The result that is made up for a call whose tool was cut off is empty, as if the tool had nothing to say."""

    breaks = "PER-46/made up as a success"
    imitates = "an empty result, for a service that wants one"
    expected = frozenset({"PER-46", "PER-49"})

    class _Agent(Agent):
        @pure
        def settling(self, thread: Thread, terms: Terms, new: Sequence[Message]) -> list[Message]:
            """With nothing in them."""
            return _emptied(super().settling(thread, terms, new))

    class _Client(PersistingClient):
        @pure
        def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
            """With nothing in them."""
            return tuple(_emptied(super().request_messages(history, new)))

    agent_type = _Agent
    parts = Parts(decorator=_Client)


class RefusedForGood(Mutant):
    """A hosted thread whose conversation ends with calls is refused, with an error that says nothing of them."""

    breaks = "PER-46/refused without a name"
    imitates = "a session that is marked as broken"
    expected = frozenset({"THR-03", "THR-06", "PER-46"})

    class _Options(Options):
        @where(lambda _, given: _new_input_to_open_calls(given))
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Refuse it."""
            raise Invalid("this session cannot be used any more")

    parts = Parts(options=_Options)


def _new_input_to_open_calls(given: Mapping[str, Any]) -> bool:
    """Whether a turn has input for a thread whose conversation ends with calls, and no results of these."""
    thread, turn = given["thread"], given["turn"]
    goes_on = bool(turn.messages) and not thread.waiting and not any(each.results for each in turn.messages)
    return goes_on and thread.conversation_id in thread.open


def _emptied(messages: Sequence[Message]) -> list[Message]:
    """Messages with empty results in place of those that were made up."""
    empty = [tuple(Result(id=result.id, value="") for result in each.results) for each in messages]
    said = zip(messages, empty, strict=True)
    return [msgspec.structs.replace(each, results=nothing) if _made_up(each) else each for each, nothing in said]


def _made_up(message: Message) -> bool:
    return bool(message.results) and all(each.value == "interrupted" for each in message.results)
