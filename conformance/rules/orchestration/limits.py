"""The limits of a group chat or a Magentic run: whether one ends a run, and what the answer is then."""

from __future__ import annotations

import re
from collections.abc import Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.orchestration.expected import answer_of, ended_by, said, spells
from conformance.rules.orchestration.outputs import told
from conformance.rules.orchestration.structure import MANAGED, inside
from conformance.rules.orchestration.workflow_run import WorkflowRun
from conformance.rules.rule import Finding, finding
from conformance.rules.wording import show
from conformance.trace.adapter_events import Output
from conformance.trace.messages import Part

_ANSWERS = {True: "the manager's answer", False: "a notice that speaks of the limit"}

_ABOUT_LIMITS = re.compile(
    r"\b(limits?|max|maximum|exceed\w*|too many|no more)\b|\b(rounds?|turns?|stalls?|resets?)\b.*\breach", re.I
)


@condition
def limited(execution: ExecutionView, each: WorkflowRun) -> bool:
    """A limit ends the workflow or one in it, or may: then the answer need not be the manager's (ORC-18)."""
    managed = (workflow for workflow in inside(execution.scenario, each.spec.workflow) if workflow.pattern in MANAGED)
    return any(ended_by(each.spec.manager, workflow) != "answer" for workflow in managed)


@condition
def ends_by_limit(_: ExecutionView, each: WorkflowRun) -> bool:
    """A limit on rounds, stalls or resets ends the group chat or the Magentic run before its manager does."""
    return each.workflow.pattern in MANAGED and ended_by(each.spec.manager, each.workflow) == "limit"


def answered_as_declared(execution: ExecutionView, each: WorkflowRun, at: int, output: Output) -> Finding:
    """Whether a run that a limit ended says what is declared for that, and kept to the limit.

    It breaks as `another answer` or as `more rounds`.
    """
    got, rounds = said(execution, output.messages), len(spells(execution, each.run))
    by_manager = execution.policies.limit_answer == "manager"
    wanted = answer_of(execution, each.run, each.workflow)
    right = got == wanted if by_manager else got != wanted and _is_notice(execution, got)
    kept = each.workflow.max_rounds is None or rounds <= each.workflow.max_rounds
    return finding(
        right and kept,
        at,
        "another answer" if kept else "more rounds",
        expected=f"{_ANSWERS[by_manager]}, after no more rounds than {each.workflow.max_rounds}",
        got=f"{show(got)} after {rounds} rounds",
    )


def _is_notice(execution: ExecutionView, got: Sequence[Part]) -> bool:
    """Whether an answer is one message that nobody said or was asked, in this run or another one, and that speaks of the limit."""
    known = {text for run, _ in execution.workflow_runs() for text in told(execution, run)}
    return len(got) == 1 and got[0][-1] not in known and bool(_ABOUT_LIMITS.search(got[0][-1]))
