"""Small rules, scenarios and implementations that the tests judge, independent of the suite's own."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from conformance.judging.material import Material
from conformance.reference.implementation import Reference
from conformance.rules.execution_view import ExecutionView
from conformance.rules.preconditions import whole_execution
from conformance.rules.rule import Finding, Rule, finding, rule
from conformance.scenario.scenario import CreateThread, Run, Scenario, Step
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import RunReturned
from conformance.trace.exchange import Response, Turn
from conformance.trace.messages import Message


def answers_are_short(execution: ExecutionView) -> Iterator[Finding]:
    """No answer is a shout."""
    for at, event in execution.of(RunReturned):
        shouted = any(message.text.isupper() for message in event.messages)
        yield finding(not shouted, at, "loud", expected="an answer in a normal voice", got="a shout")


def never_asked(_: ExecutionView) -> Iterator[Finding]:
    """Nothing exercises this."""
    yield from ()


def faulty(_: ExecutionView) -> Iterator[Finding]:
    """A rule with a bug."""
    raise KeyError("a bug in the rule")


def sample_rule(check: Any = answers_are_short, id: str = "THR-05", level: Any = "MUST", **more: Any) -> Rule:
    def alone(execution: ExecutionView, _: ExecutionView) -> Any:
        return check(execution)

    alone.__doc__ = check.__doc__
    return rule(
        id,
        level=level,
        needs=more.get("needs", ()),
        policies=more.get("policies", ()),
        aspects=("loud",),
        each=whole_execution,
    )(alone)


def conversation(*turns: str, title: str = "") -> Scenario:
    steps: list[Step] = [CreateThread(thread="t", agent="a")]
    steps += [Run(thread="t", say=(said,)) for said in turns]
    return Scenario(title=title, agents={"a": AgentSpec()}, steps=tuple(steps))


WORDS = st.sampled_from(["hello", "how are you", "please shout", "bye"])


def material(*fixtures: tuple[str, Scenario], generated: Any = None, corpus: Sequence[Scenario] = ()) -> Material:
    """Fixtures, what can be drawn, and a corpus."""
    pool = generated if generated is not None else st.lists(WORDS, max_size=6).map(lambda said: conversation(*said))
    return Material(lambda _: fixtures, lambda *_: pool, lambda _: frozenset(), corpus=lambda _: corpus)


class Shouting(Reference):
    """Shouts when it is asked to: a bug that takes one particular input."""

    name = "shouting"

    async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
        response = await super().run(agent, thread, turn)
        if turn.messages[-1].text == "please shout":
            return Response(messages=(Message(role="assistant", text="HELLO"),))
        return response


class Hanging(Reference):
    name = "hanging"

    async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
        await asyncio.sleep(3600)
        raise AssertionError("unreachable")


class Leaving(Reference):
    name = "leaving"

    async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
        sys.exit("enough of this")


class Dying(Reference):
    """Would take the whole process with it, as if all were well."""

    name = "dying"

    async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
        os._exit(0)


class Malformed(Reference):
    name = "malformed"

    async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
        return Response(messages=(Message(role="robot", text="beep"),))  # type: ignore[arg-type]


class CallingHome(Reference):
    name = "calling-home"

    async def run(self, agent: Any, thread: Any, turn: Turn) -> Response:
        socket.create_connection(("192.0.2.1", 443), timeout=1)
        raise AssertionError("unreachable")
