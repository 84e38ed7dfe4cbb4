"""Faults in what is sent and stored around a call that waits for a person's approval."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conformance.implementation import Answer, Response
from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.loop import Outcome
from conformance.reference.store import Store
from conformance.reference.terms import Terms
from conformance.reference.thread import Thread
from conformance.trace import Call, Message, Result


class _Resuming(Agent):
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
        plain = not self.contexts and not any(tool.raises for tool in self.spec.tools.values())
        begun = self.resumed(thread, new[0], waited) if waited and plain else new
        return await super()._run(thread, begun, emit, stream=stream, terms=terms)


class ApprovedCallSentAgain(Mutant):
    """A run that resumes after an approval sends the call once more, with its result."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7271"
    expected = frozenset({"PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Restore the reply that asked."""
            return [Message(role="assistant", calls=tuple(waited)), decided]


class ApprovedCallSentAgainOnHostedThreads(Mutant):
    """On a hosted thread, a run that resumes after an approval sends the call once more, which the service has."""

    imitates = "https://github.com/vercel/ai/pull/13383"
    expected = frozenset({"PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Restore the reply that asked."""
            again = [Message(role="assistant", calls=tuple(waited))] if thread.kind == "hosted" else []
            return [*again, decided]


class ApprovedResultStoredTwice(Mutant):
    """The results of calls that were approved are stored when they are there, and with the run that sends them."""

    imitates = "https://github.com/ag-ui-protocol/ag-ui/issues/1074"
    expected = frozenset({"PER-09", "PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Store them once more."""
            if vars(thread).pop("decided", False) and thread.kind == "local" and self.spec.history == "provider":
                await self.store(thread).append(new[:1])
            await super().settle(thread, new, outcome)

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Note that there are such."""
            vars(thread)["decided"] = True
            return [decided]


class ApprovedResultNotStored(Mutant):
    """Per-run persistence stores what follows on an approval without the results that it led to."""

    imitates = "https://github.com/vercel/eve/issues/460"
    expected = frozenset({"PER-13", "PER-31"})

    class agent_type(Agent):
        """The faulty agent."""

        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append the response to them."""
            resumed = len(new) == 1 and new[0].role == "tool"
            await super().persist(store, () if resumed else new, outcome)


class WaitingRunNotStored(Mutant):
    """Per-run persistence stores nothing of a run that waits: the results that follow on the approval have no call."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7862"
    expected = frozenset({"PER-13", "PER-31"})

    class agent_type(Agent):
        """The faulty agent."""

        async def persist(self, store: Store, new: Sequence[Message], outcome: Outcome) -> None:
            """Append what came to its end."""
            if not outcome.waiting:
                await super().persist(store, new, outcome)


class RejectedCallRun(Mutant):
    """A call that was rejected is run."""

    imitates = "https://github.com/microsoft/agent-framework/pull/8403"
    expected = frozenset({"PER-31"})

    class agent_type(Agent):
        """The faulty agent."""

        def decide(self, thread: Thread, answers: Sequence[Answer]) -> bool:
            """Take any answer for a yes."""
            return super().decide(thread, [msgspec.structs.replace(answer, approve=True) for answer in answers])


class RejectionNotSent(Mutant):
    """A call that was rejected gets no result."""

    imitates = "https://github.com/microsoft/agent-framework/issues/7125"
    expected = frozenset({"PER-13", "PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Go on with what was run."""
            ran = tuple(result for result in decided.results if result.value != "rejected")
            return [msgspec.structs.replace(decided, results=ran)] if ran else []


class RejectionStoredTwice(Mutant):
    """The rejection of a call is sent and stored twice."""

    imitates = "https://github.com/microsoft/agent-framework/pull/7345"
    expected = frozenset({"PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Say it again."""
            rejected = tuple(result for result in decided.results if result.value == "rejected")
            return [decided, Message(role="tool", results=rejected)] if rejected else [decided]


class UngatedSiblingsForgotten(Mutant):
    """Where one of parallel calls needs an approval, the others are not run, and have no result."""

    imitates = "https://github.com/microsoft/agent-framework/issues/6910"
    expected = frozenset({"PER-13", "PER-31"})

    class agent_type(_Resuming):
        """The faulty agent."""

        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Go on with what was asked for."""
            asked = {call.id for call in waited if self.needs_approval(call)}
            return [msgspec.structs.replace(decided, results=tuple(each for each in decided.results if each.id in asked))]


class PendingApprovalOverlooked(Mutant):
    """New input while calls wait for approval is sent, with calls that nobody answered in front of it."""

    imitates = "https://github.com/letta-ai/letta/pull/3156"
    expected = frozenset({"PER-42"})

    class agent_type(Agent):
        """The faulty agent."""

        def check_waiting(self, thread: Thread) -> None:
            """Let it pass."""


class PendingApprovalAnsweredButNotStored(Mutant):
    """New input while calls wait for approval answers them with a rejection that is sent, and not stored."""

    imitates = "https://github.com/letta-ai/lettabot/issues/180"
    expected = frozenset({"PER-13", "PER-42"})

    class agent_type(Agent):
        """The faulty agent."""

        def check_waiting(self, thread: Thread) -> None:
            """Let it pass, and note what it owes."""
            vars(thread)["owed"], thread.waiting = list(thread.waiting), []

        def request_messages(
            self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]
        ) -> tuple[Message, ...]:
            """Send as ever."""
            return super().request_messages(history, adds, new)

        def kept(self, adds: Sequence[Message], new: Sequence[Message]) -> Sequence[Message]:
            """Store as if nothing had been added."""
            return super().kept(adds, [each for each in new if not _owed(each)])

        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            owed: list[Call] = vars(thread).pop("owed", [])
            results = tuple(Result(id=call.id, value="not approved", error=True) for call in owed)
            answered = [Message(role="tool", results=results)] if results and new[0].role == "user" else []
            return await super()._run(thread, [*answered, *new], emit, stream=stream, terms=terms)


def _owed(message: Message) -> bool:
    return any(result.value == "not approved" for result in message.results)
