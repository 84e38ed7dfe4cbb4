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
    """A tool: returns a text, or raises one; may end the loop after its call, or wait for approval before it.

    agent: the tool is this agent, as the framework makes a tool of one; its argument is `task`, its value what the agent answers.
    """

    returns: str = "done"
    raises: str | None = None
    agent: str | None = None
    terminates: bool = False
    approval: bool = False


class ContextSpec(Data, frozen=True, kw_only=True):
    """A context provider: adds these messages before every run; its state counts the runs that it saw.

    id: where it is not the name under which the agent has it; two of one id are a mistake that has to be refused.
    """

    adds: tuple[str, ...] = ()
    id: str | None = None


class OnConflict(Data, frozen=True, kw_only=True):
    """The three switches for a conversation id that arrives although a history provider is configured."""

    throw: bool = True
    warn: bool = True
    clear: bool = True


class AgentSpec(Data, frozen=True, kw_only=True):
    """How one agent is built.

    history: `default` (what the framework does by itself) or `provider` (the harness's history store, explicitly configured).
    client_as_is: the caller built the client stack. decorated: that stack holds the per-service-call decorator.
    observed: something looks at the thread before and after every run. reduces_to: how many messages, the new input among them, the
    first request of a run on a local thread may carry.
    """

    service: ServiceSpec = ServiceSpec()
    tools: dict[str, ToolSpec] = {}
    history: Literal["default", "provider"] = "default"
    client_as_is: bool = False
    per_service_call: bool = False
    decorated: bool = False
    on_conflict: OnConflict = OnConflict()
    context: dict[str, ContextSpec] = {}
    observed: bool = False
    reduces_to: int | None = None


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

    without_id: the reply carries no conversation id although the service keeps the conversation. cancelled: it never comes, because
    the caller cancels the run while it waits for it.
    """

    text: str | None = None
    calls: tuple[CallSpec, ...] = ()
    handoff: str | None = None
    error: str | None = None
    without_id: bool = False
    cancelled: bool = False


class ManagerSpec(Data, frozen=True, kw_only=True):
    """What the manager of a group chat or of Magentic does: picks participants in this order, then gives this answer."""

    picks: tuple[str, ...] = ()
    answer: str = "the manager's answer"


class CreateThread(Data, frozen=True, kw_only=True, tag_field="do", tag="create_thread"):
    """Create a thread of a kind on an agent.

    with_id: a hosted one that continues a conversation, still empty, which the service has already.
    """

    thread: str
    agent: str
    kind: ThreadKind = "local"
    with_id: bool = False


class Run(Data, frozen=True, kw_only=True, tag_field="do", tag="run"):
    """Run an agent once on a thread.

    agent: where it is not the one on which the thread was created. conversation_id: the option given to the run: `own` (the
    thread's id) or `other` (another conversation of the same service). replies: consumed by the agent's service calls in this run,
    in order; a service call beyond them gets a plain text. inner: the same for the agents that it has as tools.
    """

    thread: str
    say: tuple[str, ...]
    agent: str | None = None
    stream: bool = False
    store: bool | None = None
    conversation_id: Literal["own", "other"] | None = None
    replies: tuple[ReplySpec, ...] = ()
    inner: dict[str, tuple[ReplySpec, ...]] = {}


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


class Serialize(Data, frozen=True, kw_only=True, tag_field="do", tag="serialize"):
    """Turn a thread into data."""

    thread: str


class Damage(Data, frozen=True, kw_only=True):
    """What is wrong with data before a thread is restored from it.

    how: `drop` takes a field out, `cut` everything from a field on, `retype` gives a value another type, `unknown` replaces one of
    a few legal words, `extra` adds a field. at: where, counted over the places of that data that hold what the harness knows to be
    the thread's (kind, conversation id, what was said), beginning again after the last one.
    """

    how: Literal["drop", "cut", "retype", "unknown", "extra"] = "drop"
    at: int = 0


class Restore(Data, frozen=True, kw_only=True, tag_field="do", tag="restore"):
    """Make a new thread from the data of the latest serialization of a thread.

    data: the thread that was serialized. agent: on which it is restored, where not on its own. damage: the data is malformed;
    whatever comes of it, no other step can use the new thread.
    """

    thread: str
    data: str
    agent: str | None = None
    damage: Damage | None = None


class Tamper(Data, frozen=True, kw_only=True, tag_field="do", tag="tamper"):
    """As a careless caller could: change every message that was handed over to, or came back from, runs on a thread."""

    thread: str


Step = CreateThread | Run | Together | RunWorkflow | Respond | Serialize | Restore | Tamper


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
        """The kind with which a thread was created, or the one that it was restored from."""
        return self.creation_of(thread).kind

    def agent_name(self, thread: str) -> str:
        """The agent on which a thread was created or restored."""
        begun = self.beginning_of(thread)
        return begun.agent if isinstance(begun, CreateThread) else begun.agent or self.agent_name(begun.data)

    def creation_of(self, thread: str) -> CreateThread:
        """The step that created a thread, or the one that it was restored from."""
        begun = self.beginning_of(thread)
        return begun if isinstance(begun, CreateThread) else self.creation_of(begun.data)

    def beginning_of(self, thread: str) -> CreateThread | Restore:
        """The step that made a thread. Raises KeyError for a thread that no step makes."""
        for step in self.steps:
            if isinstance(step, (CreateThread, Restore)) and step.thread == thread:
                return step
        raise KeyError(thread)
