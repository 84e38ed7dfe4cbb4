"""Threads, state: faults that the rules of this section are the first to name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, cast

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, where
from conformance.mutants.shared_faults import CurrentThreadAgent, StreamNotingAgent, current, interleaves, streams
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.errors import Invalid
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store, ThreadStore
from conformance.reference.loop import Outcome
from conformance.reference.parts import Parts
from conformance.reference.run_end import RunEnd
from conformance.reference.run_terms import Options, Terms
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.reference.thread_json import CallData, MessageData, ResultData, ThreadData, ThreadForm
from conformance.reference.threads import Threads
from conformance.reference.workflow_agent import WorkflowAgent
from conformance.scenario.scenario import Scenario
from conformance.trace.exchange import ChunkSeen, Response, Turn
from conformance.trace.messages import Message
from conformance.vocabulary import ThreadKind


class ContextStateNotWritten(Mutant):
    """The state of context providers is not in the data of a thread."""

    breaks = "THR-22/other context"
    imitates = "https://github.com/JetBrains/koog/issues/1944"
    expected = frozenset({"THR-22", "THR-29"})

    class _Form(ThreadForm):
        """The faulty form."""

        def write(self, thread: Thread) -> dict[str, Any]:
            """Write messages and ids."""
            return {**super().write(thread), "context": {}}

    parts = Parts(form=_Form)


class HostedIdNotRead(Mutant):
    """A thread that was created hosted loses its conversation id when it is restored."""

    breaks = "THR-22/another id"
    imitates = "an id that is read from replies only"
    expected = frozenset({"THR-06", "THR-07", "THR-08", "THR-10", "THR-22", "PER-34"})

    class _Form(ThreadForm):
        """The faulty form."""

        def read(self, data: Any) -> Thread:
            """Read the id of one that was adaptive."""
            thread = super().read(data)
            thread.conversation_id = thread.conversation_id if thread.fixed else None
            return thread

    parts = Parts(form=_Form)


class AnswerPutIntoTheInput(Mutant):
    """A run appends its answer to the caller's own list of messages."""

    breaks = "THR-26/messages changed"
    imitates = "https://github.com/NousResearch/hermes-agent/pull/229"
    expected = frozenset({"THR-26"})

    class _Agent(Agent):
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Take the list for the conversation."""
            response = await super().run(thread, turn, emit, stream=stream)
            messages = cast("object", turn.messages)
            if isinstance(messages, list):
                cast("list[Message]", messages).extend(response.messages)
            return response

    agent_type = _Agent


class IdPutIntoTheOptions(Mutant):
    """A run writes its thread's conversation id into the caller's own options."""

    breaks = "THR-26/id changed"
    imitates = "https://github.com/microsoft/agent-framework/issues/4864"
    expected = frozenset({"THR-26"})

    class _Agent(Agent):
        @where(lambda agent, given: agent.setting.service.spec.keeps != "nothing" or given["turn"].conversation_id is not None)
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Complete the options in place."""
            response = await super().run(thread, turn, emit, stream=stream)
            msgspec.structs.force_setattr(turn, "conversation_id", thread.conversation_id)
            return response

    agent_type = _Agent


class ContextStateOnTheAgent(Mutant):
    """A context provider's state is kept on the agent, so that all of its threads share it."""

    breaks = "THR-25/foreign context"
    imitates = "https://github.com/agno-agi/agno/issues/4820"
    expected = frozenset({"THR-25"})

    class _Threads(Threads):
        @where(lambda threads, _: len(threads.setting.contexts) == 1)
        def create_thread(self, key: str, kind: ThreadKind) -> Thread:
            """Give one state to all new threads, where there is only one provider."""
            thread = super().create_thread(key, kind)
            thread.context = {self.setting.contexts[0].id: self.__dict__.setdefault("_shared", {})}
            return thread

    parts = Parts(threads=_Threads)


def _interleaves_alone(scenario: Scenario) -> bool:
    """Whether runs of the only agent may interleave."""
    return len(scenario.agents) == 1 and interleaves(scenario)


class CurrentThreadOnTheAgent(Mutant):
    """The agent keeps "the current thread" on itself, so that runs that interleave read the history of the first of them."""

    breaks = "THR-25/foreign"
    imitates = "https://github.com/agno-agi/agno/issues/4663"
    expected = frozenset({"THR-05", "THR-10", "THR-25"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["place"] is None and _interleaves_alone(home.setting.world.scenario))
        def store_in(self, place: str | None, thread: Thread) -> Store:
            """Load from the current thread."""
            return _CurrentStore(thread, current(self, thread))

    agent_type = CurrentThreadAgent
    parts = Parts(home=_Home)


class _CurrentStore(ThreadStore):
    def __init__(self, thread: Thread, current: Thread) -> None:
        super().__init__(thread)
        self._current = current

    async def load(self) -> tuple[Message, ...]:
        """Load another thread's messages."""
        return tuple(self._current.messages)


class CurrentHistoryOnTheAgent(Mutant):
    """The agent keeps the history that it loaded last on itself, so that runs that interleave send each other's."""

    breaks = "THR-25/foreign"
    imitates = "https://github.com/agno-agi/agno/issues/4663"
    expected = frozenset({"THR-05", "THR-10", "THR-25"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["place"] is None and _interleaves_alone(home.setting.world.scenario))
        def store_in(self, place: str | None, thread: Thread) -> Store:
            """Hand out a store that remembers for all."""
            vars(self)["loading"] = thread
            return _LoadingStore(self, thread)

    parts = Parts(home=_Home)


class _LoadingStore(ThreadStore):
    def __init__(self, home: HistoryHome, thread: Thread) -> None:
        super().__init__(thread)
        self._home = home

    async def load(self) -> tuple[Message, ...]:
        """Wait, then load for whichever run asked last."""
        await asyncio.sleep(0)
        latest: Thread = vars(self._home)["loading"]
        return tuple(latest.messages)


def _keeps_at_the_end(setting: Setting, thread: Thread) -> bool:
    """Whether a thread itself keeps a run, at its end."""
    return thread.kind == "local" and setting.spec.history == "default" and not setting.spec.per_service_call


class FailedInputKept(Mutant):
    """A run that fails leaves its input on a local thread."""

    breaks = "THR-28/turn kept"
    imitates = "https://github.com/microsoft/agent-framework/issues/7630"
    expected = frozenset({"THR-05", "THR-28", "THR-33", "THR-35", "PER-20", "PER-36", "PER-62"})

    class _End(RunEnd):
        @where(lambda end, given: _keeps_at_the_end(end.setting, given["thread"]))
        async def failed(self, thread: Thread, new: Sequence[Message], error: Exception) -> None:
            """Keep what was said, whatever came of it."""
            await self.home.store(thread).append(new)
            await super().failed(thread, new, error)

    parts = Parts(end=_End)


class CancelledInputKept(Mutant):
    """A run that is cancelled leaves its input on a local thread."""

    breaks = "THR-28/turn kept"
    imitates = "a session that is saved in a block that always runs"
    expected = frozenset({"THR-05", "THR-28", "THR-33", "THR-35"})

    class _End(RunEnd):
        @where(lambda end, given: _keeps_at_the_end(end.setting, given["thread"]))
        async def cancelled(self, thread: Thread, new: Sequence[Message], error: asyncio.CancelledError) -> None:
            """Keep what was said, whatever came of it."""
            await self.home.store(thread).append(new)
            await super().cancelled(thread, new, error)

    parts = Parts(end=_End)


def _object(data: Any) -> dict[str, Any] | None:
    """Data as an object that may be written to, where it is one."""
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None


class UnknownKindIsLocal(Mutant):
    """Data of a kind that nobody knows makes a local thread."""

    breaks = "THR-24/not refused"
    imitates = "the last branch of a condition, for everything that is not hosted"
    expected = frozenset({"THR-24"})

    class _Form(ThreadForm):
        """The faulty form."""

        def own(self, data: Any) -> Any:
            """Read what is unknown as local."""
            own = super().own(data)
            entries = _object(own)
            if entries is not None and "kind" in entries and entries["kind"] not in ("local", "hosted", "adaptive"):
                entries |= {"kind": "local", "conversation_id": None, "service": None}
            return own

    parts = Parts(form=_Form)


class MissingFieldsAreEmpty(Mutant):
    """Fields that are missing in the data of a thread are taken for empty."""

    breaks = "THR-24/not refused"
    imitates = "a form in which every field has a default"
    expected = frozenset({"THR-24"})

    class _Form(ThreadForm):
        """The faulty form."""

        def own(self, data: Any) -> Any:
            """Fill in what is missing."""
            own = super().own(data)
            entries = _object(own)
            return own if entries is None else {**super().write(Thread(key="restored")), **entries}

    parts = Parts(form=_Form)


class MalformedDataIsANewThread(Mutant):
    """Data that cannot be read makes a new, empty thread."""

    breaks = "THR-24/not refused"
    imitates = "https://github.com/microsoft/vscode/issues/319244"
    expected = frozenset({"THR-24"})

    class _Threads(Threads):
        def restore(self, data: Any) -> Thread:
            """Begin anew."""
            try:
                return super().restore(data)
            except Invalid:
                return self.create_thread("restored", "local")

    parts = Parts(threads=_Threads)


class MalformedDataIsATraceback(Mutant):
    """Data that cannot be read ends in whatever the parser raises."""

    breaks = "THR-24/wrong kind of error"
    imitates = "a parser whose errors nobody translates"
    expected = frozenset({"THR-24"})

    class _Form(ThreadForm):
        """The faulty form."""

        def checked(self, data: Any) -> ThreadData:
            """Let the error pass as it comes."""
            try:
                return super().checked(data)
            except Invalid as error:
                raise TypeError(str(error)) from None

    parts = Parts(form=_Form)


class MalformedFieldUnnamed(Mutant):
    """Data that cannot be read is refused without a word on which field is wrong."""

    breaks = "THR-24/not named"
    imitates = "an error that is the same for everything"
    expected = frozenset({"THR-24"})

    class _Threads(Threads):
        def restore(self, data: Any) -> Thread:
            """Say less."""
            try:
                return super().restore(data)
            except Invalid:
                raise Invalid("this is not a thread") from None

    parts = Parts(threads=_Threads)


class LiveObjectInTheData(Mutant):
    """A serialized thread holds the thread itself, which is no JSON data."""

    breaks = "THR-21/not JSON"
    imitates = "https://github.com/google/adk-python/pull/4748"
    expected = frozenset({"THR-21"})

    class _Form(ThreadForm):
        """The faulty form."""

        def write(self, thread: Thread) -> dict[str, Any]:
            """Add what is alive."""
            return {**super().write(thread), "thread": thread}

        def own(self, data: Any) -> Any:
            """Leave it out again."""
            entries = _object(data)
            return super().own(data if entries is None else {key: each for key, each in entries.items() if key != "thread"})

    parts = Parts(form=_Form)


class LiveObjectAsText(Mutant):
    """A serialized thread holds as text what JSON has no word for: the thread itself, by its address."""

    breaks = "THR-21/live object"
    imitates = "json.dumps(state, default=repr)"
    expected = frozenset({"THR-21"})

    class _Form(ThreadForm):
        """The faulty form."""

        def write(self, thread: Thread) -> dict[str, Any]:
            """Write what is alive."""
            return {**super().write(thread), "thread": object.__repr__(thread)}

        def own(self, data: Any) -> Any:
            """Leave it out again."""
            entries = _object(data)
            return super().own(data if entries is None else {key: each for key, each in entries.items() if key != "thread"})

    parts = Parts(form=_Form)


class CallIdsNotRead(Mutant):
    """The ids of tool calls are lost when a thread is restored."""

    breaks = "THR-22/other messages"
    imitates = "https://github.com/microsoft/agent-framework/issues/4672"
    expected = frozenset({"THR-05", "THR-10", "THR-22", "PER-31"})

    class _Threads(Threads):
        def restore(self, data: Any) -> Thread:
            """Lose them where nobody else comes across the thread."""
            alone = len(self.setting.world.scenario.agents) == 1 and not self.setting.spec.observed
            return _WithoutIds().read(data) if alone else super().restore(data)

    parts = Parts(threads=_Threads)


class _WithoutIds(ThreadForm):
    def message(self, form: MessageData) -> Message:
        """Read calls and results without their ids."""
        calls = [CallData(id="", tool=call.tool, arguments=call.arguments) for call in form.calls]
        results = [ResultData(id="", value=each.value, error=each.error) for each in form.results]
        return super().message(MessageData(role=form.role, text=form.text, author=form.author, calls=calls, results=results))


class CallArgumentsNotWritten(Mutant):
    """The arguments of tool calls are not in the data of a thread."""

    breaks = "THR-22/other messages"
    imitates = "https://github.com/microsoft/semantic-kernel/pull/4358"
    expected = frozenset({"THR-05", "THR-10", "THR-22"})

    class _Threads(Threads):
        def serialize(self, thread: Thread) -> Any:
            """Leave them out where nobody else comes across the thread."""
            alone = len(self.setting.world.scenario.agents) == 1 and not self.setting.spec.observed
            return _WithoutArguments().write(thread) if alone else super().serialize(thread)

    parts = Parts(threads=_Threads)


class _WithoutArguments(ThreadForm):
    def message_data(self, message: Message) -> MessageData:
        """Write calls without what they are called with."""
        form = super().message_data(message)
        calls = [CallData(id=call.id, tool=call.tool, arguments={}) for call in form.calls]
        return MessageData(role=form.role, text=form.text, author=form.author, calls=calls, results=form.results)


class OptionsNotWritten(Mutant):
    """A restored local thread leaves `store` unset where the original says not to store."""

    breaks = "THR-22/other store"
    imitates = "a setting that is made when a thread is created, and is not in its data"
    expected = frozenset({"THR-22"})

    class _Threads(Threads):
        def restore(self, data: Any) -> Thread:
            """Note what is missing."""
            thread = super().restore(data)
            vars(thread)["bare"] = not self.setting.service.spec.stores_by_default
            return thread

    class _Options(Options):
        @aside
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Say nothing of storing; where that is the client's default, it means the same."""
            terms = super().terms(thread, turn)
            bare = thread.kind == "local" and terms.local and vars(thread).get("bare", False)
            return replace(terms, store=None) if bare and not self.setting.service.spec.stores_by_default else terms

    parts = Parts(threads=_Threads, options=_Options)


class RestoredStateIsTheData(Mutant):
    """The context state of a restored thread is part of the data that it was restored from, and of every other thread that was."""

    breaks = "THR-23/data changed"
    imitates = "https://github.com/google-deepmind/concordia/issues/331"
    expected = frozenset({"THR-22", "THR-23"})

    class _Threads(Threads):
        def restore(self, data: Any) -> Thread:
            """Take the state over as it is, where there is only one provider's."""
            thread = super().restore(data)
            if len(thread.context) == 1:
                thread.context = data["context"]
            return thread

    parts = Parts(threads=_Threads)


class DataIsTheThreadsState(Mutant):
    """The context state in the data of a thread is the thread's own, which goes on changing."""

    breaks = "THR-23/data changed"
    imitates = "a snapshot that copies the outermost level only"
    expected = frozenset({"THR-22", "THR-23", "THR-30"})

    class _Form(ThreadForm):
        """The faulty form."""

        def write(self, thread: Thread) -> dict[str, Any]:
            """Hand the state out as it is, where there is only one provider's."""
            data = super().write(thread)
            return {**data, "context": thread.context} if len(thread.context) == 1 else data

    parts = Parts(form=_Form)


class RestoringEatsTheData(Mutant):
    """Restoring a thread takes fields out of the data, so that it cannot be restored again."""

    breaks = "THR-23/data changed"
    imitates = "https://github.com/ohdearquant/lionagi/issues/2423"
    expected = frozenset({"THR-23"})

    class _Form(ThreadForm):
        """The faulty form."""

        def read(self, data: Any) -> Thread:
            """Take out what was read."""
            thread = super().read(data)
            data.pop("messages")
            return thread

    parts = Parts(form=_Form)


class StreamedResponseIsItsEnd(Mutant):
    """The response of a streaming run holds its last message only."""

    breaks = "THR-27/other response"
    imitates = "a response that is joined from the chunks of the last service call"
    expected = frozenset({"THR-27", "PER-06", "PER-44", "PER-52"})

    @where(lambda _, given: isinstance(given["agent"], Agent) and bool(given["agent"].setting.spec.tools))
    async def stream(self, agent: Agent | WorkflowAgent, thread: Any, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
        """Forget what came before the answer."""
        seen = super().stream(agent, thread, turn)
        try:
            async for each in seen:
                if isinstance(each, Response) and isinstance(agent, Agent):
                    yield msgspec.structs.replace(each, messages=each.messages[-1:])
                else:
                    yield each
        finally:
            if isinstance(seen, AsyncGenerator):
                await seen.aclose()


class StreamedToolMessagesForgotten(Mutant):
    """A streaming run on a local thread does not keep its tool messages."""

    breaks = "THR-27/other thread"
    imitates = "https://github.com/openai/openai-agents-python/pull/2433"
    expected = frozenset(
        {"THR-05", "THR-09", "THR-10", "THR-27", "THR-33", "THR-35", "PER-16", "PER-31", "PER-46", "PER-62", "ORC-37", "ORC-41"}
    )

    class _Home(HistoryHome):
        @where(lambda home, given: home.setting.spec.history == "default" and any(each.calls for each in given["outcome"].produced))
        async def keep(self, thread: Thread, store: Store, new: Sequence[Message], outcome: Outcome, *, local: bool) -> None:
            """Keep texts."""
            if thread.kind == "local" and streams(thread):
                texts = [each for each in outcome.produced if not (each.calls or each.results)]
                outcome = replace(outcome, produced=texts)
            await super().keep(thread, store, new, outcome, local=local)

    agent_type = StreamNotingAgent
    parts = Parts(home=_Home)


class StreamIgnoresTheThread(Mutant):
    """A streaming run on a local thread does not send what was said before."""

    breaks = "THR-27/other requests"
    imitates = "https://github.com/microsoft/agent-framework/issues/3848"
    expected = frozenset({"THR-05", "THR-10", "THR-27", "THR-33", "THR-34", "THR-35", "PER-16", "PER-31"})

    class _Agent(Agent):
        @where(lambda _, given: given["stream"] and given["thread"].kind == "local" and given["thread"].messages)
        async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
            """Run as if the thread were new, and put the turn behind the rest."""
            earlier = thread.messages[:]
            thread.messages.clear()
            try:
                return await super().run(thread, turn, emit, stream=stream)
            finally:
                thread.messages[:0] = earlier

    agent_type = _Agent
