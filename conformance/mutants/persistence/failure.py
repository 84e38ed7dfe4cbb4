"""Persistence, failure: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, where
from conformance.mutants.persistence.faulty_homes import Front, MakingUp, NotesFailures, behind
from conformance.mutants.persistence.ordinary_runs import FAILING, FAILING_TOOLS, calling
from conformance.reference.agent import Agent
from conformance.reference.client import Emit, PersistingClient
from conformance.reference.listeners import Listeners
from conformance.reference.loop import Loop, Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.reference.tools import AnyTool
from conformance.scenario.scenario import Run
from conformance.scenario.specs import AgentSpec
from conformance.trace.exchange import Response
from conformance.trace.messages import Message
from conformance.world.chat_service import Request
from conformance.world.errors import ProviderError, ServiceError, ToolError

_FAILING_CALLS = replace(FAILING, cells=("M2",))


def _load_fails(run: Run) -> bool:
    return run.load_fails is not None


def _append_fails(run: Run) -> bool:
    return run.append_fails is not None


_FAILING_LOADS = replace(FAILING, having=_load_fails)
_FAILING_APPENDS = replace(FAILING, having=_append_fails)


def _failing_call(end: RunEnd, given: Mapping[str, Any]) -> bool:
    """Whether a service call failed in a run that a history provider stores after every call."""
    provider = end.setting.spec.history == "provider" and given["thread"].kind == "local"
    return isinstance(given["error"], ServiceError) and provider and _FAILING_CALLS(end, given)


def _failed_at_the_end(end: RunEnd, given: Mapping[str, Any]) -> bool:
    """Whether a service call failed in a run that would have been stored at its end."""
    local = given["thread"].kind == "local"
    return isinstance(given["error"], ServiceError) and local and not end.setting.spec.per_service_call


class FailedInputStoredWithTheNextRun(Mutant):
    """Per-run persistence stores the input of a failed run together with the next one that succeeds."""

    breaks = "PER-22/failed run"
    imitates = "https://github.com/google/adk-python/issues/4506"
    expected = frozenset({"THR-05", "PER-01", "PER-22"})

    parts = replace(behind(MakingUp, replace(FAILING, cells=("M1",))), end=NotesFailures)


class FailedCallStoredWithTheNextRun(Mutant):
    """Per-service-call persistence stores what was new in a failed call together with the next call that succeeds."""

    breaks = "PER-22/failed run"
    imitates = "https://github.com/mastra-ai/mastra/pull/18437"
    expected = frozenset({"PER-09", "PER-17", "PER-19", "PER-22"})

    parts = replace(behind(MakingUp, replace(FAILING, cells=("M2",))), end=NotesFailures)


class FailedInputSentWithTheNextRun(Mutant):
    """Per-service-call persistence stores nothing of a failed call, but the next run takes its input into its own."""

    breaks = "PER-22/failed run"
    imitates = "a queue of messages that only success empties"
    expected = frozenset({"THR-05", "THR-10", "PER-08", "PER-09", "PER-17", "PER-19", "PER-22"})

    class _End(RunEnd):
        @where(_failing_call)
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Note what did not get through."""
            vars(thread)["queued"] = tuple(new)
            await super().failed(thread, new, error)

    class _Agent(Agent):
        """The agent that takes it for input."""

        @aside
        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            """Say it again."""
            here = _FAILING_CALLS.include(self.setting, thread)
            queued: tuple[Message, ...] = vars(thread).pop("queued", ()) if here else ()
            return await super()._run(thread, (*queued, *new), emit, stream=stream, terms=terms)

    agent_type = _Agent
    parts = Parts(end=_End)


def _may_raise(spec: AgentSpec) -> bool:
    """Whether a tool of an agent may raise, as one that is an agent does where that fails."""
    return any(tool.raises is not None or tool.agent is not None for tool in spec.tools.values())


class FailedToolLeavesItsCallOpen(Mutant):
    """A tool that raises ends the run with what there was, and its call has no result."""

    breaks = "PER-23/missing result"
    imitates = "https://github.com/agentscope-ai/agentscope/pull/1911"
    expected = frozenset(
        {"THR-05", "THR-18", "THR-35", "PER-01", "PER-03", "PER-06", "PER-13", "PER-23", "PER-48", "PER-52", "PER-62"}
    )

    class _Agent(Agent):
        """The agent whose tools fail the loop."""

        @where(lambda agent, given: _may_raise(agent.setting.spec) and FAILING_TOOLS(agent, given))
        def tools_of(self, thread: Thread) -> Mapping[str, AnyTool]:
            """Let errors of tools go through the loop."""
            return {name: cast("AnyTool", _Fatal(tool)) for name, tool in super().tools_of(thread).items()}

    class _Loop(Loop):
        @aside
        async def run(self, request: Request, emit: Emit) -> Outcome:
            """Take an error of a tool for the end."""
            try:
                return await super().run(request, emit)
            except _ToolFailed:
                return self.came_to

        @aside
        def request(self, first: Request, sent: Sequence[Message], outcome: Outcome) -> Request:
            """Remember what there is."""
            self.came_to = outcome
            return super().request(first, sent, outcome)

    agent_type = _Agent
    parts = Parts(loop=_Loop)


class _ToolFailed(Exception):
    """A tool raised."""


class _Fatal:
    def __init__(self, inner: AnyTool) -> None:
        self.spec = inner.spec
        self._inner = inner

    async def __call__(self, **arguments: Any) -> str:
        """Run the tool."""
        try:
            return await self._inner(**arguments)
        except ToolError as error:
            raise _ToolFailed from error


class FailedCallStored(Mutant):
    """Per-service-call persistence stores the input of a run whose first call failed."""

    breaks = "PER-19/failed input"
    imitates = "https://github.com/marcominerva/ChatGptNet/issues/13"
    expected = frozenset({"PER-17", "PER-19", "PER-21"})

    class _Front(Front):
        """The store that tells whether it was used."""

        aside = True

        async def append(self, messages: Sequence[Message]) -> None:
            """Note it."""
            vars(self.thread)["appended"] = True
            await super().append(messages)

    class _Listeners(Listeners):
        @aside
        async def invoking(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Nothing is appended yet."""
            vars(thread)["appended"] = False
            return await super().invoking(thread, new)

    class _End(RunEnd):
        @where(_failing_call)
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Append the input all the same."""
            if not vars(thread)["appended"]:
                await self.home.store(thread).append(new)
            await super().failed(thread, new, error)

    parts = replace(behind(_Front, _FAILING_CALLS), listeners=_Listeners, end=_End)


class ServiceErrorReplaced(Mutant):
    """A failing service call ends the run with an error that says nothing of the service's."""

    breaks = "PER-19/wrong kind of error"
    imitates = "a catch-all around the loop"
    expected = frozenset({"THR-42", "PER-19"})

    class _End(RunEnd):
        @where(lambda _, given: isinstance(given["error"], ServiceError))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Hide the cause."""
            hidden = RuntimeError("the run failed")
            await super().failed(thread, new, hidden)
            raise hidden from None

    parts = Parts(end=_End)


class InputOfAFailedRunStored(Mutant):
    """Per-run persistence keeps the input of a run that failed."""

    breaks = "PER-20/appended afterwards"
    imitates = "https://github.com/JeffOtano/roni/pull/158"
    expected = frozenset({"THR-05", "THR-28", "THR-33", "THR-35", "PER-20", "PER-21", "PER-36", "PER-62"})

    class _End(RunEnd):
        @where(_failed_at_the_end)
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Store the input all the same."""
            await self.home.store(thread).append(list(new))
            await super().failed(thread, new, error)

    parts = Parts(end=_End)


class FailedRunStoredUpToItsFailure(Mutant):
    """Per-run persistence stores of a failed run what came before the call that failed."""

    breaks = "PER-20/appended afterwards"
    imitates = "https://github.com/JetBrains/koog/issues/1939"
    expected = frozenset({"THR-05", "THR-28", "PER-20", "PER-21"})

    class _Loop(Loop):
        @aside
        def request(self, first: Request, sent: Sequence[Message], outcome: Outcome) -> Request:
            """Remember what there is."""
            self.came_to = outcome
            return super().request(first, sent, outcome)

        @aside
        async def run(self, request: Request, emit: Emit) -> Outcome:
            """Hand it over with the error."""
            try:
                return await super().run(request, emit)
            except ServiceError as error:
                vars(error)["came_to"] = self.came_to
                raise

    class _End(RunEnd):
        @where(lambda end, given: end.setting.spec.history == "provider" and _failed_at_the_end(end, given))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Store it, where the run came further than its first call."""
            came_to: Outcome | None = vars(error).get("came_to")
            if came_to is not None and came_to.produced and not came_to.adopted:
                await self.home.persist(self.home.store(thread), new, came_to)
            await super().failed(thread, new, error)

    parts = Parts(loop=_Loop, end=_End)


class LoadErrorSwallowed(Mutant):
    """A history store that fails to load is taken for an empty one."""

    breaks = "PER-24/not raised"
    imitates = "https://github.com/better-auth/better-hub/pull/85"
    expected = frozenset({"PER-08", "PER-24", "PER-27"})

    class _Front(Front):
        """The store that never fails to load."""

        async def load(self) -> tuple[Message, ...]:
            """Load nothing, if need be."""
            try:
                return await super().load()
            except ProviderError:
                return ()

    parts = behind(_Front, _FAILING_LOADS)


class LoadErrorRaisedLate(Mutant):
    """That a history store failed to load is raised when the run is appended, after the service was called."""

    breaks = "PER-24/service called"
    imitates = "a load that runs beside the request, and is awaited at the end"
    expected = frozenset({"PER-08", "PER-24", "PER-27"})

    class _Front(Front):
        """The store that remembers its failure."""

        failure: ProviderError | None = None

        async def load(self) -> tuple[Message, ...]:
            """Keep the failure."""
            try:
                return await super().load()
            except ProviderError as error:
                self.failure = error
                return ()

        async def append(self, messages: Sequence[Message]) -> None:
            """Raise it."""
            if self.failure is not None:
                raise self.failure
            await super().append(messages)

    parts = behind(_Front, _FAILING_LOADS)


class _Unfailing(Front):
    """The store that never fails to append."""

    async def append(self, messages: Sequence[Message]) -> None:
        """Go on."""
        try:
            await super().append(messages)
        except ProviderError:
            return


class AppendErrorSwallowed(Mutant):
    """A run is returned as if it were stored although the history store failed to append it at its end."""

    breaks = "PER-24/not raised"
    imitates = "https://github.com/Gitlawb/zero/issues/471"
    expected = frozenset({"PER-01", "PER-06", "PER-10", "PER-24", "PER-37"})

    parts = behind(_Unfailing, replace(_FAILING_APPENDS, cells=("M1",)))


class AppendErrorBetweenCallsSwallowed(Mutant):
    """Per-service-call persistence goes on although the history store failed to append."""

    breaks = "PER-24/not raised"
    imitates = "https://github.com/librefang/librefang/pull/2079"
    expected = frozenset({"PER-02", "PER-06", "PER-10", "PER-13", "PER-24", "PER-37", "PER-46"})

    parts = behind(_Unfailing, replace(_FAILING_APPENDS, cells=("M2",)))


class AppendErrorReplaced(Mutant):
    """A history store that fails to append ends the run with an error that says nothing of the store's."""

    breaks = "PER-24/wrong kind of error"
    imitates = "a wrapper that makes every error its own"
    expected = frozenset({"PER-24"})

    class _Front(Front):
        """The store that hides why."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Hide the cause."""
            try:
                await super().append(messages)
            except ProviderError:
                raise RuntimeError("the run failed") from None

    parts = behind(_Front, _FAILING_APPENDS)


class InputRescued(Mutant):
    """Where the history store fails to append a run, its input is appended in a second attempt, and the run raises."""

    breaks = "PER-24/appended afterwards"
    imitates = "https://github.com/openai/openai-agents-python/issues/3348"
    expected = frozenset({"PER-21", "PER-24"})

    class _Front(Front):
        """The store that saves what it can."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append a part after all."""
            try:
                await super().append(messages)
            except ProviderError:
                await super().append([each for each in messages if each.role == "user"])
                raise

    parts = behind(_Front, _FAILING_APPENDS)


class UnstoredRunAppendedWithTheNext(Mutant):
    """What the history store failed to append is appended with the next run."""

    breaks = "PER-22/failed run"
    imitates = "https://github.com/mastra-ai/mastra/pull/18437"
    expected = frozenset({"PER-01", "PER-22"})

    class _Front(Front):
        """The store that makes up for it."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what is late behind it."""
            late: tuple[Message, ...] = vars(self.thread).pop("late", ())
            try:
                await super().append([*messages, *late])
            except ProviderError:
                vars(self.thread)["late"] = tuple(messages)
                raise

    parts = behind(_Front, replace(FAILING, cells=("M1",)))


class AbandonedInputLost(Mutant):
    """Where a consumer leaves a stream, per-service-call persistence loses the input of the call in flight."""

    breaks = "PER-25/input in flight"
    imitates = "https://github.com/run-llama/llama_index/issues/20895"
    expected = frozenset({"PER-25"})

    class _Decorator(PersistingClient):
        async def keep_input(self, new: Sequence[Message]) -> None:
            """Append nothing."""

    parts = Parts(decorator=_Decorator)


class AbandonedResultsLost(Mutant):
    """Where a consumer leaves a stream, per-service-call persistence keeps what a user said, and loses results of earlier calls."""

    breaks = "PER-25/input in flight"
    imitates = "https://github.com/charmbracelet/crush/issues/529"
    expected = frozenset({"PER-25"})

    class _Decorator(PersistingClient):
        async def keep_input(self, new: Sequence[Message]) -> None:
            """Append what a user said."""
            if said := [each for each in new if each.role == "user"]:
                await super().keep_input(said)

    parts = Parts(decorator=_Decorator)


class AbandonedInputStoredTwice(Mutant):
    """Where a consumer leaves a stream, the input of the call in flight is appended at once, and with the next call once more."""

    breaks = "PER-25/stored again"
    imitates = "https://github.com/aipoch/open-science/pull/936"
    expected = frozenset({"PER-09", "PER-25"})

    class _Front(Front):
        """The store that makes sure."""

        aside = True

        async def append(self, messages: Sequence[Message]) -> None:
            """Append what was abandoned again."""
            again: tuple[Message, ...] = vars(self.thread).pop("again", ())
            await super().append([*again, *messages])

    class _Decorator(PersistingClient):
        async def keep_input(self, new: Sequence[Message]) -> None:
            """Remember what is kept."""
            await super().keep_input(new)
            if isinstance(self._store, Front):
                vars(self._store.thread)["again"] = tuple(each for each in new if each.role == "user")

    parts = replace(behind(_Front, _FAILING_CALLS), decorator=_Decorator)


class ErrorResultsNotStored(Mutant):
    """The result of a tool that raised is not stored."""

    breaks = "PER-23/missing result"
    imitates = "https://github.com/HKUDS/nanobot/pull/3045"
    expected = frozenset({"THR-09", "PER-01", "PER-03", "PER-08", "PER-10", "PER-13", "PER-17", "PER-23", "PER-50", "PER-51"})

    class _Front(Front):
        """The store of what went well."""

        async def append(self, messages: Sequence[Message]) -> None:
            """Append without errors."""
            cut = [
                msgspec.structs.replace(each, results=tuple(result for result in each.results if not result.error))
                for each in messages
            ]
            await super().append([each for each in cut if each.results or each.role != "tool"])

    parts = behind(_Front, replace(FAILING_TOOLS, having=calling))


class FailureToldTwice(Mutant):
    """Context providers are told twice that a run failed."""

    breaks = "PER-21/told again"
    imitates = "one handler around the loop and one around the run"
    expected = frozenset({"THR-31", "PER-21"})

    class _End(RunEnd):
        @where(lambda end, _: bool(end.setting.contexts))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Tell again."""
            await super().failed(thread, new, error)
            await super().failed(thread, new, error)

    parts = Parts(end=_End)


class FailureUntold(Mutant):
    """Context providers are not told that a run failed."""

    breaks = "PER-21/not told"
    imitates = "https://github.com/openai/openai-agents-js/issues/371"
    expected = frozenset({"THR-31", "PER-21"})

    class _End(RunEnd):
        @where(lambda end, _: bool(end.setting.contexts))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Tell nobody."""

    parts = Parts(end=_End)


class FailureToldAsSuccess(Mutant):
    """Context providers are told of a run that failed as of one that succeeded."""

    breaks = "PER-21/not told"
    imitates = "a notification in a block that always runs"
    expected = frozenset({"THR-31", "PER-21"})

    class _End(RunEnd):
        @where(lambda end, _: bool(end.setting.contexts))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Leave the error out."""
            await self.listeners.invoked(thread, new, None)

    parts = Parts(end=_End)


class FailureToldWithoutInput(Mutant):
    """Context providers are told that a run failed, and not of which messages."""

    breaks = "PER-21/other messages"
    imitates = "an error path that was given the error alone"
    expected = frozenset({"THR-31", "PER-21"})

    class _End(RunEnd):
        @where(lambda end, _: bool(end.setting.contexts))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Leave the messages out."""
            await super().failed(thread, (), error)

    parts = Parts(end=_End)


class NothingKeptOfAFailedRun(Mutant):
    """Per-service-call persistence collects what the calls exchange, and appends it when the run has succeeded."""

    breaks = "PER-19/missing"
    imitates = "https://github.com/microsoft/agent-framework/issues/2889"
    expected = frozenset({"THR-05", "PER-02", "PER-08", "PER-17", "PER-19", "PER-21", "PER-25", "PER-35"})

    class _Front(Front):
        """The collecting store."""

        async def load(self) -> tuple[Message, ...]:
            """Load also what is not stored yet."""
            return (*await super().load(), *vars(self.thread).get("collected", ()))

        async def append(self, messages: Sequence[Message]) -> None:
            """Collect."""
            vars(self.thread)["collected"] = [*vars(self.thread).get("collected", ()), *messages]

    class _Listeners(Listeners):
        @aside
        async def invoking(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Begin with nothing."""
            vars(thread).pop("collected", None)
            return await super().invoking(thread, new)

    class _End(RunEnd):
        @aside
        async def succeeded(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Append it all."""
            store = self.home.store(thread)
            if isinstance(store, Front):
                await store.inner.append(vars(thread).pop("collected", ()))
            await super().succeeded(thread, new, outcome)

    parts = replace(behind(_Front, _FAILING_CALLS), listeners=_Listeners, end=_End)
