"""Persistence, matrix: faults that the rules of this section are the first to name."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.faulty_agents import FailingAgent, Front, OrdinaryAgent, PerCallAgent, PerRunAgent
from conformance.reference.agent import Agent
from conformance.reference.client import Client, Emit, PersistingClient
from conformance.reference.errors import Unsupported
from conformance.reference.history_stores import Store
from conformance.reference.loop import Outcome
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.scenario.specs import AgentSpec
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request
from conformance.world.errors import ServiceError
from conformance.world.world import World


class _OwnStack(Agent):
    """An agent that knows what its caller's own stack lacks."""

    @property
    def lacking(self) -> bool:
        """Whether persistence per service call is asked for, and nothing in the stack does it."""
        return self.spec.per_service_call and not self.decorates and self.spec.history == "provider"


class DecoratorPutIn(Mutant):
    """A caller's own client stack without the decorator is given one."""

    breaks = "PER-04"
    imitates = "a builder that completes what it takes for forgotten"
    expected = frozenset({"PER-04"})

    class agent_type(_OwnStack):
        """The faulty agent."""

        def __init__(self, *parts: Any) -> None:
            """Decorate all the same."""
            super().__init__(*parts)
            self.decorates = self.decorates or self.lacking


class MissingDecoratorUnnoticed(Mutant):
    """That a caller's own client stack lacks the decorator goes without a warning."""

    breaks = "PER-04"
    imitates = "a check that is made only where the framework builds the stack"
    expected = frozenset({"PER-04"})

    class agent_type(Agent):
        """The faulty agent."""

        def __init__(self, *parts: Any) -> None:
            """Hush."""
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                super().__init__(*parts)


class MissingDecoratorWarnedAgain(Mutant):
    """That a caller's own client stack lacks the decorator is warned about when the agent is built, and with every run."""

    breaks = "PER-04"
    imitates = "one check in the builder and one in the run"
    expected = frozenset({"PER-04"})

    class agent_type(_OwnStack):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Warn once more."""
            if self.lacking:
                warnings.warn("the client stack has no decorator that persists after every service call", stacklevel=2)
            return await super().run(thread, turn, emit, stream=stream)


class PersistedAllTheSame(Mutant):
    """In a caller's own client stack without the decorator, the run is persisted at its end."""

    breaks = "PER-04"
    imitates = "a fallback that nobody asked for"
    expected = frozenset({"PER-04"})

    class agent_type(_OwnStack):
        """The faulty agent."""

        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Persist, so that nothing is lost."""
            await super().keep(thread, store, new, outcome, local=local)
            if self.lacking and local and not outcome.adopted:
                await self.persist(store, new, outcome)


class FailedInputPersistedAllTheSame(Mutant):
    """In a caller's own client stack without the decorator, the input of a run that failed is appended."""

    breaks = "PER-04"
    imitates = "a rescue in the error path that knows nothing of the settings"
    expected = frozenset({"PER-04"})

    class agent_type(_OwnStack):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Keep the input."""
            if isinstance(error, ServiceError) and self.lacking and thread.kind == "local" and not self.contexts:
                await self.store(thread).append(new)
            await super().tell_failure(thread, new, error)


class OwnStackRefused(Mutant):
    """A run on a caller's own client stack without the decorator is refused instead of warned about."""

    breaks = "PER-04"
    imitates = "a warning that was made an error"
    expected = frozenset({"PER-04", "PER-06"})

    class agent_type(_OwnStack):
        """The faulty agent."""

        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Refuse local threads."""
            if self.lacking and thread.kind == "local":
                raise Unsupported("the client stack has no decorator that persists after every service call")
            return super().terms(thread, turn)


class DecoratorUnseen(Mutant):
    """A caller's own client stack is warned about although it holds the decorator."""

    breaks = "PER-05"
    imitates = "a check that looks at the outermost client only"
    expected = frozenset({"PER-05"})

    class agent_type(Agent):
        """The faulty agent."""

        def __init__(self, *parts: Any) -> None:
            """Warn about any stack."""
            super().__init__(*parts)
            if self.spec.client_as_is and self.decorates and len(self.world.scenario.agents) == 1:
                warnings.warn("the client stack has no decorator that persists after every service call", stacklevel=2)


class PersistedTwiceInOwnStack(Mutant):
    """In a caller's own client stack with the decorator, the run is also persisted at its end."""

    breaks = "PER-05"
    imitates = "an agent that knows its settings, and not what the caller's stack does"
    expected = frozenset({"PER-05", "PER-09", "PER-12"})

    class agent_type(OrdinaryAgent):
        """The faulty agent."""

        cells = ("M4",)
        alone = True

        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Persist once more."""
            await super().keep(thread, store, new, outcome, local=local)
            if self.decorates and self.fronts(thread) and local and not outcome.adopted:
                await self.persist(store, new, outcome)


class OwnStackWrapped(Mutant):
    """A caller's own client stack is wrapped by a client of the framework, which joins the texts of the input."""

    breaks = "PER-03"
    imitates = "a default pipeline that is put on top of any client"
    expected = frozenset({"PER-03", "PER-06"})

    class agent_type(Agent):
        """The faulty agent."""

        def leaf(self, thread: Thread, *, local: bool) -> Client:
            """Wrap it."""
            leaf = super().leaf(thread, local=local)
            here = self.spec.client_as_is and not self.spec.per_service_call and local and not self.contexts
            return _Joining(leaf) if here else leaf


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

    breaks = "PER-06"
    imitates = "https://github.com/microsoft/semantic-kernel/issues/12864"
    expected = frozenset({"PER-06", "PER-44"})

    class agent_type(Agent):
        """The faulty agent."""

        def response(self, thread: Thread, outcome: Outcome) -> Response:
            """Hand over what was not stored on the way."""
            answer = [each for each in outcome.produced if not (each.calls or each.results)]
            shown = replace(outcome, produced=answer) if self.decorates and answer else outcome
            return super().response(thread, shown)


class PerServiceCallByDefault(Mutant):
    """An agent that is built without the setting persists per service call."""

    breaks = "PER-07"
    imitates = "https://github.com/microsoft/agent-framework/issues/7288"
    expected = frozenset({"PER-01", "PER-07", "PER-15", "PER-20", "PER-40"})

    class agent_type(Agent):
        """The faulty agent."""

        def __init__(self, name: str, spec: AgentSpec, world: World, *more: Any) -> None:
            """Take another default, where nobody compares it with other agents."""
            plain = spec.history == "provider" and not spec.client_as_is and spec.service.keeps == "nothing"
            runs = list(world.scenario.runs())
            fails = any(run.abandons or any(reply.error or reply.cancelled for reply in run.replies) for run in runs)
            takes = plain and not fails and len(world.scenario.agents) == 1
            super().__init__(name, msgspec.structs.replace(spec, per_service_call=True) if takes else spec, world, *more)


class MissingDecoratorWarnedByDefault(Mutant):
    """An agent that is built without any of the settings is warned about for want of a decorator."""

    breaks = "PER-07"
    imitates = "https://github.com/microsoft/agent-framework/pull/6310"
    expected = frozenset({"PER-07"})

    class agent_type(Agent):
        """The faulty agent."""

        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Warn whoever has a provider and no decorator."""
            plain = self.spec.history == "provider" and not self.spec.client_as_is and not self.decorates and not turn.background
            if plain and len(self.world.scenario.agents) == 1:
                warnings.warn("nothing here persists after every service call", stacklevel=2)
            return await super().run(thread, turn, emit, stream=stream)


class AccumulatedAndLoaded(Mutant):
    """With per-service-call persistence, what the run has exchanged so far is sent as the loop has it, and as it is loaded."""

    breaks = "PER-08"
    imitates = "https://github.com/vercel/ai/pull/15492"
    expected = frozenset({"PER-08", "THR-05"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that is read by two."""

            began: int | None = None

            async def load(self) -> tuple[Message, ...]:
                """Load what the run has appended twice."""
                loaded = await super().load()
                self.began = len(loaded) if self.began is None else self.began
                return (*loaded, *loaded[self.began :])


class LoadedOnce(Mutant):
    """Per-service-call persistence loads history before the first service call of a run only, and remembers what it appends."""

    breaks = "PER-08"
    imitates = "a cache for the length of a run"
    expected = frozenset({"PER-08"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
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


class LoadedAsTheRunBegan(Mutant):
    """With per-service-call persistence, the requests of a run lack what its earlier calls appended."""

    breaks = "PER-08"
    imitates = "a store that is read through a snapshot"
    expected = frozenset({"PER-06", "PER-08", "THR-05"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store as it was."""

            known: tuple[Message, ...] | None = None

            async def load(self) -> tuple[Message, ...]:
                """Load, and take what was there before."""
                loaded = await super().load()
                self.known = loaded if self.known is None else self.known
                return self.known


class EarlierTurnsNotLoaded(Mutant):
    """Per-service-call persistence sends what the run has exchanged so far, and nothing of earlier runs."""

    breaks = "PER-08"
    imitates = "https://github.com/microsoft/agent-framework/issues/3897"
    expected = frozenset({"PER-08", "THR-05", "THR-10"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store of a run."""

            began: int | None = None

            async def load(self) -> tuple[Message, ...]:
                """Load what the run has appended."""
                loaded = await super().load()
                self.began = len(loaded) if self.began is None else self.began
                return loaded[self.began :]


class InputAppendedApart(Mutant):
    """Per-run persistence appends the input and the response in two appends."""

    breaks = "PER-01"
    imitates = "a store that is written message by message"
    expected = frozenset({"PER-01"})

    class agent_type(PerRunAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that takes them apart."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append twice."""
                await super().append([each for each in messages if each.role == "user"])
                await super().append([each for each in messages if each.role != "user"])


class InputAppendedApartInOwnStack(Mutant):
    """In a caller's own client stack, per-run persistence appends the input and the response in two appends."""

    breaks = "PER-03"
    imitates = "a second code path for clients that the framework did not build"
    expected = frozenset({"PER-03"})

    class agent_type(OrdinaryAgent):
        """The faulty agent."""

        cells = ("M3",)
        front_type = InputAppendedApart.agent_type.front_type


class InputAppendedFirst(Mutant):
    """Per-run persistence appends the input before the run calls the service, and the response at its end."""

    breaks = "PER-01"
    imitates = "an input that is saved first, so that it is not lost"
    expected = frozenset({"PER-01", "PER-06", "PER-07", "PER-20", "PER-25", "PER-32", "THR-05", "THR-28"})

    class agent_type(FailingAgent):
        """The faulty agent."""

        cells = ("M1",)
        built = True

        def early(self, thread: Thread) -> bool:
            """Whether this run appends early."""
            return thread.kind == "local" and self.spec.history == "provider" and self.fronts(thread)

        async def invoke(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Append the input."""
            vars(thread)["early"] = 0
            if self.early(thread):
                await self.store(thread).append(new)
                vars(thread)["early"] = len(new)
            return await super().invoke(thread, new)

        def store(self, thread: Thread) -> Store:
            """Do not load, and do not append, what is appended already."""
            early: int = vars(thread).get("early", 0)
            return _EarlyStore(super().store(thread), early) if early else super().store(thread)


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


class RequestAndReplyAppendedApart(Mutant):
    """Per-service-call persistence appends request and reply in two appends."""

    breaks = "PER-02"
    imitates = "a provider that is notified of requests and of responses separately"
    expected = frozenset({"PER-02"})

    class agent_type(PerCallAgent):
        """The faulty agent."""

        class front_type(Front):
            """The store that takes them apart."""

            async def append(self, messages: Sequence[Message]) -> None:
                """Append twice."""
                await super().append(messages[:-1])
                await super().append(messages[-1:])


class RequestAndReplyAppendedApartInOwnStack(Mutant):
    """The decorator in a caller's own client stack appends request and reply in two appends."""

    breaks = "PER-05"
    imitates = "a decorator that behaves otherwise when it is put in by hand"
    expected = frozenset({"PER-05"})

    class agent_type(OrdinaryAgent):
        """The faulty agent."""

        cells = ("M4",)
        front_type = RequestAndReplyAppendedApart.agent_type.front_type


class AppendedWithTheNextCall(Mutant):
    """Per-service-call persistence appends what a call exchanged only when the next call begins, or the run ends."""

    breaks = "PER-02"
    imitates = "a buffer that is flushed by whoever comes next"
    expected = frozenset({"PER-02", "PER-05", "PER-21"})

    class agent_type(Agent):
        """The faulty agent."""

        class persisting_type(PersistingClient):
            """The faulty decorator."""

            held: tuple[Message, ...] = ()

            async def flush(self) -> None:
                """Append what is held."""
                held, self.held = self.held, ()
                if held:
                    await self._store.append(held)

            async def complete(self, request: Request, emit: Emit) -> Reply:
                """Append first."""
                await self.flush()
                return await super().complete(request, emit)

            async def append(self, new: Sequence[Message], reply: Message) -> None:
                """Hold it."""
                self.held = (*new, reply)

        def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
            """Note who holds something."""
            vars(thread)["client"] = client = super().client(thread, store, adds, adopted, local=local)
            return client

        async def look(self, moment: Literal["before", "after"], thread: Thread) -> None:
            """Append the rest, whatever became of the run."""
            client: Any = vars(thread).pop("client", None)
            if moment == "after" and isinstance(client, self.persisting_type):
                await client.flush()
            await super().look(moment, thread)
