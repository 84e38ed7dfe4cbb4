"""Scenarios with a history provider, and runs that are kept as they should, which the unit tests on persistence share."""

from __future__ import annotations

from typing import Any

from talks import talk
from written import Said, Written, calls, results

from conformance.scenario.scenario import Run, Scenario
from conformance.scenario.specs import AgentSpec, ToolSpec
from conformance.trace.messages import Message

TOOLS = {"weather": ToolSpec(returns="sunny"), "stop": ToolSpec(returns="stopped", terminates=True), "pay": ToolSpec(approval=True)}
PER_CALL: dict[str, Any] = {"per_service_call": True}
AS_IS: dict[str, Any] = {"client_as_is": True}
BARE: dict[str, Any] = {"client_as_is": True, "per_service_call": True}
DECORATED: dict[str, Any] = {"client_as_is": True, "per_service_call": True, "decorated": True}

ASKS, SUNNY = calls("c1", weather={}), results(c1="sunny")
STOPS, STOPPED = calls("c1", stop={}), results(c1="stopped")


def kept(*runs: Run, kind: Any = "local", b: AgentSpec | None = None, **agent: Any) -> Scenario:
    """A thread t of agent a, which has tools and a history provider; two plain runs where none are given."""
    return talk(kind, *runs, b=b, **{"history": "provider", "tools": TOOLS, **agent})


def begun(scenario: Scenario | None = None, kind: Any = "local", **policies: Any) -> Written:
    """The thread is made."""
    return Written(scenario or kept(), **policies).created("t", kind)


def turn(written: Written, said: str, answer: str, *appended: Said, before: tuple[Said, ...] = (), **replied: Any) -> Written:
    """A plain run, which appends this, or else what was said."""
    written.run("t").called(*before, said).replied(answer, **replied)
    return written.appended(*(appended or (said, f"={answer}"))).returned(answer)


def stopped(written: Written, *appended: Said, said: str = "one", asks: Message = STOPS, **replied: Any) -> Written:
    """A run that a tool ends, and that appends this in one go after it, where it is anything."""
    written.run("t").called(said).replied(asks, **replied).tool(asks.calls[0].id, "stop", "stopped", terminated=True)
    return (written.appended(*appended) if appended else written).returned(asks)
