"""An agent as another agent's tool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from conformance.reference.thread import Thread
from conformance.scenario.specs import ToolSpec
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message
from conformance.vocabulary import ThreadKind
from conformance.world.errors import ToolError


class InnerAgent(Protocol):
    """An agent that another one has as a tool, as far as that one needs to know it."""

    name: str

    async def run(self, thread: Thread, turn: Turn, emit: Callable[[str], Awaitable[None]], *, stream: bool) -> Response:
        """Run once."""
        ...

    def create_thread(self, key: str, kind: ThreadKind) -> Thread:
        """A new thread."""
        ...


class AgentTool:
    """Runs an agent on the task that it is called with; what the agent answers is its value.

    thread: makes the thread of each call.
    """

    def __init__(self, spec: ToolSpec, agent: InnerAgent, thread: Callable[[], Thread]) -> None:
        self.spec = spec
        self._agent = agent
        self._thread = thread

    async def __call__(self, **arguments: str) -> str:
        """Run the agent. Raises ToolError where it fails or waits: of that a tool's caller can only be told."""
        task = Message(role="user", text=arguments.get("task", ""))
        thread = self._thread()
        try:
            response = await self._agent.run(thread, Turn(messages=(task,)), _silently, stream=False)
        except Exception as error:
            raise ToolError(f"agent {self._agent.name!r} failed: {error}") from error
        if thread.waiting:
            raise ToolError(f"agent {self._agent.name!r} waits for an approval, which nobody can give to a tool")
        return next((message.text for message in reversed(response.messages) if message.role == "assistant"), "")


async def _silently(text: str) -> None:
    """A tool has no stream."""
