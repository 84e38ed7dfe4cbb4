"""What a consumer of a workflow sees of a run: its outputs, their signal, and what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from conformance.cast import agents_in, workflows_in
from conformance.rules.answers import answering, completing, ended_by, said, spells, staged
from conformance.rules.case import Case
from conformance.rules.rule import Finding, finding
from conformance.rules.run import RunView
from conformance.scenario import Respond, RunWorkflow, WorkflowSpec
from conformance.trace import Abandoned, Chunk, Message, Output, Part, RequestPending, RunReturned, ServiceFailed

Played = tuple[RunView, RunWorkflow, WorkflowSpec]
"""A run of a workflow: what happened, what was asked for, and how the workflow is built."""


def played(case: Case) -> Iterator[Played]:
    """Every run of a workflow, but for those that somebody answers when a later run of the workflow has begun, or has left."""
    runs = list(case.workflow_runs())
    for place, (run, spec) in enumerate(runs):
        after = [other.at for other, its in runs[place + 1 :] if its.workflow == spec.workflow]
        left = [at for at, _ in run.of(Abandoned)]
        if not any(at < run.events[-1][0] for at in (*after, *left)):
            yield run, spec, case.scenario.workflows[spec.workflow]


def direct(case: Case) -> Iterator[Played]:
    """Runs of workflows that were not wrapped as an agent: their outputs can be seen."""
    return (each for each in played(case) if not each[1].as_agent)


def wrapped(case: Case) -> Iterator[Played]:
    """Runs of workflows as agents."""
    return (each for each in played(case) if each[1].as_agent)


def completed(run: RunView) -> list[tuple[int, Output]]:
    """The outputs that are signalled as the run-completed one."""
    return [(at, output) for at, output in run.of(Output) if output.completed]


def intermediate(run: RunView) -> list[tuple[int, list[Part]]]:
    """The intermediate outputs, what each says. Where a stream shows them as chunks only, the chunks of each in a row, joined.

    Chunks of participants whose response is the answer are intermediate where intermediate outputs are asked for.
    """
    whole = [(at, said(run.case, output.messages)) for at, output in run.of(Output) if not output.completed]
    if whole or not isinstance(run.spec, RunWorkflow):
        return whole
    workflow = run.case.scenario.workflows[run.spec.workflow]
    own = () if workflow.intermediate_outputs else answering(workflow)
    chunks = [(at, chunk) for at, chunk in run.of(Chunk) if not chunk.completed and chunk.executor not in own]
    joined: list[tuple[int, list[Part]]] = []
    for _, row in groupby(chunks, key=lambda each: each[1].executor):
        found = list(row)
        joined.append((found[-1][0], [("assistant", "".join(chunk.text for _, chunk in found))]))
    return joined


def returned(run: RunView) -> list[Part]:
    """What the response of a workflow as an agent says; of a run that went on after requests, all of its responses."""
    return [part for _, event in run.of(RunReturned) for part in said(run.case, event.messages)]


def exactly_one(run: RunView, found: Sequence[int]) -> Finding:
    """Whether a run has one run-completed output; `found`: where there are some."""
    marked = sum(1 for _, chunk in run.of(Chunk) if chunk.completed)
    return finding(
        len(found) == 1,
        found[1] if len(found) > 1 else run.events[-1][0],
        expected="exactly one run-completed output",
        got=f"{len(found)} run-completed outputs" + (f", and {marked} chunks that are marked like one" if marked else ""),
        also=found[:1],
    )


def left_to_author(case: Case, name: str) -> bool:
    """Whether it is the author of a workflow, or of one in it, who has it complete never, or more than once."""
    return any(each.pattern == "custom" and len(completing(each)) != 1 for each in _inside(case, name))


def limited(case: Case, spec: RunWorkflow) -> bool:
    """Whether a limit ends the workflow of a run or one in it, or may: then the answer need not be the manager's."""
    managed = (each for each in _inside(case, spec.workflow) if each.pattern in _MANAGED)
    return any(ended_by(spec.manager, each) != "answer" for each in managed)


_MANAGED = ("group_chat", "magentic")


def _inside(case: Case, name: str) -> list[WorkflowSpec]:
    """A workflow and those in it."""
    return [case.scenario.workflows[each] for each in workflows_in(case.scenario, name)]


def nests(case: Case, workflow: WorkflowSpec) -> bool:
    """Whether a workflow has others as participants."""
    return any(name in case.scenario.workflows for name in workflow.participants)


def faulty(run: RunView) -> bool:
    """Whether the run fails by its script, or may: a participant's service, an executor, or a manager that errs."""
    assert isinstance(run.spec, RunWorkflow)
    inside = _inside(run.case, run.spec.workflow)
    raising = any(spec.raises is not None for each in inside for spec in staged(each))
    managed = any(each.pattern in _MANAGED for each in inside)
    return bool(run.of(ServiceFailed)) or raising or (managed and run.spec.manager.errs)


def fails(run: RunView) -> bool:
    """Whether the run surely fails: a participant's service did, or an executor or the manager of the workflow itself does."""
    assert isinstance(run.spec, RunWorkflow)
    inside = _inside(run.case, run.spec.workflow)
    if run.of(ServiceFailed):
        return not (run.case.policies.failing_participant == "left_out" and any(each.pattern == "concurrent" for each in inside))
    if len(inside) > 1:
        return False
    raising = any(spec.raises is not None for spec in staged(inside[0]))
    errs = inside[0].pattern in _MANAGED and run.spec.manager.errs and not limited(run.case, run.spec)
    return raising or errs


def again(case: Case, run: RunView) -> bool:
    """Whether the workflow of a run was run before."""
    runs = [(other, its) for other, its in case.workflow_runs() if other.at < run.at]
    return any(isinstance(run.spec, RunWorkflow) and its.workflow == run.spec.workflow for _, its in runs)


def waited(run: RunView) -> bool:
    """Whether the run waited for someone's answer at some point."""
    return bool(run.of(RequestPending))


def unasked(run: RunView, workflow: str) -> list[str]:
    """The executors of a workflow, and of those in it, that ask and whose question nobody got, in a run that came to its end.

    Left out are workflows that a manager or a handoff may pass by.
    """
    scenario = run.case.scenario
    spec = scenario.workflows[workflow]
    if not run.succeeded or spec.pattern in ("handoff", "group_chat", "magentic"):
        return []
    children = [name for name in spec.participants if name in scenario.workflows]
    own = [name for stage in spec.stages for name in stage if name in spec.executors and spec.executors[name].asks]
    got = [event.executor for _, event in run.of(RequestPending) if event.tool is None]
    missing = own[len(got) :]
    return [*missing, *(name for child in children for name in unasked(run, child))]


def texts(said: Iterable[Part]) -> Counter[str]:
    """The texts among parts, whatever role they are told in: what one participant said, another may hear as a user's."""
    return Counter(part[1] for part in said if part[0] in ("user", "assistant") and part[1])


def heard_texts(case: Case, messages: Iterable[Message]) -> Counter[str]:
    """The texts of messages."""
    return texts(case.heard(list(messages)))


def told(run: RunView) -> Counter[str]:
    """Every text of a run: its input and what everybody in it said, the manager and executors too."""
    assert isinstance(run.spec, RunWorkflow)
    found = Counter(run.spec.say) + texts(part for spell in spells(run) for part in spell.said)
    for workflow in _inside(run.case, run.spec.workflow):
        made = [run.spec.manager.answer if workflow.pattern in _MANAGED else None, workflow.aggregates]
        for executor in staged(workflow):
            made += [*executor.emits, executor.completes, executor.again]
        found.update(text for text in made if text)
    return found


def said_inside(run: RunView, workflow: str) -> Counter[str]:
    """The texts of all participants of a workflow, also those of workflows in it."""
    members = agents_in(run.case.scenario, workflow)
    return texts(part for spell in spells(run) if spell.agent in members for part in spell.said)


def answered(case: Case) -> Iterator[tuple[RequestPending, Respond]]:
    """Every request that a step answered, with that step."""
    known: set[str | None] = set()
    waiting: list[RequestPending] = []
    events = iter(event for _, event in case.of(RequestPending))
    ahead = next(events, None)
    for number, step in enumerate(case.scenario.steps):
        if isinstance(step, Respond) and step.request < len(waiting):
            yield waiting.pop(step.request), step
        while ahead is not None and ahead.step == number:
            if ahead.id not in known:
                waiting.append(ahead)
                known.add(ahead.id)
            ahead = next(events, None)
