"""What is to be done: agents, workflows, the script of every fake, and the steps to perform.

A scenario is data. The script stands at the step that consumes it, so that removing a step leaves the others meaningful; every
field has a default and the JSON form leaves defaults out, so that a counterexample prints in a few lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from conformance.scenario.specs import (
    AgentSpec,
    ManagerSpec,
    ReplySpec,
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
    lets the service work in the background. forgotten: when the run begins, the agent's service no longer has any conversation.
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
    forgotten: bool = False


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
    """What is to be done: who takes part, and the steps to perform in order.

    shows: of a fixture, the rules that it was written to show, first the one in whose section it stands.
    """

    title: str = ""
    shows: tuple[str, ...] = ()
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


def workflows_in(scenario: Scenario, name: str) -> list[str]:
    """A workflow and all that are nested in it, each once, parents first. Names that do not exist are left out."""
    found: dict[str, None] = {}
    ahead = [name]
    while ahead:
        here = ahead.pop(0)
        if here in scenario.workflows and here not in found:
            found[here] = None
            ahead.extend(scenario.workflows[here].participants)
    return list(found)


def agents_in(scenario: Scenario, workflow: str) -> list[str]:
    """The agents that take part in a workflow or in one that is nested in it, each once, in order."""
    members = (member for name in workflows_in(scenario, workflow) for member in scenario.workflows[name].participants)
    return [name for name in dict.fromkeys(members) if name in scenario.agents]


def agents_beneath(scenario: Scenario, name: str) -> list[str]:
    """The agents that an agent has as tools, and that these have in turn, each once; itself only where that is circular."""
    found: dict[str, None] = {}
    ahead = [name]
    while ahead:
        tools = scenario.agents[here].tools if (here := ahead.pop(0)) in scenario.agents else {}
        new = [tool.agent for tool in tools.values() if tool.agent in scenario.agents and tool.agent not in found]
        found.update(dict.fromkeys(new))
        ahead.extend(new)
    return list(found)


def workflows_used(scenario: Scenario) -> list[str]:
    """Every workflow that some step runs, with those that are nested in them."""
    run = dict.fromkeys(run.workflow for step in scenario.steps for run in workflow_runs_of(step))
    return list(dict.fromkeys(inner for name in run for inner in workflows_in(scenario, name)))


def agents_used(scenario: Scenario) -> list[str]:
    """Every agent that some step has to do with: by name, through a thread or a workflow, or as a tool of such an agent."""
    named = [agent for step in scenario.steps for agent in _named_in(scenario, step) if agent in scenario.agents]
    return list(dict.fromkeys(used for name in named for used in (name, *agents_beneath(scenario, name))))


def agent_of_threads(scenario: Scenario) -> dict[str, str]:
    """The agent on which each thread that later steps can use was created or restored."""
    found: dict[str, str] = {}
    for step in scenario.steps:
        if isinstance(step, CreateThread):
            found[step.thread] = step.agent
        elif isinstance(step, Restore) and step.damage is None:
            found[step.thread] = step.agent or found.get(step.data, "")
    return found


def runs_of(step: Step) -> tuple[Run, ...]:
    """The runs on threads that a step holds: none, itself, or several together."""
    if isinstance(step, Together):
        return tuple(run for run in step.runs if isinstance(run, Run))
    return (step,) if isinstance(step, Run) else ()


def workflow_runs_of(step: Step) -> tuple[RunWorkflow, ...]:
    """The runs of workflows that a step holds."""
    if isinstance(step, Together):
        return tuple(run for run in step.runs if isinstance(run, RunWorkflow))
    return (step,) if isinstance(step, RunWorkflow) else ()


def requests_in(scenario: Scenario, step: Step) -> int:
    """How many answers the script of a step asks for: approvals, but of no agent that is a tool, and what executors ask."""
    threads = agent_of_threads(scenario)
    asked = sum(_asks(scenario.agents.get(run.agent or threads.get(run.thread, "")), run.replies) for run in runs_of(step))
    for run in workflow_runs_of(step):
        asked += sum(_asks(scenario.agents.get(agent), replies) for agent, replies in run.replies.items())
        asked += sum(_asking_executors(scenario.workflows[name]) for name in workflows_in(scenario, run.workflow))
    return asked


def _asking_executors(workflow: WorkflowSpec) -> int:
    return sum(workflow.executors[name].asks for stage in workflow.stages for name in stage if name in workflow.executors)


def _named_in(scenario: Scenario, step: Step) -> list[str]:
    on = step.agent if isinstance(step, (CreateThread, Restore)) else None
    named = [name for name in (on, *(run.agent for run in runs_of(step))) if name is not None]
    return [*named, *(agent for run in workflow_runs_of(step) for agent in agents_in(scenario, run.workflow))]


def _asks(agent: AgentSpec | None, replies: Iterable[ReplySpec]) -> int:
    tools = agent.tools if agent else {}
    return sum(1 for reply in replies for call in reply.calls if call.tool in tools and tools[call.tool].approval)
