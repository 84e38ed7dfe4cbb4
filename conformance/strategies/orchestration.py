"""Random scenarios of the orchestration area: every pattern, as agent or not, with tools, approvals, nesting and failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_lowercase

from hypothesis import strategies as st

from conformance.scenario import AgentSpec, ExecutorSpec, Scenario, WorkflowSpec
from conformance.strategies.common import services, tools
from conformance.strategies.pen import Pen
from conformance.strategies.workflow_run import Play
from conformance.vocabulary import PATTERN_CAPABILITIES, Pattern

_SIZES: Mapping[Pattern, tuple[int, ...]] = {
    "sequential": (2, 3, 4, 1),
    "concurrent": (2, 3, 4, 1),
    "handoff": (2, 3, 4),
    "group_chat": (1, 2, 3),
    "magentic": (1, 2, 3),
    "custom": (1, 2, 3),
}
_NAMES = ("w", "x", "y")
MOST_RUNS = len(_NAMES)
_EXECUTORS = ("planner", "writer", "critic", "editor", "printer", "reader")


def scenario(pen: Pen) -> Scenario:
    """One workflow that is run once or twice, with an answer to every request that it waits for, but sometimes the last."""
    patterns: list[Pattern] = [
        pattern
        for pattern, need in PATTERN_CAPABILITIES.items()
        if pen.can("workflows", need) and (pattern == "custom" or services(pen))
    ]
    play = Play(pen)
    for _ in range(pen.count(MOST_RUNS) if patterns else 0):
        if play.suspended:
            break
        pen.part(_a_run(pen, play, patterns))
    return Scenario(agents=play.agents, workflows=play.workflows, steps=tuple(play.steps))


@st.composite
def _a_run(draw: st.DrawFn, shared: Pen, play: Play, patterns: Sequence[Pattern]) -> None:
    """A run of the latest workflow, or of a new one."""
    pen = shared.used_by(draw)
    new = pen.number(3) > 0
    if new or not play.tops:
        play.tops.append(_NAMES[len(play.tops)])
        _add_workflow(pen, play, play.tops[-1], patterns)
    play.run(play.tops[-1])


def _add_workflow(pen: Pen, play: Play, name: str, patterns: Sequence[Pattern]) -> None:
    twice: list[Pattern] = [each for each in patterns if each in ("handoff", "custom")]
    choices: list[Pattern] = [*patterns, *twice]
    pattern = pen.pick(choices)
    if pattern == "custom":
        play.workflows[name] = _custom(pen)
        return
    members = _agents(pen, play, pen.pick(_SIZES[pattern]))
    if pattern in ("sequential", "concurrent") and pen.can("workflows.nested") and pen.rarely(4):
        children: list[Pattern] = [each for each in patterns if each not in ("custom", "handoff")]
        _put_child(pen, play, members, f"{name}-child", pen.pick(children))
    play.workflows[name] = WorkflowSpec(pattern=pattern, participants=tuple(members), intermediate_outputs=_shown(pen))


def _agents(pen: Pen, play: Play, count: int) -> list[str]:
    """New agents; their names."""
    names: list[str] = []
    for _ in range(count):
        names.append(ascii_lowercase[len(play.agents)])
        play.agents[names[-1]] = pen.part(_an_agent(pen))
    return names


@st.composite
def _an_agent(draw: st.DrawFn, shared: Pen) -> AgentSpec:
    """Most agents are plain."""
    pen = shared.used_by(draw)
    boxes: list[Sequence[str]] = [("weather",)]
    if pen.can("workflows.requests"):
        boxes += [("pay",), ("weather", "pay")]
    box = tools(pen, *boxes) if pen.rarely(2) else {}
    return AgentSpec(service=pen.pick(services(pen)) if pen.rarely(4) else services(pen)[0], tools=box)


def _put_child(pen: Pen, play: Play, members: list[str], name: str, pattern: Pattern) -> None:
    """Put a workflow in the place of one participant, which takes part in the child with others."""
    place = pen.number(len(members) - 1)
    inside = [members[place], *_agents(pen, play, pen.pick((1, 0, 2)))]
    play.workflows[name] = WorkflowSpec(pattern=pattern, participants=tuple(inside), intermediate_outputs=_shown(pen))
    members[place] = name


def _shown(pen: Pen) -> bool:
    return pen.can("workflows.intermediate_outputs") and pen.rarely(2)


def _custom(pen: Pen) -> WorkflowSpec:
    """Executors in supersteps, one after another or side by side; one of them completes the run, sometimes others too."""
    names = _EXECUTORS[: pen.pick(_SIZES["custom"])]
    completing = pen.number(len(names) - 1)
    executors: dict[str, ExecutorSpec] = {}
    for place, name in enumerate(names):
        completes = place == completing or pen.rarely(2)
        emits = pen.rarely(8) if completes else pen.rarely(2)
        executors[name] = ExecutorSpec(emits=(pen.text(),) if emits else (), completes=pen.text() if completes else None)
    stages: list[tuple[str, ...]] = []
    for name in names:
        beside = bool(stages) and pen.rarely(2)
        stages.append((*stages.pop(), name) if beside else (name,))
    return WorkflowSpec(pattern="custom", stages=tuple(stages), executors=executors, intermediate_outputs=_shown(pen))
