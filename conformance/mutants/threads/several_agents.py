"""Threads, several agents: faults that the rules of this section are the first to name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, cast

import msgspec

from conformance.mutants.mutant import Mutant
from conformance.mutants.overrides import aside, pure, where
from conformance.reference.agent import Agent
from conformance.reference.agent_tool import AgentTool, InnerAgent
from conformance.reference.history_home import HistoryHome
from conformance.reference.history_stores import Store, ThreadStore
from conformance.reference.listeners import Listeners
from conformance.reference.parts import Parts
from conformance.reference.run_terms import Options, Terms
from conformance.reference.thread import Thread
from conformance.scenario.scenario import Scenario, Tamper
from conformance.scenario.specs import AgentSpec
from conformance.trace.exchange import ThreadState, Turn
from conformance.trace.messages import Message
from conformance.world.chat_service import ChatService, Request


def _tampers(scenario: Scenario) -> bool:
    """Whether a caller changes what is its own."""
    return any(isinstance(step, Tamper) for step in scenario.steps)


class InputKeptByReference(Mutant):
    """A thread keeps the caller's own message objects."""

    breaks = "THR-36/input changed"
    imitates = "https://github.com/google/adk-python/pull/7213"
    expected = frozenset({"THR-05", "THR-10", "THR-35", "THR-36"})

    class _Agent(Agent):
        @where(lambda agent, _: _tampers(agent.setting.world.scenario))
        def taken(self, messages: Iterable[Message]) -> tuple[Message, ...]:
            """Take them as they are."""
            return tuple(messages)

    agent_type = _Agent


class ResponseHandedOutByReference(Mutant):
    """The messages of a response are the very objects that the thread keeps."""

    breaks = "THR-36/response changed"
    imitates = "https://github.com/google/adk-python/pull/7105"
    expected = frozenset({"THR-05", "THR-10", "THR-35", "THR-36"})

    class _Agent(Agent):
        @where(lambda agent, _: _tampers(agent.setting.world.scenario))
        def handed(self, messages: Iterable[Message]) -> tuple[Message, ...]:
            """Hand out what is kept."""
            return tuple(messages)

    agent_type = _Agent


class OwnTurnsOnly(Mutant):
    """Of a local thread an agent sees only the turns that it had itself."""

    breaks = "THR-33/missing"
    imitates = "a history that is filtered by the agent that it belongs to"
    expected = frozenset({"THR-05", "THR-22", "THR-33"})

    class _Home(HistoryHome):
        @where(lambda home, given: given["place"] is None and len(home.setting.world.scenario.agents) > 1)
        def store_in(self, place: str | None, thread: Thread) -> Store:
            """Hand out what is this agent's."""
            return _OwnTurns(thread, self.setting.name)

    parts = Parts(home=_Home)


class _OwnTurns(ThreadStore):
    def __init__(self, thread: Thread, agent: str) -> None:
        super().__init__(thread)
        self._messages = thread.messages
        self._agent = agent
        self._whose: dict[int, str] = vars(thread).setdefault("whose", {})

    async def load(self) -> tuple[Message, ...]:
        """Load what nobody else appended."""
        own = [place for place in range(len(self._messages)) if self._whose.get(place, self._agent) == self._agent]
        return tuple(self._messages[place] for place in own)

    async def append(self, messages: Sequence[Message]) -> None:
        """Append, and note whose it is."""
        begin = len(self._messages)
        await super().append(messages)
        self._whose |= {place: self._agent for place in range(begin, len(self._messages))}


class ReducerSplitsPairs(Mutant):
    """A reducer counts messages, so that a call is cut off from its result."""

    breaks = "THR-34/call split"
    imitates = "https://github.com/microsoft/semantic-kernel/issues/12708"
    expected = frozenset({"THR-34", "PER-31"})

    class _Home(HistoryHome):
        @pure
        def reduce(self, history: Sequence[Message], new: Sequence[Message]) -> Sequence[Message]:
            """Keep the last so many."""
            most = self.setting.spec.reduces_to
            return history if most is None else history[max(0, len(history) - max(0, most - len(new))) :]

    parts = Parts(home=_Home)


class ReducerKeepsOneTooMany(Mutant):
    """A reducer does not count the new input."""

    breaks = "THR-34/too many"
    imitates = "a bound on the history, where one on the request is meant"
    expected = frozenset({"THR-34", "PER-31"})

    class _Home(HistoryHome):
        @pure
        def reduce(self, history: Sequence[Message], new: Sequence[Message]) -> Sequence[Message]:
            """Bound the history alone."""
            return super().reduce(history, ())

    parts = Parts(home=_Home)


class ReducerCutsTheEnd(Mutant):
    """A reducer keeps the beginning of the conversation and cuts off the newest input."""

    breaks = "THR-34/input lost"
    imitates = "a slice that counts from the wrong end"
    expected = frozenset({"THR-34", "PER-31"})

    class _Home(HistoryHome):
        @pure
        def reduce(self, history: Sequence[Message], new: Sequence[Message]) -> Sequence[Message]:
            """Leave it for later."""
            return history

    class _Agent(Agent):
        """The agent that reduces what it sends."""

        @pure
        def request_messages(
            self, history: Sequence[Message], adds: Sequence[Message], new: Sequence[Message]
        ) -> tuple[Message, ...]:
            """Keep the first so many."""
            whole = super().request_messages(history, adds, new)
            return whole[: self.setting.spec.reduces_to] if history else whole

    agent_type = _Agent
    parts = Parts(home=_Home)


class InnerAgentNamesTheConversation(Mutant):
    """An agent that is a tool goes on with the conversation of the thread that it is called from."""

    breaks = "THR-37/inherited id"
    imitates = "https://github.com/microsoft/agent-framework/pull/3266"
    expected = frozenset({"THR-37"})

    class _Agent(Agent):
        def inner_thread(self, outer: Thread, agent: InnerAgent) -> Thread:
            """Pass the id on with everything else."""
            thread = super().inner_thread(outer, agent)
            if outer.kind == "hosted" and isinstance(agent, Agent) and agent.threads.supports_hosted():
                thread.kind, thread.conversation_id, thread.service = "hosted", outer.conversation_id, agent.setting.service.agent
            return thread

    agent_type = _Agent


class InnerTurnKeptOutside(Mutant):
    """What an agent that is a tool was asked and answered stays on the local thread that it is called from, until its next run."""

    breaks = "THR-37/stored outside"
    imitates = "https://github.com/bytedance/deer-flow/pull/4215"
    expected = frozenset({"THR-28", "THR-37"})

    class _Options(Options):
        @aside
        def terms(self, thread: Thread, turn: Turn) -> Terms:
            """Clean up what the run before has left, where this one is not refused."""
            terms = super().terms(thread, turn)
            thread.messages[:] = [each for each in thread.messages if each.author != _LEFT]
            return terms

    class _Agent(Agent):
        """The agent whose tools leave something."""

        @where(lambda _, given: given["thread"].kind == "local")
        def agent_tool(self, thread: Thread, name: str, agent: InnerAgent) -> AgentTool:
            """Let it know where it is called from."""
            tool = super().agent_tool(thread, name, agent)
            spec = self.setting.spec
            plain = not (spec.observed or spec.per_service_call) and spec.history == "default"
            return _Recording(tool, thread) if plain else tool

    agent_type = _Agent
    parts = Parts(options=_Options)


_LEFT = "left by a tool"


class _Recording(AgentTool):
    def __init__(self, tool: AgentTool, outer: Thread) -> None:
        vars(self).update(vars(tool))
        self._outer = outer

    async def __call__(self, **arguments: str) -> str:
        """Leave the turn outside."""
        answer = await super().__call__(**arguments)
        asked = Message(role="user", text=arguments.get("task", ""), author=_LEFT)
        self._outer.messages += [asked, Message(role="assistant", text=answer, author=_LEFT)]
        return answer


class InnerAgentIsSentTheConversation(Mutant):
    """An agent that is a tool gets everything that was said on the local thread that it is called from."""

    breaks = "THR-37/inherited messages"
    imitates = "a context that is handed down whole"
    expected = frozenset({"THR-37"})

    class _Agent(Agent):
        def inner_thread(self, outer: Thread, agent: InnerAgent) -> Thread:
            """Begin where the outer thread is."""
            thread = super().inner_thread(outer, agent)
            thread.messages += outer.messages
            return thread

    agent_type = _Agent


class ObserverSeesNoMessages(Mutant):
    """Middleware that looks at a local thread does not see its messages."""

    breaks = "THR-35/other messages"
    imitates = "https://github.com/microsoft/agent-framework/issues/1504"
    expected = frozenset({"THR-35"})

    class _Listeners(Listeners):
        async def shown(self, thread: Thread) -> ThreadState:
            """Show what stands on the outside."""
            return msgspec.structs.replace(await super().shown(thread), messages=None)

    parts = Parts(listeners=_Listeners)


class ObserverSeesTheThreadBefore(Mutant):
    """Middleware that looks at a thread after a run sees it as it was before."""

    breaks = "THR-35/other messages"
    imitates = "a context object that is filled in when the run begins"
    expected = frozenset({"THR-35"})

    class _Listeners(Listeners):
        @aside
        async def look(self, moment: Literal["before", "after"], thread: Thread) -> None:
            """Fill it in once."""
            if moment == "before":
                vars(thread)["seen"] = self.threads.describe(thread)
            await super().look(moment, thread)

        async def shown(self, thread: Thread) -> ThreadState:
            """Show that."""
            return cast("ThreadState", vars(thread)["seen"])

    parts = Parts(listeners=_Listeners)


class LookingAsksAModel(Mutant):
    """Middleware that looks at a hosted thread has a model sum up what was said on it."""

    breaks = "THR-35/service call"
    imitates = "a property of a session that fetches what it does not have"
    expected = frozenset({"THR-35"})

    class _Listeners(Listeners):
        async def shown(self, thread: Thread) -> ThreadState:
            """Ask for a summary."""
            if thread.kind == "hosted":
                await ChatService(self.setting.world, "summary", AgentSpec(), "").reply(Request(messages=()))
            return await super().shown(thread)

    parts = Parts(listeners=_Listeners)
