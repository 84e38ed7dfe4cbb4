"""What is to be done: agents, workflows, the script of every fake, and the steps to perform.

A scenario is data. The script stands at the step that consumes it, so that removing a step leaves the others meaningful; every
field has a default and the JSON form leaves defaults out, so that a counterexample prints in a few lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from conformance.spec import (
    AgentSpec,
    CallSpec,
    ContextSpec,
    ExecutorSpec,
    ManagerSpec,
    OnConflict,
    ReplySpec,
    ServiceSpec,
    ToolSpec,
    WorkflowSpec,
)
from conformance.vocabulary import Data, ThreadKind


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

    abandons: after so many chunks the consumer leaves the stream. load_fails, append_fails: which load or append of this run,
    from 0, the agent's history store fails at. supplies: the input begins with the results that the thread's history lacks, because
    an earlier run was terminated. per_service_call: for this run the agent was rebuilt with this setting. background: the caller
    lets the service work in the background.
    """

    thread: str
    say: tuple[str, ...]
    agent: str | None = None
    stream: bool = False
    store: bool | None = None
    conversation_id: Literal["own", "other"] | None = None
    replies: tuple[ReplySpec, ...] = ()
    inner: dict[str, tuple[ReplySpec, ...]] = {}
    abandons: int | None = None
    load_fails: int | None = None
    append_fails: int | None = None
    supplies: bool = False
    per_service_call: bool | None = None
    background: bool = False


class RunWorkflow(Data, frozen=True, kw_only=True, tag_field="do", tag="run_workflow"):
    """Run a workflow once, directly or wrapped as an agent.

    thread: a thread of that agent, made for the first run that names it. replies: for each agent, consumed by its service calls in
    this run. finish: the order in which participants that run side by side finish their part. abandons: after so many chunks and
    outputs the consumer leaves the stream.
    """

    workflow: str
    say: tuple[str, ...]
    as_agent: bool = False
    thread: str | None = None
    stream: bool = False
    replies: dict[str, tuple[ReplySpec, ...]] = {}
    finish: tuple[str, ...] = ()
    manager: ManagerSpec = ManagerSpec()
    abandons: int | None = None


class Together(Data, frozen=True, kw_only=True, tag_field="do", tag="together"):
    """Several runs in flight at once, each on a thread or of a workflow of its own.

    order: names, by position, whose service call is answered next; participants of these workflows finish in no other order.
    """

    runs: tuple[Run | RunWorkflow, ...]
    order: tuple[int, ...] = ()


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
                yield from (run for run in step.runs if isinstance(run, Run))

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


__all__ = [
    "AgentSpec",
    "CallSpec",
    "ContextSpec",
    "CreateThread",
    "Damage",
    "ExecutorSpec",
    "ManagerSpec",
    "OnConflict",
    "ReplySpec",
    "Respond",
    "Restore",
    "Run",
    "RunWorkflow",
    "Scenario",
    "Serialize",
    "ServiceSpec",
    "Step",
    "Tamper",
    "Together",
    "ToolSpec",
    "WorkflowSpec",
]
