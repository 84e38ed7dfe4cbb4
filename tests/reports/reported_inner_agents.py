"""Reports of agents that are tools of other agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec
from imitation import Imitation, nowhere

from conformance.reference.agent import Agent
from conformance.reference.agent_tool import AgentTool, InnerAgent
from conformance.reference.loop import Loop
from conformance.reference.parts import Parts
from conformance.reference.thread import Thread
from conformance.trace.exchange import Answer, Turn
from conformance.trace.messages import Call, Message, Result
from conformance.world.errors import ToolError


def with_tools(kind: type[AgentTool]) -> type[Agent]:
    """An agent whose agents that are tools are of this kind."""

    class _Agent(Agent):
        def agent_tool(self, thread: Thread, name: str, agent: InnerAgent) -> AgentTool:
            return kind(self.setting.spec.tools[name], agent, lambda: self.inner_thread(thread, agent))

    return _Agent


class AgentLoop(Loop):
    """A loop that is at fault where several agents are called as tools in one reply."""

    def changed(self, results: Sequence[Result]) -> Sequence[Result]:
        """What becomes of their results."""
        raise NotImplementedError

    async def call_tools(self, calls: Sequence[Call]) -> tuple[Message, bool]:
        message, terminated = await super().call_tools(calls)
        agents = {call.id for call in calls if call.tool in self._tools.named and self._tools.named[call.tool].spec.agent}
        if len(agents) < 2:
            return message, terminated
        changed = {result.id: result for result in self.changed([each for each in message.results if each.id in agents])}
        results = tuple(changed.get(each.id, each) for each in message.results)
        return msgspec.structs.replace(message, results=results), terminated


class FailureAbortsAgents(Imitation):
    """Where one of several agents that are called as tools in one reply fails, the answers of the others are thrown away."""

    reports = ("https://github.com/anomalyco/opencode/issues/37315",)

    class _Loop(AgentLoop):
        def changed(self, results: Sequence[Result]) -> Sequence[Result]:
            failed = any(each.error for each in results)
            return [Result(id=each.id, value="aborted", error=True) for each in results] if failed else results

    parts = Parts(loop=_Loop)


class SecondAgentIsIgnored(Imitation):
    """Of several agents that are called as tools in one reply the answer of the first is passed on, and errors for the others."""

    reports = ("https://github.com/nicobailon/pi-subagents/issues/277",)

    class _Loop(AgentLoop):
        def changed(self, results: Sequence[Result]) -> Sequence[Result]:
            return [results[0], *(Result(id=each.id, value="ended without a result", error=True) for each in results[1:])]

    parts = Parts(loop=_Loop)


class CountedOnly(Imitation):
    """Of several agents that are called as tools in one reply the model is told how many succeeded."""

    reports = ("https://github.com/nicobailon/pi-subagents/pull/16",)

    class _Loop(AgentLoop):
        def changed(self, results: Sequence[Result]) -> Sequence[Result]:
            count = f"{sum(not each.error for each in results)} of {len(results)} succeeded"
            return [Result(id=each.id, value=count) for each in results]

    parts = Parts(loop=_Loop)


class AgentIsNotFound(Imitation):
    """What an agent that is a tool came to is lost."""

    reports = ("https://github.com/tintinweb/pi-subagents/issues/108",)

    class _Tool(AgentTool):
        async def __call__(self, **arguments: str) -> str:
            await super().__call__(**arguments)
            raise ToolError("agent not found")

    agent_type = with_tools(_Tool)


class WaitsWithoutSayingSo(Imitation):
    """That an agent which is a tool waits for an approval, or fails, is an error that does not say why."""

    reports = ("https://github.com/sagents-ai/sagents/issues/7",)

    class _Tool(AgentTool):
        async def __call__(self, **arguments: str) -> str:
            try:
                return await super().__call__(**arguments)
            except ToolError:
                raise ToolError("unexpected response") from None

    agent_type = with_tools(_Tool)


class InnerToolsRunUnasked(Imitation):
    """Inside of an agent that is a tool, calls that need an approval run without."""

    reports = ("https://github.com/langchain-ai/deepagents/pull/2334",)

    class _Tool(AgentTool):
        async def __call__(self, **arguments: str) -> str:
            inner, thread = cast("Agent", self._agent), self._thread()
            task = Message(role="user", text=arguments.get("task", ""))
            try:
                response = await inner.run(thread, Turn(messages=(task,)), nowhere, stream=False)
                while response.pending:
                    answers = [Answer(id=each.id, approve=True) for each in response.pending]
                    response = await inner.resume(thread, answers, nowhere, stream=False)
            except Exception as error:
                raise ToolError(f"agent {inner.name!r} failed: {error}") from error
            return next((message.text for message in reversed(response.messages) if message.role == "assistant"), "")

    agent_type = with_tools(_Tool)


class WaitingCrashes(Imitation):
    """That an agent which is a tool waits for an approval ends the outer run."""

    reports = ("https://github.com/langchain-ai/deepagentsjs/issues/130",)

    class _Tool(AgentTool):
        async def __call__(self, **arguments: str) -> str:
            try:
                return await super().__call__(**arguments)
            except ToolError as error:
                if error.__cause__ is None:
                    raise TypeError("nothing can be read of what is not there") from None
                raise

    agent_type = with_tools(_Tool)
