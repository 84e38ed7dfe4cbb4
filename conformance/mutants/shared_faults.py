"""Faults behind several mutants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.mutants.overrides import aside
from conformance.reference.agent import Agent
from conformance.reference.client import Emit
from conformance.reference.history_home import HistoryHome
from conformance.reference.thread import Thread
from conformance.reference.tools import Tools
from conformance.scenario.scenario import Scenario, Together
from conformance.trace.exchange import Response, Turn


class CurrentThreadAgent(Agent):
    """An agent that keeps "the current thread" on itself, although runs may interleave: that of the run that began first."""

    @aside
    async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
        """Keep the thread while nobody else keeps one."""
        mine = vars(self.home).setdefault("current", thread) is thread
        try:
            return await super().run(thread, turn, emit, stream=stream)
        finally:
            if mine:
                vars(self.home).pop("current", None)


def current(home: HistoryHome, thread: Thread) -> Thread:
    """The current thread of such an agent; this one where no run is under way."""
    return vars(home).get("current", thread)


def of_a_plain_tool(tools: Tools, given: Mapping[str, Any]) -> bool:
    """Whether a call is of a tool that is neither an agent nor a handoff."""
    tool = tools.named.get(given["call"].tool)
    return tool is not None and tool.spec.agent is None


def interleaves(scenario: Scenario) -> bool:
    """Whether there are runs in it that may interleave."""
    return any(isinstance(step, Together) for step in scenario.steps)


class StreamNotingAgent(Agent):
    """An agent that notes on the thread whether its latest run streams."""

    @aside
    async def run(self, thread: Thread, turn: Turn, emit: Emit, *, stream: bool) -> Response:
        """Note how the run is made."""
        vars(thread)["streams"] = stream
        return await super().run(thread, turn, emit, stream=stream)


def streams(thread: Thread) -> bool:
    """Whether the latest run of such an agent on a thread streams."""
    return bool(vars(thread).get("streams"))
