"""Threads, context providers: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import where
from conformance.reference.client import Client, Emit, LeafClient
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store
from conformance.reference.listeners import Listeners
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.reference.thread_json import ThreadForm
from conformance.reference.threads import Threads
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request


def _adds(setting: Setting) -> bool:
    """Whether an agent's context providers add anything."""
    return any(each.adds for each in setting.spec.context.values())


class HostedThreadsForgetContext(Mutant):
    """A hosted thread does not keep the state of context providers."""

    breaks = "THR-29/not on the thread"
    imitates = "a state that is saved together with the messages, where there are any"
    expected = frozenset({"THR-29"})

    class _Listeners(Listeners):
        def context_state(self, thread: Thread, provider: str) -> dict[str, Any]:
            """Hand out a state that nobody keeps."""
            return {} if thread.kind == "hosted" else super().context_state(thread, provider)

    parts = Parts(listeners=_Listeners)


class ProvidersShareAState(Mutant):
    """All context providers of an agent get one state."""

    breaks = "THR-30/shared"
    imitates = "https://github.com/microsoft/agent-framework/pull/3995"
    expected = frozenset({"THR-30"})

    class _Listeners(Listeners):
        def context_state(self, thread: Thread, provider: str) -> dict[str, Any]:
            """Hand out the first one's."""
            if provider not in thread.context:
                thread.context[provider] = super().context_state(thread, self.contexts[0].id)
            return thread.context[provider]

    parts = Parts(listeners=_Listeners)


class EqualIdsAccepted(Mutant):
    """An agent with two context providers of one id is built all the same."""

    breaks = "THR-30/not refused"
    imitates = "a dictionary of states, which takes any key twice"
    expected = frozenset({"THR-30"})

    class _Listeners(Listeners):
        @where(lambda listeners, _: len({each.id for each in listeners.contexts}) < len(listeners.contexts))
        def check_contexts(self) -> None:
            """Do not look."""

    parts = Parts(listeners=_Listeners)


class InvokedForEveryCall(Mutant):
    """Context providers are asked again before every further service call of a run."""

    breaks = "THR-31/repeated"
    imitates = "https://github.com/microsoft/agent-framework/issues/6953"
    expected = frozenset({"THR-31", "THR-32"})

    class _Home(HistoryHome):
        @where(lambda home, _: bool(home.setting.contexts))
        def client(self, thread: Thread, store: Store, adds: Sequence[Message], adopted: list[str], *, local: bool) -> Client:
            """Let them in below the loop."""
            inner = super().client(thread, store, adds, adopted, local=local)
            listeners = Listeners(self.setting, Threads(self.setting, LeafClient, ThreadForm))
            return _Asking(inner, lambda new: listeners.invoking(thread, new))

    parts = Parts(home=_Home)


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

    breaks = "THR-31/not told"
    imitates = "https://github.com/google/adk-python/pull/4974"
    expected = frozenset({"THR-31", "PER-21"})

    class _End(RunEnd):
        @where(lambda end, _: bool(end.setting.contexts))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Tell of successes only."""

    parts = Parts(end=_End)


class WholeHistoryTold(Mutant):
    """After a run context providers are told the whole conversation, not only what is new."""

    breaks = "THR-31/wrong messages"
    imitates = "a hook that is handed the session instead of the turn"
    expected = frozenset({"THR-31", "PER-12"})

    class _End(RunEnd):
        @where(lambda end, _: bool(end.setting.contexts))
        async def succeeded(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            """Tell what the thread holds."""
            earlier = thread.messages[: -len(new) - len(outcome.produced)]
            await super().succeeded(thread, [*earlier, *new], outcome)

    parts = Parts(end=_End)


class ProvidersInReverse(Mutant):
    """Context providers are asked in the reverse of their order."""

    breaks = "THR-31/order"
    imitates = "a chain that is built from the inside"
    expected = frozenset({"THR-31"})

    class _Listeners(Listeners):
        @where(lambda listeners, _: len(listeners.contexts) > 1)
        async def invoking(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Begin with the last one."""
            given, self.contexts = self.contexts, self.contexts[::-1]
            try:
                return await super().invoking(thread, new)
            finally:
                self.contexts = given

    parts = Parts(listeners=_Listeners)


class InjectedMessagesKept(Mutant):
    """What context providers add is stored in a local thread, although that is not declared."""

    breaks = "THR-32/stored"
    imitates = "https://github.com/aws/bedrock-agentcore-sdk-python/issues/420"
    expected = frozenset({"THR-32"})

    class _Home(HistoryHome):
        @where(lambda home, _: _adds(home.setting) and len(home.setting.world.scenario.agents) == 1)
        def keeps_adds(self) -> bool:
            """Keep everything that was sent, where no other agent comes across it."""
            return True

    parts = Parts(home=_Home)


class InjectedMessagesSentTwice(Mutant):
    """What context providers add reaches the model twice."""

    breaks = "THR-32/repeated"
    imitates = "messages that are merged into the input, and then put before it again"
    expected = frozenset({"THR-32"})

    class _Listeners(Listeners):
        @where(lambda listeners, _: _adds(listeners.setting))
        async def invoking(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Add everything once more."""
            adds = await super().invoking(thread, new)
            return [*adds, *adds]

    parts = Parts(listeners=_Listeners)


class ContextStateBegunAnew(Mutant):
    """Every run gives context providers a fresh state after the one that they were asked with."""

    breaks = "THR-29/lost within the run"
    imitates = "a state that is read from the session and written to a copy of it"
    expected = frozenset({"THR-29"})

    class _Home(HistoryHome):
        @where(lambda _, given: bool(given["thread"].context))
        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Forget the state on the way."""
            thread.context.clear()
            await super().keep(thread, store, new, outcome, local=local)

    parts = Parts(home=_Home)


class InjectedMessagesNotSent(Mutant):
    """What context providers add never reaches the model."""

    breaks = "THR-32/not sent"
    imitates = "a result that is awaited and dropped"
    expected = frozenset({"THR-32", "PER-45"})

    class _Listeners(Listeners):
        @where(lambda listeners, _: _adds(listeners.setting))
        async def invoking(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            """Ask, and forget the answer."""
            await super().invoking(thread, new)
            return []

    parts = Parts(listeners=_Listeners)
