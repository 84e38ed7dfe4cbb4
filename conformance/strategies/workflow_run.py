"""Runs of workflows that are being drawn: who speaks, with which script, who finishes first, and who is asked what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conformance.cast import workflows_in
from conformance.scenario import (
    AgentSpec,
    CallSpec,
    ManagerSpec,
    ReplySpec,
    Respond,
    RunWorkflow,
    Scenario,
    Step,
    WorkflowSpec,
)
from conformance.strategies.common import loop
from conformance.strategies.pen import Pen

_ASKS = ReplySpec(calls=(CallSpec(tool="pay"),))
_ANSWERS = ("the manager's answer", "done")


class Play:
    """What was drawn so far.

    tops: the workflows that are not children. suspended: the latest run waits for an answer that nobody gives.
    """

    def __init__(self, pen: Pen) -> None:
        self._pen = pen
        self.agents: dict[str, AgentSpec] = {}
        self.workflows: dict[str, WorkflowSpec] = {}
        self.tops: list[str] = []
        self.steps: list[Step] = []
        self.suspended = False

    def run(self, name: str) -> None:
        """Draw one run of a workflow, with the answers to its requests."""
        pen = self._pen
        say, stream = pen.say(), pen.stream()
        as_agent = pen.can("workflows.as_agent") and pen.number(2) == 2
        manager = self._manager(name)
        branches = self._branches(name, manager)
        finish = self._finish(branches)
        path = self._path(self.workflows[name])
        speakers = path or self._speakers(name, manager)
        failing = pen.number(len(speakers) - 1) if speakers and pen.rarely(8) else None
        turns: dict[str, list[list[ReplySpec]]] = {agent: [] for agent in speakers}
        for place, agent in enumerate(speakers):
            target = path[place + 1] if place + 1 < len(path) else None
            turns[agent].append(self._turn(agent, target, fails=place == failing, asks=failing is None))
        asked = {agent: sum(turn.count(_ASKS) for turn in said) for agent, said in turns.items()}
        stops_early = failing is not None or any(asked.values())
        self.steps.append(
            RunWorkflow(
                workflow=name,
                say=say,
                as_agent=as_agent,
                stream=stream,
                replies={agent: replies for agent, said in turns.items() if (replies := _joined(said))},
                # Where a branch of several parts fails or waits for an answer, the others would wait for their turn in vain.
                finish=() if stops_early and any(len(branch) > 1 for branch in branches) else finish,
                manager=manager,
            )
        )
        self._respond(self._waiting(name, asked))

    def _turn(self, agent: str, target: str | None, *, fails: bool, asks: bool) -> list[ReplySpec]:
        """The replies of one agent until its part is done."""
        pen = self._pen
        replies = list(loop(pen, self.agents[agent])[0])
        if fails:
            return [*(reply for reply in replies if reply.calls), ReplySpec(error="overloaded")]
        if asks and "pay" in self.agents[agent].tools and pen.rarely(2):
            before = sum(bool(reply.calls) for reply in replies)
            replies.insert(before, _ASKS)
        if target is not None:
            said = replies.pop().text if replies and not replies[-1].calls else None
            replies.append(ReplySpec(text=said, handoff=target))
        return replies

    def _manager(self, name: str) -> ManagerSpec:
        """The manager of the run's group chat or Magentic, where there is one."""
        pen = self._pen
        for inner in workflows_in(self._scenario, name):
            workflow = self.workflows[inner]
            if workflow.pattern in ("group_chat", "magentic"):
                picks = [pen.pick(workflow.participants) for _ in range(1 + pen.number(2))]
                return ManagerSpec(picks=tuple(picks), answer=pen.pick(_ANSWERS))
        return ManagerSpec()

    def _path(self, workflow: WorkflowSpec) -> list[str]:
        """Who speaks in a handoff, one after another; empty for other patterns."""
        if workflow.pattern != "handoff":
            return []
        path = [workflow.participants[0]]
        while len(path) < 4 and self._pen.rarely(2):
            path.append(self._pen.pick([name for name in workflow.participants if name != path[-1]]))
        return path

    def _speakers(self, name: str, manager: ManagerSpec) -> list[str]:
        """The agents that speak in a run, each as often as it does."""
        if name in self.agents:
            return [name]
        workflow = self.workflows[name]
        members = manager.picks if workflow.pattern in ("group_chat", "magentic") else workflow.participants
        return [agent for member in members for agent in self._speakers(member, manager)]

    def _finish(self, branches: Sequence[Sequence[str]]) -> tuple[str, ...]:
        """An order in which those that run side by side finish, if any; a branch of several parts keeps its own order."""
        if len(branches) < 2 or not self._pen.rarely(2):
            return ()
        turns = self._pen.shuffled(place for place, branch in enumerate(branches) for _ in branch)
        left = [list(branch) for branch in branches]
        return tuple(left[place].pop(0) for place in turns)

    def _branches(self, name: str, manager: ManagerSpec) -> list[list[str]]:
        """What runs side by side, each branch as the agents whose parts it consists of; empty where nothing does."""
        inner = [self.workflows[each] for each in workflows_in(self._scenario, name)]
        beside = next((workflow for workflow in inner if workflow.pattern == "concurrent"), None)
        branches: list[list[str]] = []
        for member in beside.participants if beside else ():
            side_by_side = member in self.workflows and self.workflows[member].pattern == "concurrent"
            speakers = self._speakers(member, manager)
            branches += [[agent] for agent in speakers] if side_by_side else [speakers]
        return branches

    def _waiting(self, name: str, asked: Mapping[str, int]) -> list[int]:
        """How many requests are surely pending before each answer."""
        if name in self.agents:
            return [1] * asked.get(name, 0)
        workflow = self.workflows[name]
        inside = [waiting for member in workflow.participants for waiting in self._waiting(member, asked)]
        all_at_once = workflow.pattern == "concurrent" and all(member in self.agents for member in workflow.participants)
        return list(range(len(inside), 0, -1)) if all_at_once else inside if workflow.pattern == "sequential" else [1] * len(inside)

    def _respond(self, waiting: list[int]) -> None:
        """Answer every request of the run, but sometimes the last."""
        pen = self._pen
        self.suspended = bool(waiting) and pen.rarely(8)
        for pending in waiting[:-1] if self.suspended else waiting:
            self.steps.append(Respond(request=pen.number(pending - 1), approve=not pen.rarely(4), stream=pen.stream()))

    @property
    def _scenario(self) -> Scenario:
        return Scenario(agents=self.agents, workflows=self.workflows)


def _joined(turns: Sequence[Sequence[ReplySpec]]) -> tuple[ReplySpec, ...]:
    """One agent's turns as one script: a turn that is left open needs an answer of its own where another follows."""
    joined: list[ReplySpec] = []
    for place, turn in enumerate(turns):
        joined += turn
        is_open = not turn or bool(turn[-1].calls)
        if is_open and any(turns[place + 1 :]):
            joined.append(ReplySpec(text="yes"))
    return tuple(joined)
