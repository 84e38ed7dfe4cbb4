"""Faults in the cells of the configuration matrix in which the caller built the client stack, and in what no cell may change."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.persistence.fronts import OrdinaryAgent
from conformance.reference.agent import Agent
from conformance.reference.client import Client, Emit
from conformance.reference.errors import Unsupported
from conformance.reference.history_stores import Store
from conformance.reference.loop import Outcome
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request
from conformance.world.errors import ServiceError


class _OwnStack(Agent):
    """An agent that knows what its caller's own stack lacks."""

    @property
    def lacking(self) -> bool:
        """Whether persistence per service call is asked for, and nothing in the stack does it."""
        return self.spec.per_service_call and not self.decorates and self.spec.history == "provider"


class DecoratorPutIn(Mutant):
    """A caller's own client stack without the decorator is given one."""

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

    imitates = "https://github.com/microsoft/semantic-kernel/issues/12864"
    expected = frozenset({"PER-06", "PER-44"})

    class agent_type(Agent):
        """The faulty agent."""

        def response(self, thread: Thread, outcome: Outcome) -> Response:
            """Hand over what was not stored on the way."""
            answer = [each for each in outcome.produced if not (each.calls or each.results)]
            shown = replace(outcome, produced=answer) if self.decorates and answer else outcome
            return super().response(thread, shown)
