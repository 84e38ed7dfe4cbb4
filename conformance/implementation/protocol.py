"""The protocol that an adapter implements: one small class that translates, one to one, between neutral words and a framework.

The harness walks the steps of a scenario and calls these methods; an adapter never looks at a scenario, never joins, drops,
reorders, repairs or invents a message or an event, and lets native exceptions pass (`error_kind` names them afterwards). A step
that the framework has no way to express is answered with `raise NotSupported("why")`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from conformance.scenario.specs import AgentSpec, WorkflowSpec
from conformance.trace.exchange import Answer, ChunkSeen, Response, ThreadState, Turn, WorkflowSeen
from conformance.vocabulary import Capability, Data, ErrorKind, Policies, ThreadKind
from conformance.world.errors import ProviderError, ServiceError, ToolError
from conformance.world.world import World

A = TypeVar("A")
"""An agent of the framework, also a workflow that is wrapped as one."""

T = TypeVar("T")
"""A thread of the framework."""

W = TypeVar("W")
"""A workflow of the framework."""


class NotSupported(Exception):
    """The framework has no way to express this step: neither a violation nor an exercise. The message says why."""


class Choice(Data, frozen=True, kw_only=True):
    """Where an adapter does not leave something to its framework: what it chose, why, and what the framework does by default."""

    of: str
    chosen: str
    why: str
    default: str


class Implementation(ABC, Generic[A, T, W]):
    """An implementation under test, with its own types of agents, threads and workflows. Each scenario gets a new instance.

    name: short, unique, as it stands in reports. version: of the framework under test. errors: the neutral kind of each native
    exception type; the most specific one counts. handoff_tool: how the framework names the tool by which an agent hands off.
    """

    name: ClassVar[str]
    version: str = ""
    capabilities: frozenset[Capability] = frozenset()
    policies: Policies = Policies()
    errors: ClassVar[Mapping[type[BaseException], ErrorKind]] = {}
    handoff_tool: ClassVar[str] = "handoff_to_{agent}"
    choices: ClassVar[Sequence[Choice]] = ()

    async def open(self, world: World) -> None:
        """Called once, before anything else. The fakes that the framework is to talk to are on `world`."""
        self.world = world

    async def close(self) -> None:
        """Called once, at the end, whatever happened."""

    @abstractmethod
    async def create_agent(self, name: str, spec: AgentSpec, inner: Mapping[str, A]) -> A:
        """Build the framework's agent, talking to `world.service(name)`, with the tools and providers that `spec` names.

        inner: the native agents that are its tools, under the names of the tools; empty without the capability `agents.as_tool`.
        It may be called again with the same name and another `per_service_call`: the caller rebuilt the agent, and history that it
        keeps goes on.
        """

    async def supports_hosted(self, agent: A) -> bool:
        """Whether the agent's chat client says of itself that it supports hosted threads (capability `clients.hosted_flag`)."""
        raise NotSupported(f"the chat clients of {self.name} do not say whether they support hosted threads")

    @abstractmethod
    async def create_thread(self, agent: A, kind: ThreadKind) -> T:
        """Create a thread of this kind."""

    async def continue_conversation(self, agent: A, conversation_id: str) -> T:
        """A hosted thread for a conversation that the service has already (capability `threads.with_id`)."""
        raise NotSupported(f"{self.name} cannot continue a conversation by its id")

    @abstractmethod
    async def describe_thread(self, agent: A, thread: T) -> ThreadState:
        """What the framework says of a thread, now."""

    async def serialize_thread(self, agent: A, thread: T) -> Any:
        """A thread as plain JSON data, the way the framework itself makes it (capability `threads.serialize`)."""
        raise NotSupported(f"{self.name} does not serialize threads")

    async def restore_thread(self, agent: A, data: Any) -> T:
        """The thread that such data describes; for malformed data the framework's own error."""
        raise NotSupported(f"{self.name} does not restore threads")

    async def tamper(self, agent: A, thread: T, text: str) -> None:
        """Set the text of every native message that the caller owns to this one (capability `runs.tamper`).

        The caller owns what the adapter handed over for the runs on this thread and what it got back: responses, their messages.
        """
        raise NotSupported(f"messages of {self.name} cannot be changed")

    @abstractmethod
    async def run(self, agent: A, thread: T | None, turn: Turn) -> Response:
        """Run an agent, not streaming. `thread` is None for a run without one."""

    def stream(self, agent: A, thread: T | None, turn: Turn) -> AsyncIterator[ChunkSeen | Response]:
        """Run an agent, streaming: every native update as a chunk, then, last, the response as the framework joins it.

        A consumer that leaves early closes this generator (`aclose`): close the native stream then, as the framework documents it.
        """
        raise NotSupported(f"{self.name} does not stream")

    async def answer(self, agent: A, thread: T | None, answers: Sequence[Answer]) -> Response:
        """Resume a run that waits for approvals, not streaming."""
        raise NotSupported(f"{self.name} does not resume runs")

    def stream_answer(self, agent: A, thread: T | None, answers: Sequence[Answer]) -> AsyncIterator[ChunkSeen | Response]:
        """Resume a run that waits for approvals, streaming."""
        raise NotSupported(f"{self.name} does not resume runs in a stream")

    async def create_workflow(self, name: str, spec: WorkflowSpec, participants: Mapping[str, A | W]) -> W:
        """Build a workflow from native participants (agents, or workflows where it nests), in the order of the spec."""
        raise NotSupported(f"{self.name} has no workflows")

    def run_workflow(self, workflow: W, turn: Turn, *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Run a workflow until it is idle: its native events, one to one and in order."""
        raise NotSupported(f"{self.name} has no workflows")

    def answer_workflow(self, workflow: W, answers: Sequence[Answer], *, stream: bool) -> AsyncIterator[WorkflowSeen]:
        """Answer pending requests of a workflow and follow it until it is idle again."""
        raise NotSupported(f"{self.name} does not answer requests of workflows")

    async def workflow_as_agent(self, name: str, workflow: W) -> A:
        """Wrap a workflow as an agent that `run`, `stream` and `answer` accept."""
        raise NotSupported(f"{self.name} does not wrap workflows as agents")

    def error_kind(self, error: BaseException) -> ErrorKind:
        """The neutral kind of a native exception: what it is, else what it was raised from."""
        seen: BaseException | None = error
        while seen is not None:
            for kind in type(seen).__mro__:
                if kind in self.errors:
                    return self.errors[kind]
                if kind in _OWN_ERRORS:
                    return _OWN_ERRORS[kind]
            seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
        return "other"


_OWN_ERRORS: Mapping[type, ErrorKind] = {ServiceError: "service", ToolError: "tool", ProviderError: "provider"}

AnyImplementation = Implementation[Any, Any, Any]
"""An implementation whose own types do not matter."""
