"""Which runs of a workflow come after others, and what leaks into them, on traces written by hand."""

from __future__ import annotations

from flows import flow, run
from written import Written

from conformance.rules.condition import Selection
from conformance.rules.orchestration.later_run import (
    LaterRun,
    later_run_as_agent,
    later_run_on_thread,
    leaked_at,
    run_again,
)
from conformance.scenario.scenario import Respond
from conformance.scenario.specs import WorkflowSpec

OTHER = {"x": WorkflowSpec(pattern="sequential", participants=("a", "b"))}
RUNS = (
    run(),
    run(workflow="x"),
    run(as_agent=True),
    run(as_agent=True, thread="t"),
    run(as_agent=True, thread="u"),
    run(as_agent=True, thread="t"),
)


def performed() -> Written:
    """Each of the runs, to its end."""
    written = Written(flow(runs=RUNS, others=OTHER))
    for each in RUNS:
        written.run()
        written = written.returned("B") if each.as_agent else written.completed("B")
    return written


def numbers(selection: Selection[LaterRun], written: Written) -> list[tuple[int | None, list[int | None]]]:
    """The later runs, each with those before it, by number."""
    return [(each.itself.run.number, [other.run.number for other in each.earlier]) for each in selection(written.view)]


def test_a_later_run_is_one_of_the_same_workflow():
    assert numbers(run_again, performed()) == [(2, [0]), (3, [0, 2]), (4, [0, 2, 3]), (5, [0, 2, 3, 4])]


def test_a_later_run_as_an_agent_is_after_others_as_agents():
    assert numbers(later_run_as_agent, performed()) == [(3, [2]), (4, [2, 3]), (5, [2, 3, 4])]


def test_a_later_run_on_a_thread_is_after_others_on_that_thread():
    assert numbers(later_run_on_thread, performed()) == [(5, [3])]


def test_no_run_is_after_one_that_goes_on_in_spite_of_it():
    written = Written(flow(runs=(run(), run(), Respond()))).run().pending(tool="pay", id="r").run().completed("B").answered(0)
    assert numbers(run_again, written) == [(1, [0])]
    assert numbers(run_again, written.completed("B")) == []


def test_texts_of_earlier_runs_leak():
    written = Written(flow(runs=(run("one"), run("two")))).run().completed("B").run().completed("two", "one")
    (each,) = run_again(written.view)
    assert len(leaked_at(written.view, each)) == 1
    written = Written(flow(runs=(run("one"), run("two")))).run().completed("B").run().completed("two")
    (each,) = run_again(written.view)
    assert not leaked_at(written.view, each)
