"""What is to be done: agents, workflows, the script of every fake, and the steps to perform.

A scenario is data. The script stands at the step that consumes it, so that removing a step leaves the others meaningful; every
field has a default and the JSON form leaves defaults out, so that a counterexample prints in a few lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from conformance.vocabulary import Data, Pattern, ThreadKind


class ServiceSpec(Data, frozen=True, kw_only=True):
    """The chat service behind an agent.

    keeps: `nothing` (stateless), or conversations, under `one_id` for a whole conversation or `new_ids` with every reply.
    stores_by_default: what a request that leaves `store` unset means.
    surprising: keeps the conversation and returns its id even where the request says `store` false or nothing.
    strict: refuses a function call that is left unanswered and a result without a call, as real services do.
    """

    keeps: Literal["nothing", "one_id", "new_ids"] = "nothing"
    stores_by_default: bool = False
    surprising: bool = False
    strict: bool = False


class ToolSpec(Data, frozen=True, kw_only=True):
    """A tool: returns a text, or raises one; may end the loop after its call, or wait for approval before it."""

    returns: str = "done"
    raises: str | None = None
    terminates: bool = False
    approval: bool = False


class ContextSpec(Data, frozen=True, kw_only=True):
    """A context provider: adds these messages before every run; its state counts the runs that it saw."""

    adds: tuple[str, ...] = ()


class OnConflict(Data, frozen=True, kw_only=True):
    """The three switches for a conversation id that arrives although a history provider is configured."""

    throw: bool = True
    warn: bool = True
    clear: bool = True


class AgentSpec(Data, frozen=True, kw_only=True):
    """How one agent is built.

    history: `default` (what the framework does by itself) or `provider` (the harness's history store, explicitly configured).
    client_as_is: the caller built the client stack. decorated: that stack holds the per-service-call decorator.
    """

    service: ServiceSpec = ServiceSpec()
    tools: dict[str, ToolSpec] = {}
    history: Literal["default", "provider"] = "default"
    client_as_is: bool = False
    per_service_call: bool = False
    decorated: bool = False
    on_conflict: OnConflict = OnConflict()
    context: dict[str, ContextSpec] = {}


class ExecutorSpec(Data, frozen=True, kw_only=True):
    """An executor of a custom workflow: its intermediate outputs, then, where given, its run-completed output."""

    emits: tuple[str, ...] = ()
    completes: str | None = None


class WorkflowSpec(Data, frozen=True, kw_only=True):
    """How one workflow is built.

    participants: names of agents or of other workflows (not for `custom`). For handoff the first one starts, each may hand off to
    every other, and the run ends when a participant answers without handing off.
    stages: for `custom`, the supersteps one after another, each with the names of executors that run side by side.
    """

    pattern: Pattern
    participants: tuple[str, ...] = ()
    intermediate_outputs: bool = False
    stages: tuple[tuple[str, ...], ...] = ()
    executors: dict[str, ExecutorSpec] = {}


class CallSpec(Data, frozen=True, kw_only=True):
    """A function call in a scripted reply."""

    tool: str
    arguments: dict[str, str] = {}


class ReplySpec(Data, frozen=True, kw_only=True):
    """One scripted reply of the chat service: a text, function calls or both, a handoff, or an error.

    without_id: the reply carries no conversation id although the service keeps the conversation.
    """

    text: str | None = None
    calls: tuple[CallSpec, ...] = ()
    handoff: str | None = None
    error: str | None = None
    without_id: bool = False


class ManagerSpec(Data, frozen=True, kw_only=True):
    """What the manager of a group chat or of Magentic does: picks participants in this order, then gives this answer."""

    picks: tuple[str, ...] = ()
    answer: str = "the manager's answer"


class CreateThread(Data, frozen=True, kw_only=True, tag_field="do", tag="create_thread"):
    """Create a thread of a kind on an agent."""

    thread: str
    agent: str
    kind: ThreadKind = "local"


class Run(Data, frozen=True, kw_only=True, tag_field="do", tag="run"):
    """Run the thread's agent once.

    conversation_id: the option given to the run: `own` (the thread's id) or `other` (another conversation of the same service).
    replies: consumed by the service calls of this run, in order; a service call beyond them gets a plain text.
    """

    thread: str
    say: tuple[str, ...]
    stream: bool = False
    store: bool | None = None
    conversation_id: Literal["own", "other"] | None = None
    replies: tuple[ReplySpec, ...] = ()


class Together(Data, frozen=True, kw_only=True, tag_field="do", tag="together"):
    """Several runs in flight at once; `order` names, by position, whose service call is answered next."""

    runs: tuple[Run, ...]
    order: tuple[int, ...] = ()


class RunWorkflow(Data, frozen=True, kw_only=True, tag_field="do", tag="run_workflow"):
    """Run a workflow once, directly or wrapped as an agent.

    replies: for each agent, consumed by its service calls in this run. finish: the order in which participants that run side by
    side finish their part.
    """

    workflow: str
    say: tuple[str, ...]
    as_agent: bool = False
    stream: bool = False
    replies: dict[str, tuple[ReplySpec, ...]] = {}
    finish: tuple[str, ...] = ()
    manager: ManagerSpec = ManagerSpec()


class Respond(Data, frozen=True, kw_only=True, tag_field="do", tag="respond"):
    """Answer a pending request, named by its position among those that are pending; the run goes on with its own script."""

    request: int = 0
    approve: bool = True
    stream: bool = False


Step = CreateThread | Run | Together | RunWorkflow | Respond


class Scenario(Data, frozen=True, kw_only=True):
    """What is to be done: who takes part, and the steps to perform in order."""

    title: str = ""
    agents: dict[str, AgentSpec] = {}
    workflows: dict[str, WorkflowSpec] = {}
    steps: tuple[Step, ...] = ()

    def runs(self) -> Iterator[Run]:
        """Every run on a thread, also those inside a `together` step, in order."""
        for step in self.steps:
            if isinstance(step, Run):
                yield step
            elif isinstance(step, Together):
                yield from step.runs

    def kind_of(self, thread: str) -> ThreadKind:
        """The kind with which a thread was created."""
        return self.creation_of(thread).kind

    def agent_of(self, thread: str) -> AgentSpec:
        """The agent on which a thread was created."""
        return self.agents[self.creation_of(thread).agent]

    def creation_of(self, thread: str) -> CreateThread:
        """The step that created a thread. Raises KeyError for a thread that no step creates."""
        for step in self.steps:
            if isinstance(step, CreateThread) and step.thread == thread:
                return step
        raise KeyError(thread)
