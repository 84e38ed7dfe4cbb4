"""Reports of threads: restored, shared by mistake, cut, and their conversation ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from imitation import Imitation, SendsHistoriesAsTheyAre, in_front

from conformance.mutants.persistence.faulty_homes import Front
from conformance.mutants.shared_faults import StreamNotingAgent, streams
from conformance.reference.agent import Agent
from conformance.reference.client import Client, Emit, LeafClient
from conformance.reference.history_home import HistoryHome
from conformance.reference.listeners import Listeners
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.run_terms import Terms
from conformance.reference.thread import Thread
from conformance.reference.thread_json import ThreadForm
from conformance.reference.threads import Threads
from conformance.trace.exchange import Response
from conformance.trace.messages import Message
from conformance.vocabulary import ThreadKind
from conformance.world.chat_service import Reply, Request

# --- restored ---


class NewestAreLost(Imitation):
    """A long conversation is restored without its newest messages."""

    reports = ("https://github.com/CodebuffAI/freebuff/issues/913",)

    class _Form(ThreadForm):
        def read(self, data: Any) -> Thread:
            thread = super().read(data)
            if len(thread.messages) > 6:
                del thread.messages[-4:]
            return thread

    parts = Parts(form=_Form)


class SinceTheRestart(Imitation):
    """Of a conversation in a store a restored thread loads what was appended since."""

    reports = ("https://github.com/bketelsen/chapterhouse/issues/395",)

    class _Form(ThreadForm):
        def read(self, data: Any) -> Thread:
            thread = super().read(data)
            vars(thread)["restored"] = True
            return thread

    class _Front(Front):
        async def load(self) -> tuple[Message, ...]:
            loaded = await super().load()
            if self.setting.spec.history != "provider" or not vars(self.thread).get("restored"):
                return loaded
            return loaded[vars(self.thread).setdefault("before", len(loaded)) :]

    parts = replace(in_front(_Front), form=_Form)


class TakenForSomebodyElses(Imitation):
    """A thread that is restored at once is a new one, without a word."""

    reports = ("https://github.com/OpenHands/software-agent-sdk/issues/4192",)

    class _Form(ThreadForm):
        def read(self, data: Any) -> Thread:
            thread = super().read(data)
            return Thread(key=f"{thread.key}, begun anew") if thread.kind == "local" else thread

    parts = Parts(form=_Form)


class MiddleIsLost(Imitation):
    """A long conversation is restored without its middle."""

    reports = ("https://github.com/openclaw/openclaw/issues/135244",)

    class _Form(ThreadForm):
        def read(self, data: Any) -> Thread:
            thread = super().read(data)
            if len(thread.messages) > 6:
                del thread.messages[2:-2]
            return thread

    parts = Parts(form=_Form)


class ResultsByPosition(Imitation):
    """Results that are restored belong to the call that stands nearest before them."""

    reports = ("https://github.com/trpc-group/trpc-agent-go/pull/2192",)

    class _Form(ThreadForm):
        def read(self, data: Any) -> Thread:
            thread = super().read(data)
            latest = ""
            for place, message in enumerate(thread.messages):
                latest = message.calls[-1].id if message.calls else latest
                results = tuple(msgspec.structs.replace(each, id=latest) for each in message.results)
                thread.messages[place] = msgspec.structs.replace(message, results=results)
            return thread

    parts = Parts(form=_Form)


class PendingIsForgotten(Imitation):
    """A thread is restored without the calls that wait for an approval."""

    reports = ("https://github.com/letta-ai/letta-code/pull/546",)

    class _Form(ThreadForm):
        def read(self, data: Any) -> Thread:
            thread = super().read(data)
            thread.waiting, thread.decisions = [], {}
            return thread

    agent_type = SendsHistoriesAsTheyAre
    parts = Parts(form=_Form)


class DenialIsForgotten(Imitation):
    """A thread is restored without the results of calls that were rejected."""

    reports = ("https://github.com/BuilderIO/agent-native/pull/3635",)

    class _Form(ThreadForm):
        def read(self, data: Any) -> Thread:
            thread = super().read(data)
            thread.messages = [
                msgspec.structs.replace(each, results=tuple(result for result in each.results if result.value != "rejected"))
                for each in thread.messages
                if not each.results or any(result.value != "rejected" for result in each.results)
            ]
            return thread

    parts = Parts(form=_Form)


# --- shared by mistake ---


class OneMessageList(Imitation):
    """All threads of an agent that keep their own history keep the same one."""

    reports = ("https://github.com/aws/agentcore-cli/pull/1639",)

    class _Threads(Threads):
        def create_thread(self, key: str, kind: ThreadKind) -> Thread:
            thread = super().create_thread(key, kind)
            thread.messages = vars(self).setdefault("messages", thread.messages)
            return thread

    parts = Parts(threads=_Threads)


class OneConversation(Imitation):
    """All threads have one name in the store."""

    reports = ("https://github.com/cloudflare/agents-starter/issues/96",)

    class _Threads(Threads):
        def create_thread(self, key: str, kind: ThreadKind) -> Thread:
            return super().create_thread("the conversation", kind)

    parts = Parts(threads=_Threads)


class CurrentSession(Imitation):
    """A context provider's state is that of the thread whose run began last."""

    reports = ("https://github.com/mem0ai/mem0/issues/4359",)

    class _Listeners(Listeners):
        async def invoking(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            vars(self)["current"] = thread
            return await super().invoking(thread, new)

        def context_state(self, thread: Thread, provider: str) -> dict[str, Any]:
            return super().context_state(vars(self).get("current", thread), provider)

    parts = Parts(listeners=_Listeners)


# --- what is sent ---


class CutInTheLoop(Imitation):
    """The bound on what is sent cuts the requests that carry results, in the middle of a run, wherever that is."""

    reports = ("https://github.com/neuron-core/neuron-ai/issues/204",)

    class _Home(HistoryHome):
        def leaf(self, thread: Thread, *, local: bool) -> Client:
            inner, most = super().leaf(thread, local=local), self.setting.spec.reduces_to
            return CutInTheLoop.Cutting(inner, most) if most is not None and local else inner

    class Cutting:
        """Sends the newest messages."""

        def __init__(self, inner: Client, most: int) -> None:
            self._inner = inner
            self._most = most

        async def complete(self, request: Request, emit: Emit) -> Reply:
            if request.messages[-1].role == "tool":
                request = msgspec.structs.replace(request, messages=request.messages[-self._most :])
            return await self._inner.complete(request, emit)

    parts = Parts(home=_Home)


class CutBetweenResults(Imitation):
    """A history over its bound keeps its first messages, a result each counted by itself, but for calls at the very end."""

    reports = ("https://github.com/datarobot-oss/datarobot-genai/pull/430",)

    class _Home(HistoryHome):
        def reduce(self, history: Sequence[Message], new: Sequence[Message]) -> Sequence[Message]:
            if self.setting.spec.reduces_to is None:
                return history
            each = [one for message in history for one in self._single(message)]
            kept = each[: max(0, self.setting.spec.reduces_to - len(new))]
            return kept[:-1] if kept and kept[-1].calls else kept

        def _single(self, message: Message) -> Sequence[Message]:
            return [msgspec.structs.replace(message, results=(result,)) for result in message.results] or [message]

    agent_type = SendsHistoriesAsTheyAre
    parts = Parts(home=_Home)


class WholeHistoryWithTheId(Imitation):
    """A run on a hosted thread sends all earlier turns once more, beside the id under which the service has them."""

    reports = ("https://github.com/lidge-jun/opencodex/pull/1698",)

    class _End(RunEnd):
        async def succeeded(self, thread: Thread, new: Sequence[Message], outcome: Outcome) -> None:
            vars(thread)["turns"] = [*vars(thread).get("turns", ()), *new, *outcome.produced]
            await super().succeeded(thread, new, outcome)

    class _Agent(Agent):
        async def _run(self, thread: Thread, new: Sequence[Message], emit: Emit, *, stream: bool, terms: Terms) -> Response:
            vars(self)["turns"] = vars(thread).get("turns", ()) if thread.kind == "hosted" else ()
            return await super()._run(thread, new, emit, stream=stream, terms=terms)

        def request_messages(
            self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]
        ) -> tuple[Message, ...]:
            return super().request_messages([*vars(self).get("turns", ()), *history], adds, new)

    agent_type = _Agent
    parts = Parts(end=_End)


class RemindedOnce(Imitation):
    """What a context provider added once on a thread is never sent on it again."""

    reports = ("https://github.com/MarimerLLC/rockbot/pull/498",)

    class _Listeners(Listeners):
        async def invoking(self, thread: Thread, new: Sequence[Message]) -> list[Message]:
            told: set[str] = vars(thread).setdefault("told", set())
            adds = [each for each in await super().invoking(thread, new) if each.text not in told]
            told.update(each.text for each in adds)
            return adds

    parts = Parts(listeners=_Listeners)


# --- conversation ids of streams ---


class StreamNamesNoConversation(Imitation):
    """A streamed reply is taken to name no conversation."""

    reports = ("https://github.com/Elumenotion/GuideAnts/issues/70",)

    class _Leaf(LeafClient):
        async def complete(self, request: Request, emit: Emit) -> Reply:
            reply = await super().complete(request, emit)
            return msgspec.structs.replace(reply, conversation_id=None) if request.stream else reply

    parts = Parts(leaf=_Leaf)


class OnlyTheInnerOneIsTold(Imitation):
    """The id of a run that streams is used within the run, and not taken over by the thread."""

    reports = ("https://github.com/laravel/ai/issues/336",)

    class _Home(HistoryHome):
        def fix(self, thread: Thread, adopted: Sequence[str]) -> None:
            super().fix(thread, () if streams(thread) else adopted)

    agent_type = StreamNotingAgent
    parts = Parts(home=_Home)


class StreamBeginsAnew(Imitation):
    """A thread without an id does not take one over from a run that streams."""

    reports = ("https://github.com/mckinsey/agents-at-scale-ark/pull/1980",)

    class _Home(HistoryHome):
        def fix(self, thread: Thread, adopted: Sequence[str]) -> None:
            super().fix(thread, () if streams(thread) and thread.conversation_id is None else adopted)

    agent_type = StreamNotingAgent
    parts = Parts(home=_Home)
