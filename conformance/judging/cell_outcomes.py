"""What came of the cells of the configuration matrix, collected from the judgements on everything performed in an area."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from conformance.judging.verdicts import CellResult
from conformance.matrix.cells import CELLS, Cell, cell_of
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import kind_before
from conformance.rules.rule import Judgement
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import CreateThread, Run
from conformance.trace.adapter_events import Raised
from conformance.trace.harness_events import Refused
from conformance.vocabulary import Capability, Policies

HOSTED_NEEDS_SUPPORT = "THR-02"
"""The rule that is violated where a hosted thread on a service that keeps nothing is not refused."""


class Outcomes:
    """Collects what came of each cell. Only sets are kept, not the cases."""

    def __init__(self) -> None:
        self._held: set[Cell] = set()
        self._violated: dict[Cell, set[str]] = {}
        self._refused: set[Cell] = set()
        self._let_through: set[Cell] = set()
        self._silent: dict[Cell, str] = {}

    def add(self, execution: ExecutionView, judgements: Iterable[Judgement]) -> None:
        """Take in one more performance."""
        places = _Places(execution)
        for judgement in judgements:
            for at in judgement.held:
                self._held.update(places.cells(at))
            for wrong in judgement.violations:
                for cell in places.first((wrong.at, *wrong.also)):
                    self._violated.setdefault(cell, set()).add(judgement.rule)
        for run, cell in places.runs.values():
            # without a service call, or because of the id that one brought
            in_time = not run.calls if cell.unsupported else run.brought_id
            if run.raised is not None and run.raised[1].kind == cell.refusal and in_time:
                self._refused.add(cell)
            elif cell.unsupported and (run.calls or run.succeeded):
                self._let_through.add(cell)
            self._silent.setdefault(cell, _ending(run))
        for cell, event in places.creations():
            if isinstance(event, Raised) and cell.unsupported and event.kind == cell.refusal:
                self._refused.add(cell)
            self._silent.setdefault(cell, f"its thread could not be created: {event.text}")

    def results(self, capabilities: Collection[Capability], policies: Policies, broke: str | None = None) -> tuple[CellResult, ...]:
        """What came of every cell. broke: what did in the area, so that no cell can claim that something holds there."""
        return tuple(self._result(cell, cell.missing(capabilities, policies), broke) for cell in CELLS)

    def _result(self, cell: Cell, missing: Sequence[str], broke: str | None) -> CellResult:
        violated = set(self._violated.get(cell, ()))
        if cell in self._let_through and not missing:
            violated.add(HOSTED_NEEDS_SUPPORT)
        if violated:
            return CellResult(cell=cell, outcome="violated", rules=tuple(sorted(violated)))
        if missing:
            return CellResult(cell=cell, outcome="not supported", reason=f"needs {', '.join(missing)}")
        if broke is not None:
            return CellResult(cell=cell, outcome="not reached", reason=broke, broke=True)
        if cell in self._refused:
            return CellResult(cell=cell, outcome="refused")
        if cell in self._held:
            return CellResult(cell=cell, outcome="held")
        return CellResult(cell=cell, outcome="not reached", reason=self._silent.get(cell, "no run got there"))


class _Places:
    """Which cell each event of one execution belongs to."""

    def __init__(self, execution: ExecutionView) -> None:
        self._execution = execution
        self.runs: dict[int, tuple[RunView, Cell]] = {}
        self._in_step: dict[int, list[tuple[str, Cell]]] = {}
        for run, thread, agent in execution.agent_runs():
            cell = cell_of(agent, kind_before(execution, run), streaming=isinstance(run.spec, Run) and run.spec.stream)
            self.runs[run.number] = run, cell
            for step in {event.step for _, event in run.events}:
                self._in_step.setdefault(step, []).append((thread, cell))
        for number, step in enumerate(execution.scenario.steps):
            if isinstance(step, CreateThread):
                self._in_step[number] = [(step.thread, cell) for cell in _planned(execution, step)]

    def first(self, positions: Iterable[int]) -> list[Cell]:
        """The cells of the first of these events that belongs to any."""
        nowhere: list[Cell] = []
        return next((found for found in map(self.cells, positions) if found), nowhere)

    def cells(self, at: int) -> list[Cell]:
        """The cell of the run that an event is in. One beside a run belongs to those of its step, first of all on its thread.

        What happens when a thread is created belongs to every run that the scenario has for it.
        """
        event = self._execution.trace.events[at]
        if event.run in self.runs:
            return [self.runs[event.run][1]]
        here = self._in_step.get(event.step, [])
        return [cell for thread, cell in here if thread == getattr(event, "thread", None)] or [cell for _, cell in here]

    def creations(self) -> Iterator[tuple[Cell, Raised | Refused]]:
        """The threads that could not be created, as cells of the runs that the scenario has for them."""
        for kind in (Raised, Refused):
            for _, event in self._execution.of(kind):
                if event.run is None and isinstance(self._execution.scenario.steps[event.step], CreateThread):
                    yield from ((cell, event) for _, cell in self._in_step[event.step])


def _planned(execution: ExecutionView, step: CreateThread) -> list[Cell]:
    agent = execution.scenario.agents[step.agent]
    ways = dict.fromkeys(run.stream for run in execution.scenario.runs() if run.thread == step.thread)
    return [cell_of(agent, step.kind, streaming=stream) for stream in ways]


def _ending(run: RunView) -> str:
    """What came of a run of which no rule says anything."""
    if run.raised is not None:
        return f"a run there raised an error of kind {run.raised[1].kind}: {run.raised[1].text}"
    refused = run.of(Refused)
    if refused:
        return f"the adapter cannot perform a run there: {refused[0][1].text}"
    return f"a run there ended ({run.ending}), and no rule says anything of it"
