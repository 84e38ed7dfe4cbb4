"""The orchestration rules: exactly one run-completed output a run, and what the answer is in each pattern."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.rules.answers import answer_of, completing, orders, owned, said, turns_of
from conformance.rules.case import Case
from conformance.rules.requests import show
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.scenario import RunWorkflow, WorkflowSpec
from conformance.trace import Chunk, Idle, Output, Raised, RequestPending, RunReturned, Warned
from conformance.vocabulary import Pattern

_SIGNAL = ("completion_signal",)


@rule("ORC-01", needs=["workflows"], policies=_SIGNAL)
def one_completion_a_run(case: Case) -> Iterator[Finding]:
    """A run that completes has exactly one run-completed output.

    Leaves alone: runs that wait or fail (ORC-04, ORC-05), and author-written workflows in which not exactly one executor completes
    (ORC-07, ORC-08).
    """
    for run, _, workflow in _direct(case):
        if run.succeeded and not _left_to_author(workflow):
            yield _exactly_one(run, [at for at, _ in _completed(run)])


@rule("ORC-02", needs=["workflows"], policies=_SIGNAL)
def the_completion_is_the_last_output(case: Case) -> Iterator[Finding]:
    """The run-completed output is the last output event of the run: nothing is output after it until the next run begins.

    Leaves alone: how many there are (ORC-01), author-written workflows in which not exactly one executor completes (ORC-07), or in
    which another one outputs beside or after it.
    """
    for run, _, workflow in _direct(case):
        completed = _completed(run)
        if not completed or _left_to_author(workflow) or _outputs_beside(workflow):
            continue
        first = completed[0][0]
        after = [at for at, event in run.events if at > first and isinstance(event, (Output, Chunk))]
        yield finding(
            not after,
            after[0] if after else first,
            expected="no output after the run-completed one",
            got=f"{len(after)} more output events",
            also=[first],
        )


@rule("ORC-04", needs=["workflows", "workflows.requests"], policies=_SIGNAL)
def a_suspended_run_is_not_completed(case: Case) -> Iterator[Finding]:
    """While a run is suspended on a pending request no output is run-completed; after all answers there is exactly one.

    However many outputs came before. Leaves alone what the answer is (ORC-13 ff.).
    """
    for run, _, workflow in _direct(case):
        pending = run.of(RequestPending)
        if not pending or _left_to_author(workflow) or run.ending in ("raised", "unknown", "refused"):
            continue
        last_step = max(event.step for _, event in run.events)
        early = [at for at, event in _completed(run) if event.step < last_step or run.ending == "waiting"]
        yield finding(
            not early,
            early[0] if early else pending[0][0],
            expected="no run-completed output while a request is pending",
            got=f"{len(early)} run-completed outputs while the run was suspended",
            also=[pending[0][0]],
        )
        rested = [(at, idle) for at, idle in run.of(Idle) if idle.step < last_step or run.ending == "waiting"]
        said_done = [at for at, idle in rested if not idle.pending]
        yield finding(
            not said_done,
            said_done[0] if said_done else pending[0][0],
            expected="idle with pending requests",
            got="idle without any, although a request waits",
            also=[pending[0][0]],
        )
        if run.succeeded:
            yield _exactly_one(run, [at for at, event in _completed(run) if event.step == last_step])


@rule("ORC-07", needs=["workflows", "workflows.custom"])
def several_completions_are_detected(case: Case) -> Iterator[Finding]:
    """A custom workflow in which several executors complete is detected: a warning or an error names the executors.

    One after another, or in the same superstep.
    """
    for run, _, workflow in _direct(case):
        names = completing(workflow) if workflow.pattern == "custom" else []
        if len(names) < 2 or run.ending in ("unknown", "refused"):
            continue
        told = [(at, event.text) for at, event in run.events if isinstance(event, (Warned, Raised))]
        named = {name for name in names for _, text in told if name in text}
        failed_fast = run.raised is not None and len(named) > 1
        yield finding(
            len(named) == len(names) or failed_fast,
            told[0][0] if told else run.events[-1][0],
            expected=f"a warning or an error that names {', '.join(names)}",
            got=f"{len(told)} warnings and errors, which name {', '.join(sorted(named)) or 'none of them'}",
        )


@rule("ORC-11", needs=["workflows"], policies=_SIGNAL)
def the_answer_is_a_response(case: Case) -> Iterator[Finding]:
    """The payload of a run-completed output is an agent response, never a bare list of messages; for handoff it is empty.

    Leaves alone: author-written workflows, whose payload is the author's.
    """
    for run, _, workflow in _direct(case):
        if workflow.pattern == "custom":
            continue
        for at, output in _completed(run):
            signed = all(message.author for message in output.messages if message.role == "assistant")
            right = output.payload == "response" and (not output.messages if workflow.pattern == "handoff" else signed)
            yield finding(
                right,
                at,
                expected="an empty response" if workflow.pattern == "handoff" else "an agent response, its messages with authors",
                got=f"a payload of kind {output.payload}: {show(case.heard(output.messages))}" + ("" if signed else ", unsigned"),
            )


@rule("ORC-13", needs=["workflows.sequential"], policies=_SIGNAL)
def sequential_answers_with_the_last_response(case: Case) -> Iterator[Finding]:
    """Sequential: the answer is the last participant's response, all of its messages and nothing else."""
    yield from _answers(case, "sequential")


@rule("ORC-14", needs=["workflows.concurrent"], policies=_SIGNAL)
def concurrent_answers_with_every_response(case: Case) -> Iterator[Finding]:
    """Concurrent: the answer is every participant's response messages, each once, unchanged, in a stable order.

    With the default aggregation. Stable: the order of the participants, or that of their names, but not that of their finishing.
    Unchanged: text and author.
    """
    for run, _, workflow in _direct(case):
        if workflow.pattern != "concurrent" or not run.succeeded:
            continue
        for at, output in _completed(run):
            got = said(case, output.messages)
            fitting = [owned(run, order) for order in orders(workflow) if got == [part for _, part in owned(run, order)]]
            authors = [message.author for message in output.messages for _ in said(case, [message])]
            right = any(_signed_alike(authors, [name for name, _ in responses]) for responses in fitting)
            nested = any(name in case.scenario.workflows for name in workflow.participants)
            yield finding(
                bool(fitting) and (right or nested),
                at,
                expected=f"everyone's response, in the order of the participants: {show(answer_of(run, workflow))}",
                got=f"{show(got)}, by {', '.join(map(str, authors))}",
            )


@rule("ORC-15", needs=["workflows.handoff"], policies=_SIGNAL)
def handoff_outputs_everything_as_intermediate(case: Case) -> Iterator[Finding]:
    """Handoff: the run-completed output is empty, and every participant's response was output as intermediate, once, in order.

    Whatever `intermediate_outputs` says. Where streaming, intermediates may arrive as chunks: then every text must be in them, in
    order. Leaves alone: results of handoffs, which not every framework has.
    """
    for run, spec, workflow in _direct(case):
        if workflow.pattern != "handoff" or not run.succeeded:
            continue
        completed = _completed(run)
        shown = [part for _, output in run.of(Output) if not output.completed for part in said(case, output.messages)]
        expected = [part for _, turn in turns_of(run) for part in turn]
        everything = shown == expected
        if spec.stream:
            streamed = "".join(chunk.text for _, chunk in run.of(Chunk) if not chunk.completed)
            everything = everything or _in_order([part[1] for part in expected if part[0] == "assistant"], streamed)
        full = [at for at, output in completed if output.messages]
        yield finding(
            len(completed) == 1 and not full and everything,
            [*full, *(at for at, _ in completed), run.events[-1][0]][0],
            expected=f"one empty run-completed output, and as intermediate: {show(expected)}",
            got=f"{len(completed)} run-completed outputs, {len(full)} of them not empty; as intermediate: {show(shown)}",
        )


@rule("ORC-16", needs=["workflows.group_chat"], policies=_SIGNAL)
def group_chat_answers_with_the_managers_summary(case: Case) -> Iterator[Finding]:
    """Group chat: the answer is the manager's summary or completion message; rounds are intermediate.

    Leaves alone whether the rounds are shown (ORC-20, ORC-21).
    """
    yield from _answers(case, "group_chat")


@rule("ORC-17", needs=["workflows.magentic"], policies=_SIGNAL)
def magentic_answers_with_the_synthesis(case: Case) -> Iterator[Finding]:
    """Magentic: the answer is the manager's synthesized final answer; participants' work is intermediate.

    Leaves alone whether that work is shown (ORC-20, ORC-21).
    """
    yield from _answers(case, "magentic")


@rule("ORC-20", needs=["workflows"], policies=_SIGNAL)
def without_intermediates_there_is_one_output(case: Case) -> Iterator[Finding]:
    """With `intermediate_outputs` off, the run-completed output is the only output, handoff excepted.

    Leaves alone: chunks of what may belong to the answer, and author-written workflows in which not exactly one executor completes.
    """
    for run, _, workflow in _direct(case):
        if not run.succeeded or workflow.intermediate_outputs or workflow.pattern == "handoff" or _left_to_author(workflow):
            continue
        outputs = run.of(Output)
        others = [at for at, output in outputs if not output.completed]
        others += [at for at, chunk in run.of(Chunk) if chunk.executor in _hidden(workflow)]
        if outputs:
            yield finding(
                not others,
                others[0] if others else outputs[0][0],
                expected="the run-completed output alone, and no chunk of anything else",
                got=f"{len(others)} other outputs or chunks of them",
            )


@rule("ORC-23", needs=["workflows", "workflows.as_agent"])
def as_an_agent_the_answer_is_the_response(case: Case) -> Iterator[Finding]:
    """As an agent, not streaming, intermediates off: the response is the run-completed response, named after the workflow.

    Messages keep their own authors. Leaves alone: handoff (ORC-26), pending requests (ORC-27), author-written workflows in which
    not exactly one executor completes.
    """
    for run, spec in case.workflow_runs():
        workflow = case.scenario.workflows[spec.workflow]
        plain = spec.as_agent and not spec.stream and not workflow.intermediate_outputs and workflow.pattern != "handoff"
        if not plain or not run.succeeded or _left_to_author(workflow) or run.of(RequestPending):
            continue
        for at, returned in run.of(RunReturned):
            wanted = [[part for _, part in owned(run, order)] for order in orders(workflow)]
            expected = wanted if workflow.pattern == "concurrent" else [answer_of(run, workflow)]
            got = said(case, returned.messages)
            kept = {message.author for message in returned.messages}
            yield finding(
                got in expected and returned.author == spec.workflow and spec.workflow not in kept,
                at,
                expected=f"{show(expected[0])} as a response by {spec.workflow!r}, messages by their own authors",
                got=f"{show(got)} as a response by {returned.author!r}, messages by {', '.join(sorted(map(str, kept)))}",
            )


def _direct(case: Case) -> Iterator[tuple[RunView, RunWorkflow, WorkflowSpec]]:
    """Runs of workflows that were not wrapped as an agent: their outputs can be seen."""
    for run, spec in case.workflow_runs():
        if not spec.as_agent:
            yield run, spec, case.scenario.workflows[spec.workflow]


def _completed(run: RunView) -> list[tuple[int, Output]]:
    return [(at, output) for at, output in run.of(Output) if output.completed]


def _signed_alike(authors: Sequence[str | None], owners: Sequence[str]) -> bool:
    """Whether every part is signed by who said it; what is unsigned is left to ORC-11."""
    return all(author in (None, owner) for author, owner in zip(authors, owners, strict=False))


def _hidden(workflow: WorkflowSpec) -> tuple[str, ...]:
    """The participants whose work can be no part of the answer."""
    match workflow.pattern:
        case "sequential":
            return workflow.participants[:-1]
        case "group_chat" | "magentic":
            return workflow.participants
        case _:
            return ()


def _in_order(texts: Sequence[str], whole: str) -> bool:
    place = 0
    for text in texts:
        found = whole.find(text, place)
        if found < 0:
            return False
        place = found + len(text)
    return True


def _left_to_author(workflow: WorkflowSpec) -> bool:
    return workflow.pattern == "custom" and len(completing(workflow)) != 1


def _outputs_beside(workflow: WorkflowSpec) -> bool:
    """Whether an author-written workflow lets an executor output in the same superstep as the completing one, or later."""
    names = completing(workflow) if workflow.pattern == "custom" else []
    late = workflow.stages[_stage_of(workflow, names[0]) :] if names else ()
    return any(workflow.executors[name].emits for stage in late for name in stage if name not in names)


def _stage_of(workflow: WorkflowSpec, executor: str) -> int:
    return next(place for place, stage in enumerate(workflow.stages) if executor in stage)


def _exactly_one(run: RunView, completed: list[int]) -> Finding:
    marked = sum(1 for _, chunk in run.of(Chunk) if chunk.completed)
    return finding(
        len(completed) == 1,
        completed[1] if len(completed) > 1 else run.events[-1][0],
        expected="exactly one run-completed output",
        got=f"{len(completed)} run-completed outputs" + (f", and {marked} chunks that are marked like one" if marked else ""),
        also=completed[:1],
    )


def _answers(case: Case, pattern: Pattern) -> Iterator[Finding]:
    for run, _, workflow in _direct(case):
        if workflow.pattern != pattern or not run.succeeded:
            continue
        for at, output in _completed(run):
            expected = answer_of(run, workflow)
            yield finding(
                said(case, output.messages) == expected,
                at,
                expected=f"the answer {show(expected)}",
                got=show(said(case, output.messages)),
            )
