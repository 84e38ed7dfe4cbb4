"""The cells of the configuration matrix: in which one a run, an agent or a thread is, and what is special about it there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.rules import model
from conformance.rules.condition import Condition, condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.pairs import PairedThread, ThreadPair
from conformance.rules.persistence.history import rebuilt
from conformance.rules.preconditions import RequestView, contradicting, cut_short, overtaken
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import CreateThread, Restore
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import AgentCreated
from conformance.trace.harness_events import HistoryFailed, ServiceCalled, ServiceFailed, ToolRaised, Warned

_ABOUT_PERSISTING = re.compile(r"per.?service.?call|persist|decorator", re.I)
"""How a warning sounds that is about when history is persisted."""


def warnings_about_persisting(events: list[tuple[int, Warned]]) -> list[int]:
    """Where a warning is about when history is persisted."""
    return [at for at, event in events if _ABOUT_PERSISTING.search(event.text)]


def warned_of(execution: ExecutionView, at: int, among: Sequence[str]) -> str | None:
    """The agent among some that a warning is about: the one that it names in quotes, else the one that was built just then.

    Else the one that its step is about: whose run it is in, or on which a thread is made.
    """
    event = execution.trace.events[at]
    assert isinstance(event, Warned)
    candidates = _named(execution, event)[:1] or [*_built_just_then(execution, at), *_whose_step(execution, event)]
    return next((name for name in candidates if name in among), None)


def _named(execution: ExecutionView, event: Warned) -> list[str]:
    """The agents that a warning names in quotes."""
    return [name for name in execution.scenario.agents if re.search(rf"""['"`]{re.escape(name)}['"`]""", event.text)]


def _built_just_then(execution: ExecutionView, at: int) -> list[str]:
    """The agents that were built in the step of an event: the next one after it first, then those before it, the latest first."""
    step = execution.trace.events[at].step
    built = [(where, made.agent) for where, made in execution.of(AgentCreated) if made.step == step]
    after, before = ([name for where, name in built if (where > at) == later] for later in (True, False))
    return [*after, *reversed(before)]


def _whose_step(execution: ExecutionView, event: Warned) -> list[str]:
    """The agents that the step of a warning is about."""
    if event.run is not None:
        return [run.agent_name for run, _, _ in execution.agent_runs() if run.number == event.run]
    step = execution.scenario.steps[event.step]
    return [step.agent] if isinstance(step, (CreateThread, Restore)) and step.agent is not None else []


# --- runs ---


@condition
def as_is_alone(_: ExecutionView, run: RunView) -> bool:
    """The agent has `client_as_is` and not `per_service_call`."""
    return run.agent.client_as_is and not run.agent.per_service_call


@condition
def decorated(_: ExecutionView, run: RunView) -> bool:
    """The caller's own client stack holds the decorator of per-service-call persistence."""
    return run.agent.client_as_is and run.agent.decorated


@condition
def without_settings(_: ExecutionView, run: RunView) -> bool:
    """The agent has neither `client_as_is` nor `per_service_call`."""
    return not (run.agent.client_as_is or run.agent.per_service_call)


# --- replies ---


def last_where(ending: Condition[RunView]) -> Condition[RequestView]:
    """The condition that a reply is the last one of a run that meets another one."""

    def test(execution: ExecutionView, request: RequestView) -> bool:
        last = [view.at for view in request.run.calls if view.reply is not None][-1:]
        return request.call.at in last and ending(execution, request.run)

    return Condition(f"last where {ending.name}", f"the reply is the last one of its run, of which is so: {ending.text}", test)


@condition
def cancelled_in_a_call(_: ExecutionView, run: RunView) -> bool:
    """The run's caller cancelled it while it waited for a reply."""
    return run.ending == "cancelled" and any(view.reply is None for view in run.calls[-1:])


@condition
def got_a_reply(_: ExecutionView, run: RunView) -> bool:
    """The service answered the run, once or more."""
    return any(view.reply is not None for view in run.calls)


# --- agents ---


@dataclass(frozen=True)
class BuiltAgent:
    """An agent on which threads are, with its runs. called: where requests reached its service."""

    name: str
    spec: AgentSpec
    runs: tuple[RunView, ...]
    called: tuple[int, ...]

    @property
    def lacks_the_decorator(self) -> bool:
        """Whether persistence per service call is the caller's business, and nothing in the caller's stack does it."""
        return model.persistence_of(self.spec) == "not"


@selection
def built_agent(execution: ExecutionView) -> Iterator[BuiltAgent]:
    """An agent on which threads are, in the order in which agents are first needed."""
    made = [step.agent for step in execution.scenario.steps if isinstance(step, (CreateThread, Restore))]
    for name in dict.fromkeys(name for name in made if name is not None):
        runs = tuple(run for run, _, _ in execution.agent_runs() if run.agent_name == name)
        called = tuple(at for at, event in execution.of(ServiceCalled) if event.agent == name)
        yield BuiltAgent(name, execution.scenario.agents[name], runs, called)


@condition
def lacks_the_decorator(_: ExecutionView, agent: BuiltAgent) -> bool:
    """The agent has both settings, and the caller's own client stack lacks the decorator."""
    return agent.lacks_the_decorator


@condition
def has_the_decorator(_: ExecutionView, agent: BuiltAgent) -> bool:
    """The agent has both settings, and the caller's own client stack holds the decorator."""
    return agent.spec.client_as_is and agent.spec.per_service_call and agent.spec.decorated


@condition
def was_called(_: ExecutionView, agent: BuiltAgent) -> bool:
    """A request reached the agent's service."""
    return bool(agent.called)


@condition
def called_or_failed(execution: ExecutionView, agent: BuiltAgent) -> bool:
    """A request reached the agent's service, or a run of the agent raised without a reason."""
    return bool(agent.called or failures_without_reason(execution, agent))


@condition
def beside_an_undecorated_agent(execution: ExecutionView, _: BuiltAgent) -> bool:
    """An agent of the scenario lacks the decorator, of which is warned (PER-04)."""
    return any(agent.lacks_the_decorator for agent in built_agent(execution))


@condition
def beside_a_rebuilt_agent(execution: ExecutionView, _: BuiltAgent) -> bool:
    """For a run of the scenario an agent was rebuilt, with `per_service_call` set or unset (PER-43)."""
    return any(rebuilt(execution, run) for run in execution.runs)


@condition
def beside_a_run_in_the_background(execution: ExecutionView, _: BuiltAgent) -> bool:
    """A run of the scenario may be worked on in the background, of which is warned in the same words (PER-40)."""
    return any(run.in_background for run in execution.runs)


@condition
def beside_a_surprising_service(execution: ExecutionView, _: BuiltAgent) -> bool:
    """A service of the scenario keeps what nobody asked it to keep, of which is warned in the same words (PER-33)."""
    return any(agent.service.surprising for agent in execution.scenario.agents.values())


def failures_without_reason(execution: ExecutionView, agent: BuiltAgent) -> list[int]:
    """Where runs of an agent raised although nothing was wrong; a conflict is none where a service of the scenario surprises."""
    surprising = beside_a_surprising_service(execution, agent)
    raised = [run.raised for run in agent.runs if run.raised is not None and not _has_a_reason_to_raise(execution, run)]
    return [at for at, error in raised if not (surprising and error.kind == "conflict")]


def _has_a_reason_to_raise(execution: ExecutionView, run: RunView) -> bool:
    return any(reason(execution, run) for reason in _REASONS_TO_RAISE)


@condition
def met_a_failure(_: ExecutionView, run: RunView) -> bool:
    """The service, a tool or the history failed in the run."""
    return bool(run.of(ServiceFailed) or run.of(ToolRaised) or run.of(HistoryFailed))


@condition
def named_otherwise(execution: ExecutionView, run: RunView) -> bool:
    """A reply lacked the conversation id of a hosted thread, or brought one to a thread that is not hosted."""
    named = [view.reply is not None and view.reply.conversation_id is not None for view in run.calls]
    return not all(named) if model.kind_before(execution, run) == "hosted" else any(named)


_REASONS_TO_RAISE = (contradicting, met_a_failure, overtaken, cut_short, named_otherwise)


# --- pairs ---


def cell_of(member: PairedThread) -> str | None:
    """The cell of the matrix, where the thread is local and an explicit history provider keeps it."""
    agent = member.agent
    if member.kind != "local" or agent.history != "provider" or agent.service.surprising:
        return None
    if agent.per_service_call:
        return "M2" if not agent.client_as_is else "M4" if agent.decorated else "M4 bare"
    return "M3" if agent.client_as_is else "M1"


@condition
def in_two_cells(_: ExecutionView, both: ThreadPair) -> bool:
    """Both threads are local with an explicit history provider, on services without surprises, and their settings differ."""
    first, second = cell_of(both.first), cell_of(both.second)
    return None not in (first, second) and first != second


@condition
def plain_and_as_is(_: ExecutionView, both: ThreadPair) -> bool:
    """The first thread's agent has neither setting, the second one's has `client_as_is` alone."""
    return (cell_of(both.first), cell_of(both.second)) == ("M1", "M3")


@condition
def with_equal_services(_: ExecutionView, both: ThreadPair) -> bool:
    """Both agents have equal services."""
    return both.first.agent.service == both.second.agent.service
