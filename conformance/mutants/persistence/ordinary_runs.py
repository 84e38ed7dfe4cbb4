"""The runs in which a fault of storing shows.

A store that loses messages loses them everywhere, and nearly every rule of the area would see it. Here those see it that are about
storing: the fault is there only in runs in which nothing else is special.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from conformance.matrix.cells import SETTINGS
from conformance.reference.setting import Setting
from conformance.reference.thread import Thread
from conformance.scenario.scenario import Run
from conformance.scenario.specs import ReplySpec, ToolSpec

Special = Literal["approvals", "ending tools", "failing tools", "failures", "supplied results", "switches"]
"""What makes a run special. failures: of the service, of the history provider, or of a consumer that leaves."""


@dataclass(frozen=True)
class AnyRuns:
    """All runs in some cells of the configuration matrix; as a condition, of calls that are given a thread. cells: their names."""

    cells: Sequence[str] = ("M1", "M2", "M3", "M4")

    def include(self, setting: Setting, thread: Thread) -> bool:
        """Whether the run that is under way is one of them."""
        return SETTINGS[setting.spec.client_as_is, setting.spec.per_service_call] in self.cells

    def __call__(self, part: Any, given: Mapping[str, Any]) -> bool:
        """The same of a call of a part of an agent."""
        return self.include(part.setting, given["thread"])


@dataclass(frozen=True)
class OrdinaryRuns(AnyRuns):
    """Runs that come to their end by themselves, as all did on the thread before.

    but: what may be there all the same. alone: only where there is no other agent, with whose threads this one's could be compared.
    built: only where there is none whose client stack its caller built. untold: only where no context provider is told.
    having: only those that have this.
    """

    but: frozenset[Special] = frozenset()
    alone: bool = False
    built: bool = False
    untold: bool = False
    having: Callable[[Run], Any] | None = None

    def include(self, setting: Setting, thread: Thread) -> bool:
        """Whether the run that is under way is one of them."""
        return super().include(setting, thread) and not self._compared(setting) and self._ordinary_so_far(setting)

    def _compared(self, setting: Setting) -> bool:
        agents = setting.world.scenario.agents
        return (
            (self.alone and len(agents) > 1)
            or (self.built and any(agent.client_as_is for agent in agents.values()))
            or (self.untold and bool(setting.contexts))
        )

    def _ordinary_so_far(self, setting: Setting) -> bool:
        scenario, number = setting.world.scenario, setting.world.script.number
        runs = list(scenario.runs())
        if number >= len(runs):
            return False
        origin = scenario.creation_of(runs[number].thread)
        mine = [(place, run) for place, run in enumerate(runs) if scenario.creation_of(run.thread) == origin]
        apart = any(step is runs[number] for step in scenario.steps)
        steady = "switches" in self.but or not any(run.per_service_call is not None or run.background for _, run in mine)
        has = self.having is None or bool(self.having(runs[number]))
        return has and apart and steady and all(self._ordinary(setting, run) for place, run in mine if place <= number)

    def _ordinary(self, setting: Setting, run: Run) -> bool:
        asking = [reply for reply in run.replies if reply.calls]
        limited = setting.spec.limit is not None and len(asking) >= setting.spec.limit
        empty = "" in run.say or any(reply.text == "" for reply in run.replies)
        supplies = run.supplies and "supplied results" not in self.but
        strange = self._fails(run) or supplies or limited or empty or setting.service.spec.strict
        return not (strange or any(self._special(setting, reply) for reply in run.replies))

    def _fails(self, run: Run) -> bool:
        failing = (run.abandons, run.load_fails, run.append_fails) != (None, None, None)
        return "failures" not in self.but and (failing or run.forgotten or any(reply.error is not None for reply in run.replies))

    def _special(self, setting: Setting, reply: ReplySpec) -> bool:
        tools = [setting.spec.tools[call.tool] for call in reply.calls if call.tool in setting.spec.tools]
        cancelled = reply.cancelled or any(call.cancelled for call in reply.calls)
        return cancelled or any(self._special_tool(tool) for tool in tools)

    def _special_tool(self, tool: ToolSpec) -> bool:
        return (
            (tool.raises is not None and "failing tools" not in self.but)
            or (tool.terminates and "ending tools" not in self.but)
            or (tool.approval and "approvals" not in self.but)
        )


def calling(run: Run) -> bool:
    """Whether a run has calls in it."""
    return any(reply.calls for reply in run.replies)


def streaming(run: Run) -> bool:
    """Whether a run streams."""
    return run.stream


def supplying(run: Run) -> bool:
    """Whether the caller supplies results."""
    return run.supplies


ORDINARY = OrdinaryRuns()
ASKING = OrdinaryRuns(but=frozenset({"approvals"}), untold=True)
"""Calls may wait for approval."""
PER_RUN = OrdinaryRuns(("M1",), built=True)
"""The agent persists at the end of a run."""
PER_CALL = OrdinaryRuns(("M2",))
"""The agent persists after every service call."""
ENDING = OrdinaryRuns(("M2",), frozenset({"ending tools", "supplied results"}))
"""A tool may end the loop, and the caller may supply what was lacking."""
FAILING = OrdinaryRuns(but=frozenset({"failures"}))
"""A run may fail, or its consumer leave."""
FAILING_TOOLS = OrdinaryRuns(but=frozenset({"failing tools"}))
SWITCHING = OrdinaryRuns(but=frozenset({"switches"}))
"""The way of persisting may be switched between runs."""
