"""Persistence, matrix: faults that the rules of this section are the first to name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, pure, where
from conformance.mutants.persistence.faulty_homes import Front, behind
from conformance.mutants.persistence.ordinary_runs import ENDING, FAILING, ORDINARY, PER_CALL, PER_RUN, supplying
from conformance.reference.agent import Agent
from conformance.reference.client import Client, Emit, PersistingClient
from conformance.reference.errors import Unsupported
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store
from conformance.reference.implementation import Runnable
from conformance.reference.listeners import Listeners
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.run_terms import Options, Terms
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.scenario.scenario import Scenario
from conformance.scenario.specs import AgentSpec
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message, Result
from conformance.world.chat_service import Reply, Request
from conformance.world.errors import ServiceError


def _lacks_decorator(setting: Setting) -> bool:
    """Whether persistence per service call is asked for, and nothing in the caller's own client stack does it."""
    return setting.spec.per_service_call and not setting.decorates and setting.spec.history == "provider"


class DecoratorPutIn(Mutant):
    """A caller's own client stack without the decorator is given one."""

    breaks = "PER-04/appended"
    imitates = "a builder that completes what it takes for forgotten"
    expected = frozenset({"PER-04"})

    class _Agent(Agent):
        @where(lambda _, given: _lacks_decorator(given["setting"]))
        def __init__(self, setting: Setting, parts: Parts) -> None:
            """Decorate all the same, after the warning."""
            super().__init__(setting, parts)
            super().__init__(replace(setting, spec=msgspec.structs.replace(setting.spec, decorated=True)), parts)

    agent_type = _Agent


class MissingDecoratorUnnoticed(Mutant):
    """That a caller's own client stack lacks the decorator goes without a warning."""

    breaks = "PER-04/no warning"
    imitates = "a check that is made only where the framework builds the stack"
    expected = frozenset({"PER-04"})

    class _Agent(Agent):
        @where(lambda _, given: given["setting"].spec.per_service_call and not given["setting"].decorates)
        def __init__(self, setting: Setting, parts: Parts) -> None:
            """Hush."""
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                super().__init__(setting, parts)

    agent_type = _Agent


class MissingDecoratorWarnedAgain(Mutant):
    """That a caller's own client stack lacks the decorator is warned about when the agent is built, and with every run."""

    breaks = "PER-04/several warnings"
    imitates = "one check in the builder and one in the run"
    expected = frozenset({"PER-04"})

    class _Agent(Agent):
        @where(lambda agent, _: _lacks_decorator(agent.setting))
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Warn once more."""
            warnings.warn("the client stack has no decorator that persists after every service call", stacklevel=2)
            return await super().run(thread, turn, emit, stream=stream)

    agent_type = _Agent


class PersistedAllTheSame(Mutant):
    """In a caller's own client stack without the decorator, the run is persisted at its end."""

    breaks = "PER-04/appended"
    imitates = "a fallback that nobody asked for"
    expected = frozenset({"PER-04"})

    class _Home(HistoryHome):
        @where(lambda home, given: _lacks_decorator(home.setting) and given["local"] and not given["outcome"].adopted)
        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Persist, so that nothing is lost."""
            await super().keep(thread, store, new, outcome, local=local)
            await self.persist(store, new, outcome)

    parts = Parts(home=_Home)


class FailedInputPersistedAllTheSame(Mutant):
    """In a caller's own client stack without the decorator, the input of a run that failed is appended."""

    breaks = "PER-04/appended"
    imitates = "a rescue in the error path that knows nothing of the settings"
    expected = frozenset({"PER-04"})

    class _End(RunEnd):
        @where(lambda end, given: _lacks_decorator(end.setting) and not end.setting.contexts and given["thread"].kind == "local")
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Keep the input."""
            if isinstance(error, ServiceError):
                await self.home.store(thread).append(new)
            await super().failed(thread, new, error)

    parts = Parts(end=_End)


class OwnStackRefused(Mutant):
    """A run on a caller's own client stack without the decorator is refused instead of warned about."""

    breaks = "PER-04/raised"
    imitates = "a warning that was made an error"
    expected = frozenset({"PER-04", "PER-06"})

    class _Options(Options):
        @where(lambda options, given: _lacks_decorator(options.setting) and given["thread"].kind == "local")
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Refuse local threads."""
            raise Unsupported("the client stack has no decorator that persists after every service call")

    parts = Parts(options=_Options)


class DecoratorUnseen(Mutant):
    """A caller's own client stack is warned about although it holds the decorator."""

    breaks = "PER-05/unasked warning"
    imitates = "a check that looks at the outermost client only"
    expected = frozenset({"PER-05"})

    class _Agent(Agent):
        @where(lambda _, given: _decorated_by_its_caller(given["setting"]))
        def __init__(self, setting: Setting, parts: Parts) -> None:
            """Warn about any stack."""
            super().__init__(setting, parts)
            warnings.warn("the client stack has no decorator that persists after every service call", stacklevel=2)

    agent_type = _Agent


def _decorated_by_its_caller(setting: Setting) -> bool:
    """Whether the only agent has a client stack that its caller built with the decorator."""
    return setting.spec.client_as_is and setting.decorates and len(setting.world.scenario.agents) == 1


_ALONE_IN_OWN_STACK = replace(ORDINARY, cells=("M4",), alone=True)


class PersistedTwiceInOwnStack(Mutant):
    """In a caller's own client stack with the decorator, the run is also persisted at its end."""

    breaks = "PER-05/several appends"
    imitates = "an agent that knows its settings, and not what the caller's stack does"
    expected = frozenset({"PER-05", "PER-09", "PER-12"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["local"] and not given["outcome"].adopted and _ALONE_IN_OWN_STACK(home, given))
        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Persist once more."""
            await super().keep(thread, store, new, outcome, local=local)
            if self.setting.decorates:
                await self.persist(store, new, outcome)

    parts = Parts(home=_Home)


class OwnStackWrapped(Mutant):
    """A caller's own client stack is wrapped by a client of the framework, which joins the texts of the input."""

    breaks = "PER-03/other requests"
    imitates = "a default pipeline that is put on top of any client"
    expected = frozenset({"PER-03", "PER-06"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["local"] and _stores_at_the_end_in_own_stack(home.setting))
        def leaf(self, thread: Thread, *, local: bool) -> Client:
            """Wrap it."""
            return _Joining(super().leaf(thread, local=local))

    parts = Parts(home=_Home)


def _stores_at_the_end_in_own_stack(setting: Setting) -> bool:
    return setting.spec.client_as_is and not setting.spec.per_service_call and not setting.contexts


class _Joining:
    def __init__(self, inner: Client) -> None:
        self._inner = inner

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Join the user messages at the end of a request."""
        said = list(request.messages)
        while len(said) > 1 and said[-1].role == said[-2].role == "user":
            said[-2:] = [Message(role="user", text=f"{said[-2].text}\n{said[-1].text}")]
        return await self._inner.complete(msgspec.structs.replace(request, messages=tuple(said)), emit)


class ToolMessagesSwallowed(Mutant):
    """With per-service-call persistence the response lacks the tool traffic, which is in the history already."""

    breaks = "PER-06/other response"
    imitates = "https://github.com/microsoft/semantic-kernel/issues/12864"
    expected = frozenset({"PER-06", "PER-44", "PER-52"})

    class _Agent(Agent):
        @pure
        def response(self, thread: Thread, outcome: Outcome) -> Response:
            """Hand over what was not stored on the way."""
            answer = [each for each in outcome.produced if not (each.calls or each.results)]
            shown = replace(outcome, produced=answer) if self.setting.decorates and answer else outcome
            return super().response(thread, shown)

    agent_type = _Agent


def _plain(spec: AgentSpec, scenario: Scenario) -> bool:
    plain = spec.history == "provider" and not spec.client_as_is and spec.service.keeps == "nothing"
    fails = any(run.abandons or any(reply.error or reply.cancelled for reply in run.replies) for run in scenario.runs())
    return plain and not spec.per_service_call and not fails and len(scenario.agents) == 1


class PerServiceCallByDefault(Mutant):
    """An agent that is built without the setting persists per service call."""

    breaks = "PER-07/early"
    imitates = "https://github.com/microsoft/agent-framework/issues/7288"
    expected = frozenset({"PER-01", "PER-07", "PER-15", "PER-20", "PER-40"})

    @where(lambda this, given: _plain(given["spec"], this.world.scenario))
    async def create_agent(self, name: str, spec: AgentSpec, inner: Mapping[str, Runnable]) -> Agent:
        """Take another default, where nobody compares it with other agents."""
        return await super().create_agent(name, msgspec.structs.replace(spec, per_service_call=True), inner)


class MissingDecoratorWarnedByDefault(Mutant):
    """An agent that is built without any of the settings is warned about for want of a decorator."""

    breaks = "PER-07/unasked warning"
    imitates = "https://github.com/microsoft/agent-framework/pull/6310"
    expected = frozenset({"PER-07"})

    class _Agent(Agent):
        @where(lambda agent, given: _undecorated(agent.setting) and not given["turn"].background)
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Warn whoever has a provider and no decorator."""
            warnings.warn("nothing here persists after every service call", stacklevel=2)
            return await super().run(thread, turn, emit, stream=stream)

    agent_type = _Agent


def _undecorated(setting: Setting) -> bool:
    """Whether the only agent has a provider, and no decorator, which its caller did not leave out."""
    ours = not setting.spec.client_as_is and not setting.decorates
    return ours and setting.spec.history == "provider" and len(setting.world.scenario.agents) == 1


class AccumulatedAndLoaded(Mutant):
    """With per-service-call persistence, what the run has exchanged so far is sent as the loop has it, and as it is loaded."""

    breaks = "PER-08/repeated"
    imitates = "https://github.com/vercel/ai/pull/15492"
    expected = frozenset({"THR-05", "THR-10", "PER-06", "PER-08"})

    class _Front(Front):
        """The store that is read by two."""

        began: int | None = None

        async def load(self) -> tuple[Message, ...]:
            """Load what the run has appended twice."""
            loaded = await super().load()
            self.began = len(loaded) if self.began is None else self.began
            return (*loaded, *loaded[self.began :])

    parts = behind(_Front, PER_CALL)


class LoadedOnce(Mutant):
    """Per-service-call persistence loads history before the first service call of a run only, and remembers what it appends."""

    breaks = "PER-08/not loaded"
    imitates = "a cache for the length of a run"
    expected = frozenset({"PER-08"})

    class _Front(Front):
        """The remembering store."""

        known: tuple[Message, ...] | None = None

        async def load(self) -> tuple[Message, ...]:
            """Load what is not known."""
            if self.known is None:
                self.known = await super().load()
            return self.known

        async def append(self, messages: Sequence[Message]) -> None:
            """Remember what is new."""
            await super().append(messages)
            self.known = (*(self.known or ()), *messages)

    parts = behind(_Front, PER_CALL)


class LoadedAsTheRunBegan(Mutant):
    """With per-service-call persistence, the requests of a run lack what its earlier calls appended."""

    breaks = "PER-08/missing"
    imitates = "a store that is read through a snapshot"
    expected = frozenset({"THR-05", "THR-10", "PER-06", "PER-08"})

    class _Front(Front):
        """The store as it was."""

        known: tuple[Message, ...] | None = None

        async def load(self) -> tuple[Message, ...]:
            """Load, and take what was there before."""
            loaded = await super().load()
            self.known = loaded if self.known is None else self.known
            return self.known

    parts = behind(_Front, PER_CALL)


class EarlierTurnsNotLoaded(Mutant):
    """Per-service-call persistence sends what the run has exchanged so far, and nothing of earlier runs."""

    breaks = "PER-08/missing"
    imitates = "https://github.com/microsoft/agent-framework/issues/3897"
    expected = frozenset({"THR-05", "THR-10", "PER-08"})

    class _Front(Front):
        """The store of a run."""

        began: int | None = None

        async def load(self) -> tuple[Message, ...]:
            """Load what the run has appended."""
            loaded = await super().load()
            self.began = len(loaded) if self.began is None else self.began
            return loaded[self.began :]

    parts = behind(_Front, PER_CALL)


class _InputApart(Front):
    """The store that takes them apart."""

    async def append(self, messages: Sequence[Message]) -> None:
        """Append twice."""
        await super().append([each for each in messages if each.role == "user"])
        await super().append([each for each in messages if each.role != "user"])


class InputAppendedApart(Mutant):
    """Per-run persistence appends the input and the response in two appends."""

    breaks = "PER-01/several appends"
    imitates = "a store that is written message by message"
    expected = frozenset({"PER-01"})

    parts = behind(_InputApart, PER_RUN)


class InputAppendedApartInOwnStack(Mutant):
    """In a caller's own client stack, per-run persistence appends the input and the response in two appends."""

    breaks = "PER-03/several appends"
    imitates = "a second code path for clients that the framework did not build"
    expected = frozenset({"PER-03"})

    parts = behind(_InputApart, replace(ORDINARY, cells=("M3",)))


_FAILING_AT_THE_END = replace(FAILING, cells=("M1",), built=True)


class InputAppendedFirst(Mutant):
    """Per-run persistence appends the input before the run calls the service, and the response at its end."""

    breaks = "PER-01/several appends"
    imitates = "an input that is saved first, so that it is not lost"
    expected = frozenset({"THR-05", "THR-28", "PER-01", "PER-06", "PER-07", "PER-20", "PER-25", "PER-32"})

    class _Agent(Agent):
        """The agent that appends the input early."""

        @where(lambda agent, given: agent.setting.spec.history == "provider" and _FAILING_AT_THE_END(agent, given))
        async def _work(
            self, thread: Thread, adds: Sequence[Message], new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms
        ) -> Outcome:
            early = new if thread.kind == "local" else ()
            if early:
                await self.home.store(thread).append(early)
            vars(thread)["early"] = len(early)
            try:
                return await super()._work(thread, adds, new, emit, stream=stream, terms=terms)
            finally:
                vars(thread).pop("early")

    class _Home(HistoryHome):
        @aside
        def store(self, thread: Thread) -> Store:
            """Do not load, and do not append, what is appended already."""
            early: int = vars(thread).get("early", 0)
            return _EarlyStore(super().store(thread), early) if early else super().store(thread)

    agent_type = _Agent
    parts = Parts(home=_Home)


class _EarlyStore:
    def __init__(self, inner: Store, early: int) -> None:
        self._inner = inner
        self._early = early

    async def load(self) -> tuple[Message, ...]:
        """Load what was stored before the run."""
        return (await self._inner.load())[: -self._early]

    async def append(self, messages: Sequence[Message]) -> None:
        """Append the response."""
        await self._inner.append(messages[self._early :])


class _ReplyApart(Front):
    """The store that takes them apart."""

    async def append(self, messages: Sequence[Message]) -> None:
        """Append twice."""
        await super().append(messages[:-1])
        await super().append(messages[-1:])


class RequestAndReplyAppendedApart(Mutant):
    """Per-service-call persistence appends request and reply in two appends."""

    breaks = "PER-02/several appends"
    imitates = "a provider that is notified of requests and of responses separately"
    expected = frozenset({"PER-02"})

    parts = behind(_ReplyApart, PER_CALL)


class RequestAndReplyAppendedApartInOwnStack(Mutant):
    """The decorator in a caller's own client stack appends request and reply in two appends."""

    breaks = "PER-05/several appends"
    imitates = "a decorator that behaves otherwise when it is put in by hand"
    expected = frozenset({"PER-05"})

    parts = behind(_ReplyApart, replace(ORDINARY, cells=("M4",)))


class AppendedWithTheNextCall(Mutant):
    """Per-service-call persistence appends what a call exchanged only when the next call begins, or the run ends."""

    breaks = "PER-02/late"
    imitates = "a buffer that is flushed by whoever comes next"
    expected = frozenset({"PER-02", "PER-05", "PER-21"})

    class _Decorator(PersistingClient):
        held: tuple[Message, ...] = ()

        async def flush(self) -> None:
            """Append what is held."""
            held, self.held = self.held, ()
            if held:
                await self._store.append(held)

        @aside
        async def complete(self, request: Request, emit: Emit) -> Reply:
            """Append first."""
            await self.flush()
            return await super().complete(request, emit)

        async def append(self, new: Sequence[Message], reply: Message) -> None:
            """Hold it."""
            self.held = (*new, reply)

    class _Home(HistoryHome):
        @aside
        def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
            """Note who holds something."""
            vars(thread)["client"] = client = super().client(thread, store, adds, adopted, local=local)
            return client

    class _Listeners(Listeners):
        @aside
        async def look(self, moment: Literal["before", "after"], thread: Thread) -> None:
            """Append the rest, whatever became of the run."""
            client: Any = vars(thread).pop("client", None)
            if moment == "after" and isinstance(client, AppendedWithTheNextCall._Decorator):
                await client.flush()
            await super().look(moment, thread)

    parts = Parts(decorator=_Decorator, home=_Home, listeners=_Listeners)


class OpenCallsAnsweredByTheFramework(Mutant):
    """Where a terminated run left calls open, the next run begins with made-up results, also where the caller supplies them."""

    breaks = "PER-08/foreign"
    imitates = "https://github.com/pydantic/pydantic-ai/issues/4728"
    expected = frozenset({"PER-08", "PER-46"})

    class _Front(Front):
        """The store that repairs what it loads."""

        made_up: tuple[Message, ...] | None = None
        began = 0

        async def load(self) -> tuple[Message, ...]:
            """Answer calls that are open when the run begins."""
            loaded = await super().load()
            if self.made_up is None:
                results = tuple(Result(id=call.id, value="no result") for call in loaded[-1].calls) if loaded else ()
                self.made_up = (Message(role="tool", results=results),) if results else ()
                self.began = len(loaded)
            return (*loaded[: self.began], *self.made_up, *loaded[self.began :])

    parts = behind(_Front, replace(ENDING, having=supplying))
