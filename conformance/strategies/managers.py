"""Managers of group chats and of Magentic: their scripts, and who speaks by them where there are limits."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.scenario import ManagerSpec, WorkflowSpec
from conformance.strategies.pen import Pen

MANAGED = ("group_chat", "magentic")


def a_manager(pen: Pen, workflow: WorkflowSpec, *, errs: bool) -> ManagerSpec:
    """Picks, mostly more than a limit allows, and an answer. errs: whether it may be one that errs in the end."""
    beyond, own_words, mistaken = pen.mostly(), pen.mostly(), pen.rarely(2)
    count = pen.count(3)
    if workflow.max_rounds is not None:
        count = workflow.max_rounds + count if beyond else max(1, workflow.max_rounds - 1)
    elif workflow.max_stalls is not None and beyond:
        count += 2
    picks = tuple(pen.pick(workflow.participants) for _ in range(count))
    stalls = [place for place in range(count) if pen.number(2) > 0] if workflow.max_stalls is not None else []
    answer = pen.text() if own_words else ManagerSpec().answer
    return ManagerSpec(picks=picks, stalls=tuple(stalls), answer=answer, errs=errs and mistaken and not bounded(workflow))


def bounded(workflow: WorkflowSpec) -> bool:
    """Whether a limit may end a workflow."""
    return workflow.max_rounds is not None or workflow.max_stalls is not None


def speaking(manager: ManagerSpec, workflow: WorkflowSpec) -> Iterator[str]:
    """Who speaks, until the manager or a limit ends the run."""
    spoken = stalls = resets = 0
    for place, name in enumerate(manager.picks):
        if spoken == workflow.max_rounds:
            return
        if workflow.max_stalls is not None:
            stalls = stalls + 1 if place in manager.stalls else max(0, stalls - 1)
            if stalls > workflow.max_stalls:
                stalls, resets = 0, resets + 1
                if workflow.max_resets is not None and resets > workflow.max_resets:
                    return
                continue
        spoken += 1
        yield name
