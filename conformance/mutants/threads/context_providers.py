"""Threads, context providers: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from conformance.mutants.mutant import Mutant
from conformance.reference.agent import Agent
from conformance.reference.client import Client, Emit
from conformance.reference.history_stores import Store
from conformance.reference.loop import Outcome
from conformance.reference.thread import Thread
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request


class HostedThreadsForgetContext(Mutant):
    """A hosted thread does not keep the state of context providers."""

    breaks = "THR-29"
    imitates = "a state that is saved together with the messages, where there are any"
    expected = frozenset({"THR-29"})

    class agent_type(Agent):
        """The faulty agent."""

        def context_state(self, thread: Thread, provider: str) -> dict[str, Any]:
            """Hand out a state that nobody keeps."""
            return {} if thread.kind == "hosted" else super().context_state(thread, provider)


class ProvidersShareAState(Mutant):
    """All context providers of an agent get one state."""

    breaks = "THR-30"
    imitates = "https://github.com/microsoft/agent-framework/pull/3995"
    expected = frozenset({"THR-30"})

    class agent_type(Agent):
        """The faulty agent."""

        def context_state(self, thread: Thread, provider: str) -> dict[str, Any]:
            """Hand out the first one's."""
            if provider not in thread.context:
                thread.context[provider] = super().context_state(thread, self.contexts[0].id)
            return thread.context[provider]


class EqualIdsAccepted(Mutant):
    """An agent with two context providers of one id is built all the same."""

    breaks = "THR-30"
    imitates = "a dictionary of states, which takes any key twice"
    expected = frozenset({"THR-30"})

    class agent_type(Agent):
        """The faulty agent."""

        def check_contexts(self) -> None:
            """Do not look."""


class InvokedForEveryCall(Mutant):
    """Context providers are asked again before every further service call of a run."""

    breaks = "THR-31"
    imitates = "https://github.com/microsoft/agent-framework/issues/6953"
    expected = frozenset({"THR-31", "THR-32"})

    class agent_type(Agent):
        """The faulty agent."""

        def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
            """Let them in below the loop."""
            inner = super().client(thread, store, adds, adopted, local=local)
            return _Asking(inner, lambda new: self.invoke(thread, new))


class _Asking:
    def __init__(self, inner: Client, ask: Callable[[Sequence[Message]], Any]) -> None:
        self._inner = inner
        self._ask = ask
        self._calls = 0

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Ask before every call but the first."""
        if self._calls:
            await self._ask(request.messages)
        self._calls += 1
        return await self._inner.complete(request, emit)


class FailureNotTold(Mutant):
    """Context providers are not told of a run that fails."""

    breaks = "THR-31"
    imitates = "https://github.com/google/adk-python/pull/4974"
    expected = frozenset({"PER-21", "THR-31"})

    class agent_type(Agent):
        """The faulty agent."""

        async def tell_failure(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Tell of successes only."""


class WholeHistoryTold(Mutant):
    """After a run context providers are told the whole conversation, not only what is new."""

    breaks = "THR-31"
    imitates = "a hook that is handed the session instead of the turn"
    expected = frozenset({"THR-31"})

    class agent_type(Agent):
        """The faulty agent."""

        async def settle(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Tell what the thread holds."""
            earlier = thread.messages[: -len(new) - len(outcome.produced)]
            await super().settle(thread, [*earlier, *new], outcome)


class ProvidersInReverse(Mutant):
    """Context providers are asked in the reverse of their order."""

    breaks = "THR-31"
    imitates = "a chain that is built from the inside"
    expected = frozenset({"THR-31"})

    class agent_type(Agent):
        """The faulty agent."""

        async def invoke(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Begin with the last one."""
            given, self.contexts = self.contexts, self.contexts[::-1]
            try:
                return await super().invoke(thread, new)
            finally:
                self.contexts = given


class InjectedMessagesKept(Mutant):
    """What context providers add is stored in a local thread, although that is not declared."""

    breaks = "THR-32"
    imitates = "https://github.com/aws/bedrock-agentcore-sdk-python/issues/420"
    expected = frozenset({"THR-32"})

    class agent_type(Agent):
        """The faulty agent."""

        def keeps_adds(self) -> bool:
            """Keep everything that was sent, where no other agent comes across it."""
            return len(self.world.scenario.agents) == 1


class InjectedMessagesSentTwice(Mutant):
    """What context providers add reaches the model twice."""

    breaks = "THR-32"
    imitates = "messages that are merged into the input, and then put before it again"
    expected = frozenset({"THR-32"})

    class agent_type(Agent):
        """The faulty agent."""

        async def invoke(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Add everything once more."""
            adds = await super().invoke(thread, new)
            return [*adds, *adds]


class ContextStateBegunAnew(Mutant):
    """Every run gives context providers a fresh state after the one that they were asked with."""

    breaks = "THR-29"
    imitates = "a state that is read from the session and written to a copy of it"
    expected = frozenset({"THR-29"})

    class agent_type(Agent):
        """The faulty agent."""

        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Forget the state on the way."""
            thread.context.clear()
            await super().keep(thread, store, new, outcome, local=local)


class InjectedMessagesNotSent(Mutant):
    """What context providers add never reaches the model."""

    breaks = "THR-32"
    imitates = "a result that is awaited and dropped"
    expected = frozenset({"PER-45", "THR-32"})

    class agent_type(Agent):
        """The faulty agent."""

        async def invoke(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Ask, and forget the answer."""
            await super().invoke(thread, new)
            return []
