"""Scenarios and beginnings of traces that the unit tests on threads share."""

from __future__ import annotations

from typing import Any

from written import Written

from conformance.scenario.scenario import CreateThread, Run, Scenario, Step
from conformance.scenario.specs import AgentSpec, ServiceSpec

ONE_ID, NEW_IDS = ServiceSpec(keeps="one_id"), ServiceSpec(keeps="new_ids")
BY_DEFAULT = ServiceSpec(keeps="one_id", stores_by_default=True)
SURPRISING = ServiceSpec(keeps="new_ids", surprising=True)


def talk(
    kind: Any = "local", *runs: Run, before: tuple[Step, ...] = (), with_id: bool = False, b: Any = None, **a: Any
) -> Scenario:
    """A thread t of agent a, and runs on it: two plain ones where none are given. b: another agent."""
    agents = {"a": AgentSpec(**a), **({"b": b} if b else {})}
    plain = (Run(thread="t", say=("one",)), Run(thread="t", say=("two",)))
    made = CreateThread(thread="t", agent="a", kind=kind, with_id=with_id)
    return Scenario(agents=agents, steps=(*before, made, *(runs or plain)))


def run(*say: str, **options: Any) -> Run:
    """A run on t."""
    return Run(thread="t", say=say, **options)


def local_turn(scenario: Scenario, **policies: Any) -> Written:
    """The thread is made, and its first run goes as it should on a local thread."""
    return local_run(Written(scenario, **policies).created("t", "local"), "one", "1")


def local_run(written: Written, said: str, answer: str, *before: str) -> Written:
    """A run that goes as it should on a local thread, on which this was said before."""
    whole = (*before, said, f"={answer}")
    written = written.run("t").called(*before, said, store=False).replied(answer).returned(answer)
    return written.described("t", "local", *whole)


def hosted_turn(scenario: Scenario, *, id: str = "a-1", **policies: Any) -> Written:
    """The thread is made, and its first run goes as it should on a hosted thread."""
    written = Written(scenario, **policies).created("t", "hosted", hidden=True)
    return hosted_run(written, "one", "1", id=id)


def hosted_run(written: Written, said: str, answer: str, *, id: str = "a-1", **asked: Any) -> Written:
    """A run that goes as it should on a hosted thread."""
    written = written.run("t").called(said, store=True, **asked).replied(answer, conversation_id=id, kept=True)
    return written.returned(answer).described("t", "hosted", hidden=True, conversation_id=id)
