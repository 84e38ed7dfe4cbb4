"""The stage: whatever an implementation does, there is a trace."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import warnings
from contextlib import suppress
from typing import Any

import pytest

from conformance.harness.runner import STEP_TIMEOUT, perform
from conformance.implementation.protocol import Implementation, NotSupported
from conformance.reference.implementation import Reference
from conformance.scenario.scenario import CreateThread, Run, RunWorkflow, Scenario
from conformance.scenario.specs import AgentSpec, WorkflowSpec
from conformance.trace.adapter_events import Failed, Idle, Raised, RunReturned
from conformance.trace.exchange import ChunkSeen, FailedSeen, IdleSeen, Response, Turn
from conformance.trace.harness_events import Broke, Refused, RunStarted, Warned
from conformance.trace.trace import Trace

TWO_RUNS = Scenario(
    agents={"a": AgentSpec()},
    steps=(CreateThread(thread="t", agent="a"), Run(thread="t", say=("one",)), Run(thread="t", say=("two",))),
)


def performed(run: Any, timeout: float = STEP_TIMEOUT) -> Trace:
    """Perform two runs on a reference whose `run` is replaced."""

    class Faulty(Reference):
        async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
            return await run(super(), agent, thread, turn)

    return perform(TWO_RUNS, Faulty, timeout=timeout)


async def blocks_the_thread(real: Any, *arguments: Any) -> Response:
    time.sleep(3)
    raise AssertionError


async def swallows_cancellation(real: Any, *arguments: Any) -> Response:
    for _ in range(30):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.1)
    raise AssertionError


async def exits(real: Any, *arguments: Any) -> Response:
    sys.exit(3)


async def exits_in_a_task(real: Any, *arguments: Any) -> Response:
    async def leave() -> None:
        sys.exit(3)

    await asyncio.ensure_future(leave())
    raise AssertionError


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (blocks_the_thread, "timeout"),
        (swallows_cancellation, "timeout"),
        (exits, "exit"),
        (exits_in_a_task, "exit"),
    ],
)
def test_an_end_that_cannot_be_judged_is_recorded_after_what_was_observed(fault: Any, cause: str):
    trace = performed(fault, timeout=0.5 if cause == "timeout" else STEP_TIMEOUT)
    assert trace.broken is not None
    assert trace.broken.cause == cause
    assert any(isinstance(event, RunStarted) for event in trace.events)
    assert not any(isinstance(event, RunReturned) for event in trace.events)


class Overloaded(Exception):
    """What only this implementation raises."""


async def raises(real: Any, *arguments: Any) -> Response:
    raise Overloaded("by nought")


def test_an_exception_is_an_observation_and_the_run_goes_on():
    trace = performed(raises)
    raised = [event for event in trace.events if isinstance(event, Raised)]
    assert [(event.kind, event.native, event.text) for event in raised] == [("other", "Overloaded", "by nought")] * 2
    assert trace.broken is None


async def refuses(real: Any, *arguments: Any) -> Response:
    raise NotSupported("no such thing here")


def test_a_step_that_cannot_be_expressed_is_refused():
    assert [event.text for event in performed(refuses).events if isinstance(event, Refused)] == ["no such thing here"] * 2


async def complains(real: Any, *arguments: Any) -> Response:
    warnings.warn("beware of 0x7f3a5c001234", stacklevel=1)
    logging.getLogger("some.framework").warning("run 123e4567-e89b-12d3-a456-426614174000")
    return await real.run(*arguments)


def test_warnings_and_log_records_are_events_without_anything_unstable():
    warned = [event for event in performed(complains).events if isinstance(event, Warned)]
    assert [(event.text, event.source, event.run) for event in warned[:2]] == [
        ("beware of …", "UserWarning", 0),
        ("run …", "some.framework", 0),
    ]


def test_a_constructor_that_raises_is_a_crash_that_names_its_error():
    def broken() -> Implementation:
        raise RuntimeError("no licence")

    trace = perform(TWO_RUNS, broken)
    assert isinstance(trace.events[0], Broke)
    assert "no licence" in trace.events[0].text


def test_the_same_scenario_gives_the_same_trace():
    assert perform(TWO_RUNS, Reference) == perform(TWO_RUNS, Reference)


def test_a_stream_that_never_ends_is_a_timeout():
    class Endless(Reference):
        async def stream(self, agent: Any, thread: Any, turn: Turn) -> Any:
            while True:
                await asyncio.sleep(0)
                yield ChunkSeen(text="again ")

    scenario = Scenario(
        agents={"a": AgentSpec()}, steps=(CreateThread(thread="t", agent="a"), Run(thread="t", say=("one",), stream=True))
    )
    trace = perform(scenario, Endless, timeout=0.5)
    assert trace.broken is not None
    assert trace.broken.cause == "timeout"


async def returns_nothing(real: Any, *arguments: Any) -> Any:
    return None


def test_an_adapter_that_returns_something_else_is_malformed_and_told_what_was_expected():
    broken = performed(returns_nothing).broken
    assert broken is not None
    assert (broken.cause, broken.text) == ("malformed", "run of the adapter: got None, expected a Response")


def test_a_stream_without_a_response_is_malformed():
    class Silent(Reference):
        async def stream(self, agent: Any, thread: Any, turn: Turn) -> Any:
            yield ChunkSeen(text="…")

    scenario = Scenario(
        agents={"a": AgentSpec()}, steps=(CreateThread(thread="t", agent="a"), Run(thread="t", say=("one",), stream=True))
    )
    broken = perform(scenario, Silent).broken
    assert broken is not None
    assert "expected a Response, last" in broken.text


def following(*items: Any) -> Trace:
    """A workflow of which these things are seen."""

    class Told(Reference):
        async def run_workflow(self, workflow: Any, turn: Turn, *, stream: bool) -> Any:
            for item in items:
                yield item

    sequence = {"w": WorkflowSpec(pattern="sequential", participants=("a",))}
    return perform(Scenario(agents={"a": AgentSpec()}, workflows=sequence, steps=(RunWorkflow(workflow="w", say=("go",)),)), Told)


def test_how_a_workflow_rests_is_written_down_as_it_is_told():
    events = following(IdleSeen(), IdleSeen(pending=None), IdleSeen(pending=2), FailedSeen()).events
    told = [event for event in events if isinstance(event, (Idle, Failed))]
    assert told == [
        Idle(step=0, run=0),
        Idle(step=0, run=0, pending=None),
        Idle(step=0, run=0, pending=2),
        Failed(step=0, run=0),
    ]


@pytest.mark.parametrize("seen", [IdleSeen(pending="two"), None])  # type: ignore[arg-type]
def test_what_is_no_event_of_a_workflow_is_malformed(seen: Any):
    broken = following(seen).broken
    assert broken is not None
    assert broken.cause == "malformed"
    assert "IdleSeen" in broken.text


def test_no_step_is_tried_after_one_that_blocks_the_thread():
    many = Scenario(agents=TWO_RUNS.agents, steps=(*TWO_RUNS.steps, *(Run(thread="t", say=("more",)) for _ in range(20))))

    class Blocking(Reference):
        async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
            return await blocks_the_thread(None)

    trace = perform(many, Blocking, timeout=0.2)
    assert [event.run for event in trace.events if isinstance(event, RunStarted)] == [0]
    assert trace.broken is not None
    assert trace.broken.text == "the implementation blocks its thread"


def test_an_adapter_that_cannot_open_is_an_error_and_not_a_violation():
    class Closed(Reference):
        async def open(self, world: Any) -> None:
            raise OSError("no server")

    class Forgetful(Reference):
        async def open(self, world: Any) -> None:
            pass

    causes = [perform(TWO_RUNS, kind).broken for kind in (Closed, Forgetful)]
    assert [(broken.cause, broken.text) for broken in causes if broken] == [
        ("crash", "open: OSError('no server')"),
        ("malformed", "open of the adapter: got no self.world, expected a call of super().open(world)"),
    ]
