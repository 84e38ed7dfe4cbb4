"""What runs of workflows ask of a person: calls that need approval, questions of executors, and how they were answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import staged
from conformance.rules.orchestration.structure import MANAGED, children
from conformance.rules.rule import Finding, finding
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import Respond
from conformance.trace.adapter_events import RequestPending
from conformance.trace.harness_events import ServiceReplied, ToolCalled
from conformance.trace.messages import Call

APPROVED = ("not executed", "executed without approval")
"""The aspects of `as_approved`."""


def approvals(run: RunView) -> list[tuple[int, str, Call]]:
    """The calls of a run that need approval: where in the trace each was made, by which agent, and the call."""
    agents = run.scenario.agents
    return [
        (at, reply.agent, call)
        for at, reply in run.of(ServiceReplied)
        for call in reply.message.calls
        if call.tool in agents[reply.agent].tools and agents[reply.agent].tools[call.tool].approval
    ]


def as_approved(execution: ExecutionView, run: RunView) -> Finding:
    """Whether those calls that need approval were executed in a run which were approved.

    A request says which call it is about, or who wants to call what: then, of several calls of one tool by one agent, nobody can
    tell which of them is meant.
    """
    asked = {call.id: at for at, _, call in approvals(run)}
    done = [(at, event) for at, event in run.of(ToolCalled) if event.id in asked]
    requests = _decided(execution, run)
    name = _names(run, [request for request, _ in requests])
    approved = Counter(name(request.executor, request.tool, request.call) for request, given in requests if given)
    executed = Counter(name(event.agent, event.tool, event.id) for _, event in done)
    places = [run.events[-1][0], *(at for at, _ in done)]
    return _as_counted(approved, executed, places[-1], list(asked.values()))


def _as_counted(approved: Counter[str], executed: Counter[str], at: int, asked: Sequence[int]) -> Finding:
    return finding(
        executed == approved,
        at,
        "executed without approval" if executed - approved else "not executed",
        expected=f"of {len(asked)} calls, done as approved: {_counted(approved)}",
        got=f"done: {_counted(executed)}",
        also=asked,
    )


def _decided(execution: ExecutionView, run: RunView) -> list[tuple[RequestPending, bool]]:
    """The requests of a run about tools that were answered, each with whether it was granted."""
    return [(request, step.approve) for _, request, step in answers(execution) if request.run == run.number and request.tool]


def _signed(run: RunView, requests: Sequence[RequestPending]) -> bool:
    """Whether requests say by which agents the calls were made: by no others than made some of the tool."""
    made = {(agent, call.tool) for _, agent, call in approvals(run)}
    return all((request.executor, request.tool) in made for request in requests)


def _names(run: RunView, requests: Sequence[RequestPending]) -> Callable[[str | None, str | None, str | None], str]:
    """The name of a call, out of its agent, tool and id: as exact as every request says it."""
    if all(request.call for request in requests):
        return lambda _, tool, call: f"{tool} {call}"
    return (lambda agent, tool, _: f"{tool} by {agent}") if _signed(run, requests) else lambda _, tool, __: str(tool)


def _counted(calls: Counter[str]) -> str:
    return ", ".join(f"{count} of {call}" for call, count in calls.items()) or "none"


def unasked(run: RunView, workflow: str) -> list[str]:
    """The executors of a workflow, and of those in it, that ask and whose question nobody got, in a run that came to its end.

    Left out are workflows that a manager or a handoff may pass by.
    """
    spec = run.scenario.workflows[workflow]
    if not run.succeeded or spec.pattern in ("handoff", *MANAGED):
        return []
    own = [name for name, executor in staged(spec).items() if executor.asks]
    got = [event.executor for _, event in run.of(RequestPending) if event.tool is None]
    missing = own[len(got) :]
    return [*missing, *(name for child in children(run.scenario, spec) for name in unasked(run, child))]


def answers(execution: ExecutionView) -> Iterator[tuple[int, RequestPending, Respond]]:
    """Every step that answered a request: its number, the request, and the step."""
    known: set[tuple[int | None, str | None]] = set()
    waiting: list[RequestPending] = []
    events = iter(event for _, event in execution.of(RequestPending))
    ahead = next(events, None)
    for number, step in enumerate(execution.scenario.steps):
        if isinstance(step, Respond) and step.request < len(waiting):
            yield number, waiting.pop(step.request), step
        while ahead is not None and ahead.step == number:
            if (ahead.run, ahead.id) not in known:
                waiting.append(ahead)
                known.add((ahead.run, ahead.id))
            ahead = next(events, None)
