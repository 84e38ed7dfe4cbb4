"""Rules on the edges of an orchestration: limits that end a run, single participants, empty and long responses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.rules.answers import answer_of, answering, answers, ended_by, response_of, said, spells
from conformance.rules.case import Case
from conformance.rules.completion import SIGNAL
from conformance.rules.outputs import completed
from conformance.rules.plays import MANAGED, again, cut_off, direct, faulty, left_to_author, limited, nests
from conformance.rules.requests import error, show
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.rules.texts import texts
from conformance.scenario import WorkflowSpec
from conformance.trace import Chunk, Output

_LIMIT_ANSWERS = {True: "the manager's answer", False: "a notice that speaks of the limit"}
_ABOUT_LIMITS = re.compile(r"limit|max|reach|exceed|round|stall|reset", re.I)


@rule("ORC-18", needs=["workflows"], policies=("completion_signal", "limit_answer"))
def a_limit_ends_with_an_answer(case: Case) -> Iterator[Finding]:
    """When a limit on rounds, stalls or resets ends a run, there is exactly one completion, and it says what is declared for that.

    The policy `limit_answer`: a notice, which is nobody's reply and speaks of the limit, or the manager's answer. Leaves alone:
    runs whose manager would end them after the last round that is allowed, later runs that raise (ORC-06), and streams of which
    only chunks complete (ORC-09).
    """
    for run, spec, workflow in direct(case):
        managed = workflow.pattern in MANAGED and ended_by(spec.manager, workflow) == "limit"
        if (
            not managed
            or nests(case, workflow)
            or (run.raised and again(case, run))
            or faulty(run)
            or run.ending == "waiting"
            or cut_off(run)
        ):
            continue
        found = completed(run)
        if not found and any(chunk.completed for _, chunk in run.of(Chunk)):
            continue
        if run.raised or len(found) != 1:
            yield finding(
                False,
                run.events[-1][0],
                expected="exactly one run-completed output",
                got=error(run.raised[1]) if run.raised else f"{len(found)} run-completed outputs",
            )
            continue
        at, output = found[0]
        got = said(case, output.messages)
        wanted = answer_of(run, workflow)
        others = texts(part for spell in spells(run) for part in spell.said)
        notice = len(got) == 1 and got != wanted and got[0][-1] not in others and bool(_ABOUT_LIMITS.search(got[0][-1]))
        by_manager = case.policies.limit_answer == "manager"
        rounds = len(spells(run))
        kept = workflow.max_rounds is None or rounds <= workflow.max_rounds
        yield finding(
            (got == wanted if by_manager else notice) and kept,
            at,
            expected=f"{_LIMIT_ANSWERS[by_manager]}, after no more rounds than {workflow.max_rounds}",
            got=f"{show(got)} after {rounds} rounds",
        )


@rule("ORC-19", needs=["workflows"], policies=SIGNAL)
def edge_sizes_answer_alike(case: Case) -> Iterator[Finding]:
    """Edge sizes: one participant, or one that answers with several messages, an empty text, or tool calls on its way.

    The answer then holds the response's messages, and a participant's own tool traffic is not lost. In a handoff the intermediate
    outputs hold them. Leaves alone: later runs that raise (ORC-06, ORC-30, ORC-38), and that there is a completion (ORC-01).
    """
    for run, spec, workflow in direct(case):
        if workflow.pattern == "custom" or faulty(run) or limited(case, spec) or left_to_author(case, spec.workflow):
            continue
        if _no_edge(run, workflow):
            continue
        if run.raised and len(workflow.participants) == 1 and not again(case, run):
            yield finding(False, run.raised[0], expected="an answer", got=error(run.raised[1]))
        if not run.succeeded or (workflow.pattern == "handoff" and spec.stream):
            continue
        handoff = workflow.pattern == "handoff"
        expected = response_of(run, spec.workflow)
        shown = [part for _, output in run.of(Output) for part in said(case, output.messages)]
        got = [shown] if handoff else [said(case, output.messages) for _, output in completed(run)]
        if not got:
            continue
        yield finding(
            any(each in ([expected] if handoff else answers(run, workflow)) for each in got),
            completed(run)[0][0] if completed(run) else run.events[-1][0],
            expected=f"every message of the response: {show(expected)}",
            got=" and ".join(show(each) for each in got),
        )


def _no_edge(run: RunView, workflow: WorkflowSpec) -> bool:
    """Whether there are several participants, and each that answers does so with one message that says something."""
    if len(workflow.participants) == 1:
        return False
    if workflow.pattern == "handoff":
        responses = [[part for part in spell.said if part[:2] != ("call", spell.handoff)] for spell in spells(run)]
    else:
        responses = [response_of(run, name) for name in answering(workflow)]
    return all(len(said) < 2 and all(part[0] == "assistant" and part[1] for part in said) for said in responses)
