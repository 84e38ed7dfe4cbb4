"""Persistence, conversation ids: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, pure, where
from conformance.mutants.persistence.faulty_homes import Copying, ResumingAgent
from conformance.mutants.persistence.ordinary_runs import ORDINARY, PER_CALL
from conformance.reference.agent import Agent
from conformance.reference.approvals import Approvals
from conformance.reference.client import SENTINEL, Emit, PersistingClient
from conformance.reference.history_home import HistoryHome
from conformance.reference.listeners import Listeners
from conformance.reference.loop import Loop, Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.reference.threads import Threads
from conformance.trace.exchange import Answer, ThreadState
from conformance.trace.messages import Call, Message


class AnswersCrossed(Mutant):
    """Of several calls of one tool that wait, the answer to the first one counts for the last one, and the reverse."""

    breaks = "PER-31/rejected call run"
    imitates = "answers that are matched by the tool, and not by the call"
    expected = frozenset({"PER-31", "PER-47", "PER-49"})

    class _Approvals(Approvals):
        def decide(self, thread: Thread, answers: Sequence[Answer]) -> bool:
            """Match them from the end."""
            asked = self.asked(thread)
            equal = len({call.tool for call in asked}) == 1
            other = {call.id: last.id for call, last in zip(asked, reversed(asked), strict=True)}
            crossed = [msgspec.structs.replace(each, id=other.get(each.id, each.id)) for each in answers]
            return super().decide(thread, crossed if equal else answers)

    parts = Parts(approvals=_Approvals)


class ApprovedCallSentAgain(Mutant):
    """A run that resumes after an approval sends the call once more, with its result."""

    breaks = "PER-31/sent again"
    imitates = "https://github.com/microsoft/agent-framework/pull/7271"
    expected = frozenset(
        {
            "THR-05",
            "THR-06",
            "THR-10",
            "THR-33",
            "THR-35",
            "PER-08",
            "PER-09",
            "PER-12",
            "PER-13",
            "PER-30",
            "PER-31",
            "PER-49",
            "PER-62",
        }
    )

    class _Agent(ResumingAgent):
        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Restore the reply that asked."""
            return [Message(role="assistant", calls=tuple(waited)), decided]

    agent_type = _Agent


class ApprovedCallSentAgainOnHostedThreads(Mutant):
    """On a hosted thread, a run that resumes after an approval sends the call once more, which the service has."""

    breaks = "PER-31/sent again"
    imitates = "https://github.com/vercel/ai/pull/13383"
    expected = frozenset({"THR-06", "THR-10", "PER-17", "PER-30", "PER-31"})

    class _Agent(ResumingAgent):
        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Restore the reply that asked."""
            again = [Message(role="assistant", calls=tuple(waited))] if thread.kind == "hosted" else []
            return [*again, decided]

    agent_type = _Agent


class RejectedCallRun(Mutant):
    """A call that was rejected is run."""

    breaks = "PER-31/rejected call run"
    imitates = "https://github.com/microsoft/agent-framework/pull/8403"
    expected = frozenset({"PER-31", "PER-47", "ORC-27", "ORC-30"})

    class _Approvals(Approvals):
        def decide(self, thread: Thread, answers: Sequence[Answer]) -> bool:
            """Take any answer for a yes."""
            return super().decide(thread, [msgspec.structs.replace(answer, approve=True) for answer in answers])

    parts = Parts(approvals=_Approvals)


class RejectionNotSent(Mutant):
    """A call that was rejected gets no result."""

    breaks = "PER-31/not sent"
    imitates = "https://github.com/microsoft/agent-framework/issues/7125"
    expected = frozenset({"PER-08", "PER-10", "PER-13", "PER-30", "PER-31", "PER-50", "PER-51", "PER-62"})

    class _Agent(ResumingAgent):
        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Go on with what was run."""
            ran = tuple(result for result in decided.results if result.value != "rejected")
            return [msgspec.structs.replace(decided, results=ran)] if ran else []

        @where(lambda _, given: all(message.role != "user" for message in given["new"]))
        def settling(self, thread: Thread, terms: Terms, new: Sequence[Message]) -> list[Message]:
            """Nothing, where the run goes on."""
            return []

    agent_type = _Agent


class RejectionStoredTwice(Mutant):
    """The rejection of a call is sent and stored twice."""

    breaks = "PER-31/stored again"
    imitates = "https://github.com/microsoft/agent-framework/pull/7345"
    expected = frozenset({"PER-08", "PER-09", "PER-13", "PER-30", "PER-31", "PER-46", "PER-62"})

    class _Agent(ResumingAgent):
        def resumed(self, thread: Thread, decided: Message, waited: Sequence[Call]) -> Sequence[Message]:
            """Say it again."""
            rejected = tuple(result for result in decided.results if result.value == "rejected")
            return [decided, Message(role="tool", results=rejected)] if rejected else [decided]

    agent_type = _Agent


class SentinelSent(Mutant):
    """The made-up conversation id of per-service-call persistence reaches the service."""

    breaks = "PER-26/within a run"
    imitates = "a marker for the loop that nobody strips on the way out"
    expected = frozenset({"THR-05", "PER-06", "PER-17", "PER-26", "PER-54"})

    class _Decorator(PersistingClient):
        def outgoing_id(self, id: str | None) -> str | None:
            """Send whatever the loop says."""
            return id

    parts = Parts(decorator=_Decorator)


class SentinelKeptOnTheThread(Mutant):
    """A thread with per-service-call persistence shows the made-up conversation id as its own."""

    breaks = "PER-27/shown"
    imitates = "https://github.com/microsoft/agent-framework-durable-extension/pull/95"
    expected = frozenset({"THR-18", "THR-19", "THR-22", "THR-35", "PER-16", "PER-27", "PER-32"})

    class _Home(HistoryHome):
        @where(lambda _, given: given["id"] == SENTINEL)
        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Note whatever id came."""
            super().adopt(thread, id, adopted, local=local)
            vars(thread)["marked"] = True

    class _Threads(Threads):
        @aside
        def describe(self, thread: Thread) -> ThreadState:
            """Show it."""
            state = super().describe(thread)
            marked = vars(thread).get("marked") and state.conversation_id is None
            return msgspec.structs.replace(state, conversation_id=SENTINEL) if marked else state

    parts = Parts(home=_Home, threads=_Threads)


class SentinelMakesHosted(Mutant):
    """The made-up conversation id makes a thread hosted: its next run takes the service for the one that keeps the history."""

    breaks = "PER-27/shown"
    imitates = "https://github.com/microsoft/agent-framework-durable-extension/pull/95"
    expected = frozenset({"THR-05", "PER-06", "PER-08", "PER-17", "PER-26", "PER-27", "PER-41"})

    class _Home(HistoryHome):
        @where(lambda home, given: home.setting.spec.history == "provider" and PER_CALL(home, given))
        def fix(self, thread: Thread, adopted: Sequence[str]) -> None:
            """Become what the id says."""
            super().fix(thread, adopted)
            if thread.kind == "local":
                self.become_hosted(thread, SENTINEL)

    parts = Parts(home=_Home)


class SentinelSerialized(Mutant):
    """The data of a thread with per-service-call persistence names the made-up conversation id; restored, the thread is hosted."""

    breaks = "PER-27/restored"
    imitates = "https://github.com/microsoft/agent-framework-durable-extension/pull/95"
    expected = frozenset({"THR-05", "THR-19", "THR-22", "THR-33", "PER-08", "PER-26", "PER-27", "PER-31"})

    class _Threads(Threads):
        def serialize(self, thread: Thread) -> Any:
            """Write the id of the last reply that the loop saw."""
            data = super().serialize(thread)
            ran = (
                self.setting.decorates
                and thread.kind == "local"
                and bool(thread.trail)
                and not self.setting.service.spec.surprising
            )
            return {**data, "kind": "hosted", "conversation_id": SENTINEL, "service": self.setting.service.agent} if ran else data

    parts = Parts(threads=_Threads)


def _hosted_elsewhere(given: Mapping[str, Any]) -> bool:
    """Whether a reply on a hosted thread carries another id than it has."""
    return given["id"] not in (None, given["thread"].conversation_id) and given["thread"].kind == "hosted"


class IdTakenOverAtTheEnd(Mutant):
    """With per-service-call persistence, a thread takes over the id of a reply only when the run has succeeded."""

    breaks = "PER-28/late"
    imitates = "https://github.com/microsoft/agent-framework/pull/7284"
    expected = frozenset({"PER-28"})

    class _Home(HistoryHome):
        @where(lambda home, given: _hosted_elsewhere(given) and len(home.setting.world.scenario.agents) == 1)
        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Keep the thread as it is."""
            before = thread.conversation_id
            super().adopt(thread, id, adopted, local=local)
            thread.conversation_id = before

    parts = Parts(home=_Home)


class IdTakenOverWithEveryReply(Mutant):
    """With per-run persistence, a hosted thread takes over the id of every reply at once, also in a run that then fails."""

    breaks = "PER-29/taken on failure"
    imitates = "a client that writes ids on the session by itself"
    expected = frozenset({"PER-29"})

    class _Home(HistoryHome):
        @where(lambda _, given: _hosted_elsewhere(given))
        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Write it down."""
            super().adopt(thread, id, adopted, local=local)
            thread.conversation_id = adopted[-1]

    parts = Parts(home=_Home)


class IdOfAFailedRunLost(Mutant):
    """With per-service-call persistence, a failed run takes a thread back to the id that it began with."""

    breaks = "PER-28/not taken"
    imitates = "a rollback that knows one of two modes"
    expected = frozenset({"PER-28", "PER-46"})

    class _Listeners(Listeners):
        @aside
        async def invoking(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Remember the id."""
            vars(thread)["began"] = thread.conversation_id
            return await super().invoking(thread, new)

    class _End(RunEnd):
        @where(lambda end, given: end.setting.spec.per_service_call and given["thread"].kind == "hosted")
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Take it back."""
            if vars(thread)["began"]:
                thread.conversation_id = vars(thread)["began"]
            await super().failed(thread, new, error)

    parts = Parts(listeners=_Listeners, end=_End)


class HistoryPrependedBesideAnId(Copying, Mutant):
    """A run on a hosted thread sends the copy that its history provider has, in front of what is new."""

    breaks = "PER-30/history prepended"
    imitates = "https://github.com/microsoft/agent-framework/pull/7525"
    expected = frozenset({"THR-06", "THR-10", "PER-30", "PER-34", "PER-35"})

    class _Agent(Agent):
        @where(lambda agent, given: given["thread"].kind == "hosted" and ORDINARY(agent, given))
        async def _work(
            self, thread: Thread, adds: Sequence[Message], new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms
        ) -> Outcome:
            copy = await self.home.store(thread).load() if self.setting.spec.history == "provider" else ()
            return await super()._work(thread, [*copy, *adds], new, emit, stream=stream, terms=terms)

    agent_type = _Agent


class LoopSendsEverythingBesideAnId(Mutant):
    """On a hosted thread, every request of a run repeats what the run has exchanged so far."""

    breaks = "PER-30/repeated"
    imitates = "https://github.com/vercel/ai/pull/15492"
    expected = frozenset({"THR-06", "THR-10", "PER-16", "PER-17", "PER-30", "PER-34", "PER-46", "PER-54"})

    class _Loop(Loop):
        @pure
        def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
            """Accumulate, unless history is kept below."""
            asks = any(tool.spec.approval for tool in self._tools.named.values())
            if outcome.conversation_id == SENTINEL or asks:
                return super().next_messages(sent, reply, results, outcome)
            return [*sent, reply, results]

    parts = Parts(loop=_Loop)
