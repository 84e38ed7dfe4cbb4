"""The failures of a run of a workflow: whether its script has it fail, and what its consumer has seen until then."""

from __future__ import annotations

from itertools import takewhile

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import completing, spells, staged
from conformance.rules.orchestration.limits import limited
from conformance.rules.orchestration.outputs import completed, final_events, texts
from conformance.rules.orchestration.structure import MANAGED, inside
from conformance.rules.orchestration.workflow_run import WorkflowRun, nests, waited
from conformance.rules.run_view import CallView
from conformance.scenario.specs import WorkflowSpec
from conformance.trace.adapter_events import Chunk, Output
from conformance.trace.harness_events import ServiceFailed


@condition
def faulty(execution: ExecutionView, each: WorkflowRun) -> bool:
    """The run fails by its script, or may: a participant's service, an executor, or a manager that errs (ORC-05, ORC-33)."""
    involved = inside(execution.scenario, each.spec.workflow)
    errs = each.spec.manager.errs and any(workflow.pattern in MANAGED for workflow in involved)
    return bool(each.run.of(ServiceFailed)) or any(map(_raises, involved)) or errs


@condition
def surely_fails(execution: ExecutionView, each: WorkflowRun) -> bool:
    """A participant's service failed, or an executor or the manager of the workflow itself does by its script."""
    involved = inside(execution.scenario, each.spec.workflow)
    if failures(each):
        may_be_left_out = execution.policies.failing_participant != "fails"
        return not (may_be_left_out and any(workflow.pattern == "concurrent" for workflow in involved))
    if len(involved) > 1:
        return False
    errs = each.workflow.pattern in MANAGED and each.spec.manager.errs and not limited(execution, each)
    return _raises(each.workflow) or errs


def _raises(workflow: WorkflowSpec) -> bool:
    """Whether an executor of a workflow raises."""
    return any(executor.raises is not None for executor in staged(workflow).values())


def failures(each: WorkflowRun) -> list[ServiceFailed]:
    """The failures of participants' services, but those after which the same request was sent again and answered."""
    return [event for _, event in each.run.of(ServiceFailed) if not _made_good(each, event)]


def _made_good(each: WorkflowRun, failed: ServiceFailed) -> bool:
    """Whether the framework itself tried again, until it got a reply."""
    views = [view for view in each.run.calls if view.request.agent == failed.agent and view.request.call >= failed.call]
    again = list(takewhile(lambda view: _asked(view) == _asked(views[0]), views))
    return any(view.reply is not None for view in again)


def _asked(view: CallView) -> object:
    return view.request.messages, view.request.conversation_id


def goes_on_without(each: WorkflowRun) -> bool:
    """Whether nothing but its manager errs in a run, and it came to an answer all the same."""
    errs = each.workflow.pattern in MANAGED and each.spec.manager.errs and not failures(each)
    answered = final_events(each.run, each.spec) or any(chunk.completed for _, chunk in each.run.of(Chunk))
    return errs and each.run.succeeded and bool(answered)


def completed_in_spite(each: WorkflowRun) -> list[int]:
    """The run-completed outputs that a failing run may not have; an author's executor may be done before another one fails."""
    return [] if completing(each.workflow) else [at for at, _ in completed(each.run)]


def withdrawn(execution: ExecutionView, each: WorkflowRun) -> list[str]:
    """Texts that a consumer should have seen before the run failed: those of participants whose service did not fail."""
    if not _shows_in_turn(each) or nests(execution, each) or waited(execution, each):
        return []
    failed = {event.agent for event in failures(each)}
    said = texts(part for spell in spells(execution, each.run) if spell.agent not in failed for part in spell.said)
    return [text for text in said if not _seen(execution, each, text)]


def _seen(execution: ExecutionView, each: WorkflowRun, text: str) -> bool:
    """Whether a consumer saw a text, in an output or in chunks."""
    chunks = "".join(chunk.text for _, chunk in each.run.of(Chunk))
    return text in chunks or any(text in texts(execution.heard(output.messages)) for _, output in each.run.of(Output))


def _shows_in_turn(each: WorkflowRun) -> bool:
    """Whether a consumer sees in a stream what each participant says, one after another."""
    in_turn = each.workflow.pattern in ("sequential", *MANAGED) and each.workflow.intermediate_outputs
    return each.spec.stream and (each.workflow.pattern == "handoff" or in_turn)
