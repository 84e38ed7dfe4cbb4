"""Threads, requests: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, pure, where
from conformance.reference.agent import Agent
from conformance.reference.client import SENTINEL, Client, Emit
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store, ThreadStore
from conformance.reference.loop import Loop, Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.run_terms import Options, Terms
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.reference.thread_json import ThreadForm
from conformance.reference.threads import Threads
from conformance.trace.exchange import ThreadState, Turn
from conformance.trace.messages import Message
from conformance.world.chat_service import Reply, Request


class HostedTurnsKeptToo(Mutant):
    """A hosted thread keeps its messages on this side too."""

    breaks = "THR-09/twice"
    imitates = "a session that records whatever passes, with one field for the id and one for the messages"
    expected = frozenset({"THR-09", "THR-18", "THR-35", "THR-44", "PER-36"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["outcome"].adopted and not home.setting.service.spec.surprising)
        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Keep a turn wherever it is."""
            await super().keep(thread, store, new, outcome, local=local)
            if self.setting.decorates or not self.setting.spec.per_service_call:
                thread.messages += [*new, *outcome.produced]

    class _Threads(Threads):
        @pure
        def describe(self, thread: Thread) -> ThreadState:
            """Show it."""
            state = super().describe(thread)
            return msgspec.structs.replace(state, messages=tuple(thread.messages)) if thread.kind == "hosted" else state

    parts = Parts(home=_Home, threads=_Threads)


class HistoryBesideTheId(Mutant):
    """A run on a hosted thread names the conversation and sends all of its earlier turns as well."""

    breaks = "THR-10/repeated"
    imitates = "https://github.com/agno-agi/agno/issues/4712"
    expected = frozenset(
        {"THR-06", "THR-10", "THR-22", "THR-32", "THR-34", "PER-16", "PER-17", "PER-30", "PER-31", "PER-34", "PER-46", "PER-54"}
    )

    class _Home(HistoryHome):
        @where(lambda _, given: given["thread"].kind == "hosted")
        def leaf(self, thread: Thread, *, local: bool) -> Client:
            """Remember what was said on hosted threads."""
            return _Remembering(super().leaf(thread, local=local), vars(thread).setdefault("said", []))

    parts = Parts(home=_Home)


class _Remembering:
    """said: every message of the thread so far; it is sent with the first request of a run."""

    def __init__(self, inner: Client, said: list[Message]) -> None:
        self._inner = inner
        self._said = said
        self._earlier = tuple(said)

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Send more than what is new."""
        messages, self._earlier = (*self._earlier, *request.messages), ()
        reply = await self._inner.complete(msgspec.structs.replace(request, messages=messages), emit)
        self._said += [*request.messages, reply.message]
        return reply


class HostedStoreLeftUnset(Mutant):
    """A run on a hosted thread leaves `store` unset, also on a client that does not store by default."""

    breaks = "THR-06/does not store"
    imitates = "a service-side thread whose client was switched to one with another default"
    expected = frozenset({"THR-03", "THR-06", "PER-17"})

    class _Options(Options):
        @pure
        def store_option(self, *, local: bool) -> bool | None:
            """Say nothing of storing for hosted threads."""
            return False if local else None

    parts = Parts(options=_Options)


def _ordinary(setting: Setting) -> bool:
    return not setting.service.spec.surprising and not setting.spec.per_service_call


class StoreLeftUnset(Mutant):
    """A run on a local thread leaves `store` unset, also on a client that stores by default."""

    breaks = "THR-05/stores"
    imitates = "https://github.com/microsoft/agent-framework/pull/5111"
    expected = frozenset({"THR-05", "THR-09", "PER-06", "PER-36"})

    class _Options(Options):
        @pure
        def store_option(self, *, local: bool) -> bool | None:
            """Say nothing of storing for local threads."""
            return None if local and not self.setting.spec.per_service_call else not local

    class _Home(HistoryHome):
        @where(lambda home, given: given["local"] and given["thread"].kind == "local" and _ordinary(home.setting))
        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Overlook what the service makes of that."""

    parts = Parts(options=_Options, home=_Home)


class LoopResendsEverything(Mutant):
    """Within a run on a hosted thread, every request resends all of the run's messages."""

    breaks = "THR-06/foreign"
    imitates = "https://github.com/openai/openai-agents-python/issues/1789"
    expected = frozenset({"THR-06", "THR-10", "PER-16", "PER-17", "PER-30", "PER-31", "PER-34", "PER-46", "PER-54"})

    class _Loop(Loop):
        @pure
        def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
            """Accumulate, although the service keeps the rest."""
            if outcome.conversation_id == SENTINEL:
                return super().next_messages(sent, reply, results, outcome)
            return [*sent, reply, results]

    parts = Parts(loop=_Loop)


class ToolTrafficGarbled(Mutant):
    """The loop sends calls without their arguments and results without their values back to the service."""

    breaks = "THR-05/missing"
    imitates = "a conversion of messages that knows texts only"
    expected = frozenset(
        {"THR-05", "THR-06", "THR-09", "THR-10", "PER-06", "PER-16", "PER-17", "PER-30", "PER-34", "PER-49", "ORC-37"}
    )

    class _Loop(Loop):
        @pure
        def next_messages(self, sent: Sequence[Message], reply: Message, results: Message, outcome: Outcome) -> list[Message]:
            """Strip both, where nobody below the loop stores them."""
            if outcome.conversation_id == SENTINEL:
                return super().next_messages(sent, reply, results, outcome)
            calls = tuple(msgspec.structs.replace(call, arguments={}) for call in reply.calls)
            values = tuple(msgspec.structs.replace(result, value="") for result in results.results)
            bare = msgspec.structs.replace(reply, calls=calls), msgspec.structs.replace(results, results=values)
            return super().next_messages(sent, *bare, outcome)

    parts = Parts(loop=_Loop)


class FirstIdKept(Mutant):
    """A hosted thread keeps the first conversation id that it got, although the service gives a new one with every reply."""

    breaks = "THR-07/not taken"
    imitates = "a session that takes an id only where it has none"
    expected = frozenset(
        {"THR-07", "THR-10", "THR-35", "THR-41", "PER-16", "PER-28", "PER-29", "PER-30", "PER-31", "PER-34", "PER-46", "PER-49"}
    )

    class _Home(HistoryHome):
        @where(lambda _, given: given["thread"].conversation_id not in (None, given["id"]))
        def become_hosted(self, thread: Thread, id: str) -> None:
            """Take an id only where there is none."""
            super().become_hosted(thread, thread.conversation_id or id)

    parts = Parts(home=_Home)


class LoopKeepsItsFirstId(Mutant):
    """Within a run on a hosted thread, the loop goes on with the id with which the run began."""

    breaks = "THR-07/not sent"
    imitates = "https://github.com/microsoft/agent-framework/pull/3664"
    expected = frozenset({"THR-07", "THR-10", "THR-41", "PER-16", "PER-17", "PER-30", "PER-31", "PER-34", "PER-46", "PER-54"})

    class _Loop(Loop):
        @pure
        def request(self, first: Any, sent: Sequence[Message], outcome: Outcome) -> Any:
            """Name the conversation as the run's first request did, where it named one."""
            request = super().request(first, sent, outcome)
            id = first.conversation_id or request.conversation_id
            return msgspec.structs.replace(request, conversation_id=id)

    parts = Parts(loop=_Loop)


class IdLostAfterAToolCall(Mutant):
    """Within a run on a hosted thread, the requests that follow a tool call name no conversation."""

    breaks = "THR-07/not sent"
    imitates = "options that the first request uses up"
    expected = frozenset(
        {"THR-06", "THR-07", "THR-10", "THR-41", "PER-16", "PER-17", "PER-30", "PER-31", "PER-34", "PER-45", "PER-46", "PER-54"}
    )

    class _Loop(Loop):
        @pure
        def request(self, first: Any, sent: Sequence[Message], outcome: Outcome) -> Any:
            """Name a conversation in the first request only."""
            request = super().request(first, sent, outcome)
            lost = outcome.produced and request.conversation_id != SENTINEL
            return msgspec.structs.replace(request, conversation_id=None) if lost else request

    parts = Parts(loop=_Loop)


class GivenIdForgotten(Mutant):
    """A hosted thread that is created with a conversation id begins a new conversation."""

    breaks = "THR-08/no id"
    imitates = "https://github.com/microsoft/agent-framework/pull/3136"
    expected = frozenset({"THR-06", "THR-08", "THR-14", "THR-42"})

    class _Threads(Threads):
        def continue_conversation(self, key: str, id: str) -> Thread:
            """Make one like any other."""
            return self.create_thread(key, "hosted")

    parts = Parts(threads=_Threads)


class ConversationPerRun(Mutant):
    """Every run on a hosted thread begins a new conversation."""

    breaks = "THR-07/not sent"
    imitates = "https://github.com/microsoft/agent-framework/issues/5285"
    expected = frozenset(
        {
            "THR-06",
            "THR-07",
            "THR-08",
            "THR-10",
            "THR-14",
            "THR-41",
            "THR-42",
            "PER-16",
            "PER-17",
            "PER-30",
            "PER-31",
            "PER-34",
            "PER-46",
            "PER-54",
        }
    )

    class _Options(Options):
        @where(lambda _, given: given["thread"].conversation_id is not None)
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Name no conversation."""
            terms = super().terms(thread, turn)
            return Terms(local=terms.local, store=terms.store)

    parts = Parts(options=_Options)


class MissingIdOverlooked(Mutant):
    """A service that was asked to keep the conversation and names none is taken for one that will remember."""

    breaks = "THR-10/missing"
    imitates = "https://github.com/microsoft-foundry/new-foundry-portal/issues/102"
    expected = frozenset({"THR-09", "THR-10", "THR-11", "PER-01", "PER-10"})

    class _Home(HistoryHome):
        @where(lambda _, given: given["id"] is None and (given["adopted"] or not given["local"]))
        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Go on without an id."""

    parts = Parts(home=_Home)


class IdOverwrittenWithNothing(Mutant):
    """A reply without a conversation id takes the id from a hosted thread."""

    breaks = "THR-11/another id"
    imitates = "an assignment that does not look at what it assigns"
    expected = frozenset({"THR-06", "THR-07", "THR-09", "THR-10", "THR-11", "THR-14", "THR-19", "PER-01", "PER-10"})

    class _Home(HistoryHome):
        @where(lambda _, given: given["id"] is None and not given["local"])
        def adopt(self, thread: Thread, id: str | None, adopted: list[str], *, local: bool) -> None:
            """Write down whatever came."""
            thread.conversation_id = None
            adopted.clear()

    parts = Parts(home=_Home)


class FailedInputSentAgain(Mutant):
    """The input of a run that failed is not stored, but the next run on its local thread sends it once more."""

    breaks = "THR-05/foreign"
    imitates = "a queue of messages that is emptied by success only"
    expected = frozenset({"THR-05", "PER-46"})

    class _End(RunEnd):
        @where(lambda end, given: given["thread"].kind == "local" and len(end.setting.world.scenario.agents) == 1)
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Note what did not get through, where nobody else comes across the thread."""
            spec = self.setting.spec
            if spec.history == "default" and not spec.per_service_call and spec.reduces_to is None:
                vars(thread)["failed"] = tuple(new)
            await super().failed(thread, new, error)

    class _Threads(Threads):
        @aside
        def serialize(self, thread: Thread) -> Any:
            """Forget it: the data is what the thread is."""
            vars(thread).pop("failed", None)
            return super().serialize(thread)

    class _Home(HistoryHome):
        @aside
        def store_in(self, place: str | None, thread: Thread) -> Store:
            """Let it be sent."""
            return _QueueStore(thread) if place is None else super().store_in(place, thread)

    parts = Parts(end=_End, threads=_Threads, home=_Home)


class _QueueStore(ThreadStore):
    async def load(self) -> tuple[Message, ...]:
        """Load what was stored, and what did not get through."""
        failed: tuple[Message, ...] = vars(self._thread).pop("failed", ())
        return (*await super().load(), *failed)


class HistoryKeyNotRead(Mutant):
    """A restored thread has another name in its history provider than the original."""

    breaks = "THR-10/missing"
    imitates = "https://github.com/microsoft/agent-framework/issues/3364"
    expected = frozenset({"THR-05", "THR-10", "PER-31", "PER-43"})

    class _Form(ThreadForm):
        """The faulty form."""

        def read(self, data: Any) -> Thread:
            """Let the provider begin anew."""
            thread = super().read(data)
            thread.key += ", restored"
            return thread

    parts = Parts(form=_Form)


class LocalHistorySentTwice(Mutant):
    """A run on a local thread sends the earlier turns twice."""

    breaks = "THR-05/repeated"
    imitates = "https://github.com/microsoft/agent-framework/issues/7930"
    expected = frozenset(
        {
            "THR-05",
            "THR-10",
            "THR-33",
            "THR-34",
            "PER-06",
            "PER-16",
            "PER-17",
            "PER-30",
            "PER-31",
            "PER-43",
            "PER-46",
            "PER-54",
            "ORC-35",
            "ORC-41",
        }
    )

    class _Agent(Agent):
        @pure
        def request_messages(
            self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]
        ) -> tuple[Message, ...]:
            """Prepend the history once more."""
            return (*history, *super().request_messages(history, adds, new))

    agent_type = _Agent


def _has_tool_messages(setting: Setting, thread: Thread) -> bool:
    """Whether a thread has any, or may get some while a run still loads from it."""
    return setting.decorates or any(each.calls or each.results for each in thread.messages)


class ToolMessagesForgotten(Mutant):
    """A thread that keeps its own messages drops the tool traffic of earlier turns."""

    breaks = "THR-10/missing"
    imitates = "https://github.com/CopilotKit/CopilotKit/issues/3884"
    expected = frozenset({"THR-05", "THR-10", "THR-33", "THR-34", "PER-16", "PER-31", "PER-46", "PER-54", "ORC-37", "ORC-41"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["place"] is None and _has_tool_messages(home.setting, given["thread"]))
        def store_in(self, place: str | None, thread: Thread) -> Store:
            """Load texts only."""
            return _TextStore(thread)

    parts = Parts(home=_Home)


class _TextStore(ThreadStore):
    async def load(self) -> tuple[Message, ...]:
        """Load what has no calls and no results."""
        return tuple(message for message in await super().load() if not (message.calls or message.results))
