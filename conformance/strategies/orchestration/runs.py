"""Runs of workflows that are being drawn: who speaks, with which script, who finishes first, and how often it has to wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import strategies as st

from conformance.scenario.scenario import RunWorkflow
from conformance.scenario.specs import CallSpec, ManagerSpec, ReplySpec
from conformance.strategies.choices import Pen
from conformance.strategies.orchestration.draft import Play
from conformance.strategies.orchestration.work import InTurn, Part, SideBySide, Work, branches, finishing, is_linear, parts, rests
from conformance.strategies.orchestration.workflows import MANAGED, a_manager, speaking
from conformance.strategies.scripts import calls

_STRANGER = Part("stranger", fails=True)


@dataclass(frozen=True)
class Draft:
    """A run, not yet a step.

    rests: how many requests are open each time when it comes to rest. branches: who works side by side. fails: by its script.
    """

    run: RunWorkflow
    rests: list[int]
    branches: list[list[str]]
    fails: bool

    @property
    def service_calls(self) -> int:
        """How many there will be at least."""
        return sum(len(replies) for replies in self.run.replies.values()) or 1


def draft(pen: Pen, play: Play, name: str, *, explicit: bool = False, troubled: bool = True, **fields: Any) -> Draft:
    """A run of a workflow. explicit: every reply stands in its script. troubled: it may have to wait, and it may fail."""
    say, stream, wrapped = pen.say(), pen.stream(), pen.number(5)
    if play.workflows[name].pattern == "magentic":
        say = say[:1]  # a task is one message
    as_agent = wrapped > (4 if play.topics & {"failing", "authoring", "limiting"} else 3) and pen.can("workflows.as_agent")
    work, manager = _work(pen, play, name, troubled=troubled)
    every = parts(work)
    failing = _failing(pen, play, every, troubled=troubled)
    quiet = len(every) if failing is None else every.index(failing) if is_linear(work) else 0
    left = Counter(part.name for part in every)
    replies: dict[str, list[ReplySpec]] = {}
    asked: dict[Part, list[int]] = {}
    for place, part in enumerate(every):
        left[part.name] -= 1
        asks = troubled and place < quiet
        if part.is_agents:
            speaks_again = left[part.name] > 0  # a part that is left open would take the replies of the next one
            drawn = speech(pen, play, part, explicit=explicit or speaks_again, asks=asks, fails=part is failing)
            said, asked[part] = pen.part(drawn)
            replies.setdefault(part.name, []).extend(said)
        elif asks and part.executor is not None and part.executor.asks:
            asked[part] = [1]
    run = RunWorkflow(
        workflow=name,
        say=say,
        stream=stream,
        as_agent=as_agent,
        replies={agent: tuple(said) for agent, said in replies.items() if said},
        manager=manager,
    )
    run = msgspec.structs.replace(run, **fields)
    return Draft(run, rests(work, asked), _orderly(work, stops=failing is not None or any(asked.values())), failing is not None)


def ordered(pen: Pen, drawn: Draft) -> RunWorkflow:
    """The run, sometimes with an order in which those finish who work side by side."""
    wanted = pen.rarely(2)
    if not drawn.branches or not wanted:
        return drawn.run
    return msgspec.structs.replace(drawn.run, finish=an_order(pen, drawn.branches))


def an_order(pen: Pen, branches: list[list[str]]) -> tuple[str, ...]:
    """An order in which branches finish; one of several parts keeps its own order."""
    turns = pen.shuffled(place for place, branch in enumerate(branches) for _ in branch)
    left = [list(branch) for branch in branches]
    return tuple(left[place].pop(0) for place in turns)


def _orderly(work: Work, *, stops: bool) -> list[list[str]]:
    """Who works side by side; nobody where a branch of several parts may stop: the others would wait for their turn in vain."""
    found = branches(work)
    return [] if stops and any(len(branch) > 1 for branch in found) else [finishing(branch) for branch in found]


def _work(pen: Pen, play: Play, name: str, *, troubled: bool) -> tuple[Work, ManagerSpec]:
    """Who works when, and the script of the one manager that there may be."""
    managed = next((each for each in play.inside(name) if each.pattern in MANAGED), None)
    errs = troubled and "failing" in play.topics
    manager = a_manager(pen, managed, errs=errs) if managed else ManagerSpec()

    def of(member: str) -> Work:
        if member in play.agents:
            return Part(member)
        workflow = play.workflows[member]
        match workflow.pattern:
            case "sequential":
                return InTurn(tuple(map(of, workflow.participants)))
            case "concurrent":
                return SideBySide(tuple(map(of, workflow.participants)))
            case "handoff":
                return InTurn(_path(pen, play, workflow.participants))
            case "custom":
                executors = {name: Part(name, executor=each) for name, each in workflow.executors.items()}
                stages = [[executors[each] if each in executors else of(each) for each in stage] for stage in workflow.stages]
                return InTurn(tuple(SideBySide(tuple(stage)) for stage in stages))
            case _:
                return InTurn((*map(of, speaking(manager, workflow)), *([_STRANGER] if manager.errs else [])))

    return of(name), manager


def _path(pen: Pen, play: Play, members: tuple[str, ...]) -> tuple[Part, ...]:
    """Who speaks in a handoff, one after another; control comes back where the scenario is about that."""
    path = [members[0]]
    returns = "returning" in play.topics
    while len(path) < 5 and (pen.mostly() if returns and len(path) < 3 else pen.rarely(2)):
        others = [name for name in members if name != path[-1]]
        path.append(pen.pick([*path[-2:-1], *others] if returns else others))
    return tuple(Part(name, hands_to=after) for name, after in zip(path, [*path[1:], None], strict=True))


def _failing(pen: Pen, play: Play, every: list[Part], *, troubled: bool) -> Part | None:
    """The part that fails: an executor's or the manager's where it is written so, else an agent's, mostly of the first run."""
    agents = [part for part in every if part.is_agents]
    written = next((part for part in every if part.fails or (part.executor is not None and part.executor.raises is not None)), None)
    if written is not None or not agents or not troubled or "failing" not in play.topics:
        return written
    wanted, place = pen.number(7), pen.number(len(agents) - 1)
    return agents[place] if wanted > (3 if play.steps else 0) else None


_WORDS = ("yes", "no")
_ARGUMENTS: tuple[dict[str, str], ...] = ({}, {"to": "Ann"}, {"to": "Ben"}, {"to": "Eve"})
"""One for each call that waits in a run: which of several equal calls it is that runs after all nobody could tell."""


@st.composite
def speech(
    draw: st.DrawFn, shared: Pen, play: Play, part: Part, *, explicit: bool, asks: bool, fails: bool
) -> tuple[list[ReplySpec], list[int]]:
    """The replies of one part, and how many calls wait for a person each time when it comes to that.

    explicit: the last text stands in the script even where the service's own would do.
    """
    pen = shared.used_by(draw)
    replies = _asking(pen, play, part)
    waits: list[int] = []
    if "pay" in play.agents[part.name].tools:
        wants, twice, again = pen.mostly(), pen.rarely(4), pen.rarely(8)
        waits = [1 + twice, *([1] if again else [])] if asks and wants else []
    arguments = iter(_ARGUMENTS)
    replies += [ReplySpec(calls=tuple(_payments(arguments, count))) for count in waits]
    if fails:
        return [*replies, ReplySpec(error="overloaded")], waits
    return [*replies, *_last_word(pen, play, part, explicit=explicit)], waits


def _asking(pen: Pen, play: Play, part: Part) -> list[ReplySpec]:
    """The replies that ask for tools which simply run, sometimes with a text beside."""
    names = [name for name, tool in play.agents[part.name].tools.items() if not tool.approval]
    often = bool(play.topics & {"edges", "storing"})
    replies: list[ReplySpec] = []
    while names and len(replies) < 3 and (pen.mostly() if often and not replies else pen.rarely(2)):
        beside = pen.rarely(2)
        replies.append(ReplySpec(text=pen.text() if beside else None, calls=calls(pen, names)))
    return replies


def _payments(arguments: Iterator[dict[str, str]], count: int) -> list[CallSpec]:
    return [CallSpec(tool="pay", arguments=next(arguments)) for _ in range(count)]


def _last_word(pen: Pen, play: Play, part: Part, *, explicit: bool) -> list[ReplySpec]:
    """The reply that ends a part: a text, rarely an empty one, or a handoff; mostly the service's own, which are never the same."""
    scripted = pen.rarely(4)
    if part.hands_to is not None:
        return [ReplySpec(text=pen.text() if scripted else None, handoff=part.hands_to)]
    if "edges" in play.topics and pen.rarely(2):
        return [ReplySpec(text="")]
    if scripted and pen.rarely(4):
        return [ReplySpec(text=pen.pick(_WORDS))]
    return [ReplySpec(text=pen.text())] if explicit or scripted else []
