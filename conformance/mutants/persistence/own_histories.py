"""Persistence, histories of an implementation's own: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, where
from conformance.mutants.persistence.faulty_homes import (
    Front,
    FrontedHome,
    Incremental,
    MakingUp,
    NotesFailures,
    before_threads,
    in_steps,
)
from conformance.mutants.persistence.ordinary_runs import FAILING, FAILING_TOOLS, ORDINARY, PER_CALL, PER_RUN, calling, streaming
from conformance.reference.history_home import IncrementalHome
from conformance.reference.history_stores import Store
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.thread import Thread
from conformance.trace.messages import Message
from conformance.world.errors import ServiceError

# --- in steps of the implementation's own ---


class RepliesBeforeTheResultsThatTheyAnswer(Incremental, Mutant):
    """In steps, the results of a reply's calls are stored after the next reply."""

    breaks = "PER-57/gap"
    imitates = "a session that is written by the model's callback, and by the tools' callback when all of them are done"
    expected = frozenset({"THR-05", "THR-10", "THR-34", "PER-11", "PER-57"})

    class _Front(Front):
        """Keeps results until something else comes."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what came late."""
            late: list[Message] = vars(self).setdefault("late", [])
            if messages[0].role == "tool":
                late += messages
                return
            await super().append(messages)
            await super().append(late)
            late.clear()

    parts = in_steps(_Front, replace(ORDINARY, having=calling))


class CallsNotStoredInSteps(Incremental, Mutant):
    """In steps, a reply that only calls tools is not stored, although the results are."""

    breaks = "PER-57/gap"
    imitates = "an event log that keeps what has a text, and tool outputs"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "THR-34", "PER-10", "PER-13", "PER-46", "PER-57"})

    class _Front(Front):
        """Leaves them out."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what says something."""
            await super().append([each for each in messages if each.text or not each.calls])

    parts = in_steps(_Front, replace(ORDINARY, having=calling))


class ReplyBeforeItsInput(Incremental, Mutant):
    """In steps, the first reply of a run is stored before the input that it answers."""

    breaks = "PER-57/order"
    imitates = "a session to which the caller's input is saved when the run is set up, beside the model's reply"
    expected = frozenset({"THR-05", "THR-10", "THR-34", "PER-11", "PER-57"})

    class _Front(Front):
        """Turns the first step around."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append the reply first."""
            await super().append([*messages[-1:], *messages[:-1]])

    parts = in_steps(_Front, ORDINARY)


class ResultsStoredWithTheNextReplyToo(Incremental, Mutant):
    """In steps, the results of a reply's calls are stored at once, and with the next reply again."""

    breaks = "PER-57/repeated"
    imitates = "a run that saves its new items after each turn, and after the tools as well"
    expected = frozenset({"THR-05", "THR-10", "PER-09", "PER-13", "PER-46", "PER-57"})

    class _Front(Front):
        """Remembers the results."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append them again."""
            known: list[Message] = vars(self).setdefault("known", [])
            await super().append([*known, *messages])
            known[:] = [each for each in messages if each.role == "tool"]

    parts = in_steps(_Front, replace(ORDINARY, having=calling))


class ResultsStoredShortened(Incremental, Mutant):
    """In steps, results are stored with half of their value."""

    breaks = "PER-57/foreign"
    imitates = "a store that trims tool outputs to save room"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "PER-10", "PER-57"})

    class _Front(Front):
        """Trims them."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append the beginning of each."""
            await super().append([_shortened(each) for each in messages])

    parts = in_steps(_Front, replace(ORDINARY, having=calling))


class LastReplyNotStored(Incremental, Mutant):
    """In steps, the reply that ends a run is not stored."""

    breaks = "PER-57/incomplete"
    imitates = "a loop that saves before it goes on, and so not when it ends"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "PER-10", "PER-57"})

    class _Front(Front):
        """Leaves it out."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what the loop goes on with."""
            ends = messages[-1].role == "assistant" and not messages[-1].calls
            await super().append(messages[:-1] if ends else messages)

    parts = in_steps(_Front, ORDINARY)


class Remnants(Front):
    """A store that knows which of its messages runs left that failed; only on threads that it knew from their beginning."""

    def put(self, history: Sequence[Message], left: Sequence[Message]) -> list[Message]:
        """What is loaded: of what successful runs stored, and what failed ones left."""
        return [*history, *left]

    async def load(self) -> tuple[Message, ...]:
        """Tell them apart."""
        stored = await super().load()
        if not stored:
            vars(self.thread)["whole"] = []
        whole: list[Message] | None = vars(self.thread).get("whole")
        if whole is None or len(whole) == len(stored):
            return stored
        left = list(stored)
        for message in whole:
            left.remove(message)
        return tuple(self.put(whole, left))

    async def append(self, messages: Sequence[Message]) -> None:
        """Note what belongs to this run."""
        await super().append(messages)
        vars(self.thread).setdefault("own", []).extend(messages)


class _RemnantsHome(FrontedHome, IncrementalHome):
    runs = FAILING

    @aside
    def store(self, thread: Thread) -> Store:
        """A run begins."""
        vars(thread)["own"] = []
        return super().store(thread)

    @aside
    async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
        """It succeeded."""
        await super().keep(thread, store, new, outcome, local=local)
        vars(thread).get("whole", []).extend(vars(thread)["own"])


class RemnantsNotSent(Incremental, Mutant):
    """In steps, what a failed run left is stored, and no later request carries it."""

    breaks = "PER-57/request missing"
    imitates = "a session that is read up to its last finished turn, and written to the end"
    expected = frozenset({"PER-57"})

    class _Front(Remnants):
        """Loads less."""

        def put(self, history: Sequence[Message], left: Sequence[Message]) -> list[Message]:
            """Leave them out."""
            return list(history)

    parts = Parts(incremental=type("_Home", (_RemnantsHome,), {"front": _Front}))


class RemnantsSentTwice(Incremental, Mutant):
    """In steps, what a failed run left is sent twice by later runs."""

    breaks = "PER-57/request repeated"
    imitates = "a resumed run that adds the stored items to those that it still has"
    expected = frozenset({"THR-10", "PER-57"})

    class _Front(Remnants):
        """Loads more."""

        def put(self, history: Sequence[Message], left: Sequence[Message]) -> list[Message]:
            """Repeat them."""
            return [*history, *left, *left]

    parts = Parts(incremental=type("_Home", (_RemnantsHome,), {"front": _Front}))


class RemnantsSentFirst(Incremental, Mutant):
    """In steps, what a failed run left is sent in front of everything else."""

    breaks = "PER-57/request order"
    imitates = "a store that sorts by the time at which a turn was finished"
    expected = frozenset({"PER-57"})

    class _Front(Remnants):
        """Loads in another order."""

        def put(self, history: Sequence[Message], left: Sequence[Message]) -> list[Message]:
            """Put them first."""
            return [*left, *history]

    parts = Parts(incremental=type("_Home", (_RemnantsHome,), {"front": _Front}))


class RemnantsSentAsANote(Incremental, Mutant):
    """In steps, later runs send a made-up message behind what a failed run left."""

    breaks = "PER-57/request foreign"
    imitates = "a framework that tells the model that the last turn failed"
    expected = frozenset({"THR-10", "PER-57"})

    class _Front(Remnants):
        """Loads something else."""

        def put(self, history: Sequence[Message], left: Sequence[Message]) -> list[Message]:
            """Add the note, too."""
            return [*history, *left, Message(role="user", text="the last turn failed")]

    parts = Parts(incremental=type("_Home", (_RemnantsHome,), {"front": _Front}))


# --- on the implementation's own threads ---

_FAILING_AT_THE_END = replace(FAILING, cells=("M1",))


class ThreadKeepsResultsTwice(Mutant):
    """A thread without a history provider keeps the results of a run twice."""

    breaks = "PER-62/repeated (PER-09)"
    imitates = "a state whose reducer adds tool messages that are there already"
    expected = frozenset({"THR-05", "THR-10", "THR-33", "THR-34", "THR-35", "PER-46", "PER-62"})

    class _Front(Front):
        """Appends more."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append results again."""
            await super().append([copy for each in messages for copy in ([each] * 2 if each.role == "tool" else [each])])

    parts = before_threads(_Front, replace(PER_RUN, having=calling))


class ThreadLosesParallelResults(Mutant):
    """A thread without a history provider keeps one result of several calls in one reply."""

    breaks = "PER-62/lost (PER-10)"
    imitates = "a thread that keeps results in a map by the reply that asked"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "THR-18", "THR-33", "THR-35", "PER-50", "PER-51", "PER-62"})

    class _Front(Front):
        """Appends less."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append the first result of each message."""
            await super().append([msgspec.structs.replace(each, results=each.results[:1]) for each in messages])

    parts = before_threads(_Front, replace(PER_RUN, having=calling))


class ThreadKeepsResultsFirst(Mutant):
    """A thread without a history provider keeps the results of a run in front of its other messages."""

    breaks = "PER-62/order (PER-11)"
    imitates = "tool outputs that are written when they come, and replies at the end"
    expected = frozenset({"THR-05", "THR-10", "THR-33", "THR-34", "THR-35", "PER-46", "PER-62"})

    class _Front(Front):
        """Appends in another order."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append results first."""
            await super().append(sorted(messages, key=lambda each: each.role != "tool"))

    parts = before_threads(_Front, replace(PER_RUN, having=calling))


class ThreadLosesCalls(Mutant):
    """A thread without a history provider keeps no reply that only calls tools, but the results."""

    breaks = "PER-62/open call (PER-13)"
    imitates = "a message list that drops what has no text"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "THR-18", "THR-33", "THR-34", "THR-35", "PER-46", "PER-62"})

    class _Front(Front):
        """Appends less."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what says something."""
            await super().append([each for each in messages if each.text or not each.calls])

    parts = before_threads(_Front, replace(PER_RUN, having=calling))


class ThreadLosesResultsPerCall(Mutant):
    """A thread without a history provider does not keep results where it is appended to after each service call."""

    breaks = "PER-62/modes (PER-18)"
    imitates = "a second way of persisting that was added for replies alone"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "THR-18", "THR-33", "THR-35", "PER-62"})

    class _Front(Front):
        """Appends less."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what is no result."""
            await super().append([each for each in messages if each.role != "tool"])

    parts = before_threads(_Front, replace(PER_CALL, having=calling))


class ThreadKeepsTheInputOfAFailedRun(Mutant):
    """A thread without a history provider keeps the input of a run that fails."""

    breaks = "PER-62/failed run kept (PER-20)"
    imitates = "a message list to which the input is added before the model is called"
    expected = frozenset({"THR-05", "THR-28", "THR-33", "THR-35", "PER-20", "PER-36", "PER-62"})

    class _End(RunEnd):
        @where(lambda end, given: end.setting.spec.history == "default" and _FAILING_AT_THE_END(end, given))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Keep the input."""
            if thread.kind == "local" and isinstance(error, ServiceError):
                await self.home.store(thread).append(new)
            await super().failed(thread, new, error)

    parts = Parts(end=_End)


class ThreadTakesUpAFailedRun(Mutant):
    """A thread without a history provider keeps the input of a failed run together with the next run that succeeds."""

    breaks = "PER-62/after a failure (PER-22)"
    imitates = "https://github.com/google/adk-python/issues/4506"
    expected = frozenset({"THR-05", "THR-33", "THR-35", "PER-62"})

    parts = replace(before_threads(MakingUp, _FAILING_AT_THE_END), end=NotesFailures)


class ThreadLosesErrors(Mutant):
    """A thread without a history provider does not keep the results of tools that raised."""

    breaks = "PER-62/a tool's error (PER-23)"
    imitates = "errors that are shown to the model once and not kept"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "THR-18", "THR-35", "PER-50", "PER-51", "PER-62"})

    class _Front(Front):
        """Appends less."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what is no error."""
            kept = [_without_errors(each) for each in messages]
            await super().append([each for each in kept if each.results or each.role != "tool"])

    parts = before_threads(_Front, replace(FAILING_TOOLS, having=calling))


class ThreadStaysBehindAStream(Mutant):
    """A thread without a history provider does not keep the results of a run that streams."""

    breaks = "PER-62/streaming (PER-38)"
    imitates = "a stream that is joined from its texts"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "THR-18", "THR-27", "THR-33", "THR-35", "PER-62"})

    class _Front(Front):
        """Appends less."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what was streamed."""
            await super().append([each for each in messages if each.role != "tool"])

    parts = before_threads(_Front, replace(ORDINARY, having=streaming))


class ThreadLosesCallsInSteps(Incremental, Mutant):
    """In steps, a thread without a history provider keeps results, and not the replies that asked for them."""

    breaks = "PER-62/no beginning (PER-57)"
    imitates = "an event log that keeps what has a text, and tool outputs"
    expected = frozenset({"THR-05", "THR-09", "THR-10", "THR-18", "THR-33", "THR-34", "THR-35", "PER-46", "PER-62"})

    class _Front(Front):
        """Appends less."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what says something."""
            await super().append([each for each in messages if each.text or not each.calls])

    parts = in_steps(_Front, replace(ORDINARY, having=calling), history="default")


def _shortened(message: Message) -> Message:
    short = tuple(msgspec.structs.replace(each, value=each.value[: len(each.value) // 2]) for each in message.results)
    return msgspec.structs.replace(message, results=short)


def _without_errors(message: Message) -> Message:
    return msgspec.structs.replace(message, results=tuple(each for each in message.results if not each.error))
