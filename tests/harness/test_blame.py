"""Mistakes of an adapter are told from what the implementation under test does."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from samples import conversation, material

from conformance.harness.blame import place_of
from conformance.harness.runner import perform
from conformance.implementation.subject import subject
from conformance.judging.judge import Judge
from conformance.reference.agent import Agent
from conformance.reference.implementation import Reference
from conformance.rules.catalogue import CATALOGUE
from conformance.scenario.scenario import CreateThread, Run, Scenario
from conformance.scenario.specs import AgentSpec, CallSpec, ReplySpec, ToolSpec
from conformance.trace.adapter_events import Chunk, Raised
from conformance.trace.exchange import ChunkSeen, Pending, Response
from conformance.trace.harness_events import Warned

HERE = "tests/harness/test_blame.py"

TALK = Scenario(
    agents={"a": AgentSpec(tools={"weather": ToolSpec(returns="sunny")})},
    steps=(
        CreateThread(thread="t", agent="a"),
        Run(thread="t", say=("one",), replies=(ReplySpec(calls=(CallSpec(tool="weather"),)), ReplySpec(text="fine"))),
        Run(thread="t", say=("two",), stream=True, replies=(ReplySpec(text="very well"),)),
    ),
)


class CallsWithTooLittle(Reference):
    async def run(self, agent: Any, thread: Any, turn: Any) -> Any:
        return await agent.run(thread, turn)  # here


class HandsOverNone(Reference):
    async def run(self, agent: Any, thread: Any, turn: Any) -> Any:  # here
        response = await super().run(agent, thread, turn)
        return Response(messages=response.messages, pending=None)  # type: ignore[arg-type]


class ForgetsAnAwait(Reference):
    async def run(self, agent: Any, thread: Any, turn: Any) -> Any:
        coroutine: Any = super().run(agent, thread, turn)
        coroutine.close()
        return Response(messages=coroutine.messages)  # here


class ReadsAWrongAttribute(Reference):
    async def create_agent(self, name: str, spec: Any, inner: Any) -> Any:
        assert not spec.instructions  # here
        return await super().create_agent(name, spec, inner)


class RaisesAfterTheFirstChunk(Reference):
    async def stream(self, agent: Any, thread: Any, turn: Any) -> AsyncIterator[Any]:
        async for item in super().stream(agent, thread, turn):
            yield item
            raise KeyError("delta")  # here


class NamesARequestByAList(Reference):
    async def run(self, agent: Any, thread: Any, turn: Any) -> Any:  # here
        return Response(pending=(Pending(id=["c1"]),))  # type: ignore[arg-type]


class StreamsAList(Reference):
    def stream(self, agent: Any, thread: Any, turn: Any) -> Any:  # here
        return [ChunkSeen(text="very well")]


class DescribesByHalf(Reference):
    async def describe_thread(self, agent: Any, thread: Any) -> Any:
        return dict(thread.kind)  # here


class UnpacksTooMuch(Reference):
    errors = {**Reference.errors, ValueError: "invalid"}

    async def run(self, agent: Any, thread: Any, turn: Any) -> Any:
        response = await super().run(agent, thread, turn)
        question, result, answer, rest = response.messages  # type: ignore[misc]  # here
        return Response(messages=(question, result, answer, rest))


class ReturnsNothing(Reference):
    async def run(self, agent: Any, thread: Any, turn: Any) -> Any:  # here
        await super().run(agent, thread, turn)


class ReadsDamagedJson(Reference):
    async def create_thread(self, agent: Any, kind: Any) -> Any:
        import json

        return json.loads("{")  # here, in whose name the standard library raises


MISTAKES = [kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, Reference) and kind is not Reference]


def line_of(kind: type) -> int:
    """The line of a class that is marked."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    begin = lines.index(f"class {kind.__name__}(Reference):")
    return next(place for place in range(begin, len(lines)) if "# here" in lines[place]) + 1


@pytest.mark.parametrize("kind", MISTAKES, ids=lambda kind: kind.__name__)
def test_a_mistake_of_the_adapter_is_no_observation_and_names_file_and_line(kind: type[Reference]) -> None:
    trace = perform(TALK, kind)
    assert trace.broken is not None
    assert (trace.broken.blame, trace.broken.where) == ("adapter", f"{HERE}:{line_of(kind)}")
    assert not any(isinstance(event, Raised) for event in trace.events)


@pytest.mark.parametrize("kind", MISTAKES, ids=lambda kind: kind.__name__)
def test_no_rule_calls_a_mistake_of_the_adapter_a_violation(kind: type[Reference]) -> None:
    rules = [CATALOGUE[id] for id in ("THR-01", "THR-05", "THR-26", "THR-27")]
    judge = Judge(subject(kind), rules, material=material(("talk", TALK)))
    for rule in rules:
        verdict = judge.verdict(rule)
        assert verdict.verdict == "error"
        assert "a mistake of the adapter" in verdict.reason
        assert f"at {HERE}:{line_of(kind)}" in verdict.reason


def test_what_was_seen_before_the_mistake_is_kept() -> None:
    trace = perform(TALK, RaisesAfterTheFirstChunk)
    assert any(isinstance(event, Chunk) for event in trace.events)


class Framework(Exception):
    """A type of error that only the framework has."""


def test_what_the_implementation_raises_is_its_own_with_the_innermost_frame_of_its_code() -> None:
    class _Agent(Agent):
        async def run(self, *_: Any, **__: Any) -> Response:
            return {}["reply"]  # the reference's own classes may be derived from: what they raise is under test

    class Deriving(Reference):
        agent_type = Agent

        async def run(self, agent: Any, thread: Any, turn: Any) -> Any:
            raise Framework("no")

    raised = [event for event in perform(TALK, Deriving).events if isinstance(event, Raised)]
    assert [(event.kind, event.native, event.text) for event in raised] == [("other", "Framework", "no")]


def test_the_reference_names_no_line_of_its_own() -> None:
    refused = Scenario(agents=TALK.agents, steps=(*TALK.steps, Run(thread="t", say=("three",), store=True)))
    raised = [event for event in perform(refused, Reference).events if isinstance(event, Raised)]
    assert [(event.kind, event.where) for event in raised] == [("conflict", None)]


def test_a_log_record_with_arguments_that_do_not_fit_raises_nothing_into_the_framework() -> None:
    class Logs(Reference):
        async def run(self, agent: Any, thread: Any, turn: Any) -> Any:
            logging.getLogger("some.framework").warning("%d tokens", "many")
            return await super().run(agent, thread, turn)

    trace = perform(conversation("hello"), Logs)
    assert trace.broken is None
    assert [event.text for event in trace.events if isinstance(event, Warned)] == ["%d tokens"]


def test_a_method_has_a_place() -> None:
    assert place_of(HandsOverNone(), "run") == f"{HERE}:{line_of(HandsOverNone)}"
