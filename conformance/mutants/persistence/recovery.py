"""Persistence, recovery: faults that the rule of this section is the first to name."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import PersistingClient
from conformance.reference.errors import Invalid
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Options, Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Turn
from conformance.trace.messages import Message


class OpenCallsSentPerCall(Mutant):
    """Per-service-call persistence loads what an interrupted run left in the history, and sends its calls as they are."""

    breaks = "PER-46/call without a result"
    imitates = "https://github.com/NousResearch/hermes-agent/issues/11351"
    expected = frozenset({"PER-46"})

    class _Client(PersistingClient):
        def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
            """Make nothing up."""
            return _as_they_are(super().request_messages(history, new))

    parts = Parts(decorator=_Client)


class OpenCallsLeftToTheService(Mutant):
    """A conversation that the service keeps goes on with the next input, although it ends with calls without results."""

    breaks = "PER-46/call without a result"
    imitates = "an id that is all that is known of a conversation"
    expected = frozenset({"PER-46"})

    class _Agent(Agent):
        def settling(self, thread: Thread, terms: Terms, new: Sequence[Message]) -> list[Message]:
            """Nothing."""
            return []

    agent_type = _Agent


class RepairsPileUp(Mutant):
    """Per-service-call persistence closes the calls that an interrupted run left once for each message that came since."""

    breaks = "PER-46/result without a call"
    imitates = "a repair that does not see what it repaired before"
    expected = frozenset({"PER-46"})

    class _Client(PersistingClient):
        def request_messages(self, history: Sequence[Message], new: Sequence[Message]) -> tuple[Message, ...]:
            """Close them again."""
            messages = super().request_messages(history, new)
            made_up = [each for each in messages if _made_up(each)]
            place = len(messages) - 1 if messages and messages[-1].role == "user" else 0
            return (*messages[:place], *made_up, *messages[place:]) if place else messages

    parts = Parts(decorator=_Client)


class RefusedForGood(Mutant):
    """After a run that was interrupted during a tool the thread is refused, with an error that says nothing."""

    breaks = "PER-46/refused without a name"
    imitates = "a session that is marked as broken"
    expected = frozenset({"PER-46"})

    class _Options(Options):
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Refuse it."""
            if thread.open:
                raise Invalid("this session cannot be used any more")
            return super().terms(thread, turn)

    parts = Parts(options=_Options)


def _as_they_are(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Messages without the results that were made up."""
    return tuple(each for each in messages if not _made_up(each))


def _made_up(message: Message) -> bool:
    return bool(message.results) and all(each.value == "interrupted" for each in message.results)
