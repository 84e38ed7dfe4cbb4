"""A case: one performed scenario as rules read it, run by run and thread by thread.

It knows the conversation as it happened, from the inputs of the scenario, the replies of the service and the results of its tools:
this, and never what an implementation says, is what requests and stored history are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal

from conformance.rules.run import E, RunView
from conformance.scenario import AgentSpec, Run, RunWorkflow, Scenario, Together
from conformance.trace import (
    HistoryAppended,
    Message,
    Part,
    RunStarted,
    ThreadDescribed,
    ToolReturned,
    Trace,
    parts,
)
from conformance.vocabulary import Capability, Policies, ThreadKind


class Case:
    """One performed scenario."""

    def __init__(self, scenario: Scenario, trace: Trace) -> None:
        self.scenario = scenario
        self.trace = trace

    @property
    def policies(self) -> Policies:
        """What the implementation declared."""
        return self.trace.policies

    def can(self, capability: Capability) -> bool:
        """Whether the implementation declared a capability."""
        return capability in self.trace.capabilities

    def of(self, kind: type[E]) -> list[tuple[int, E]]:
        """All events of one kind with their positions."""
        return [(at, event) for at, event in enumerate(self.trace.events) if isinstance(event, kind)]

    @cached_property
    def runs(self) -> list[RunView]:
        """Every run that began, in order."""
        views: dict[int, RunView] = {}
        for at, event in enumerate(self.trace.events):
            if isinstance(event, RunStarted) and event.run is not None:
                views[event.run] = RunView(self, event.run, at, self._spec_of(at, event))
            if event.run in views:
                views[event.run].events.append((at, event))
        return list(views.values())

    def _spec_of(self, at: int, event: RunStarted) -> Run | RunWorkflow:
        step = self.scenario.steps[event.step]
        if isinstance(step, Together):
            earlier = [e for e in self.trace.events[:at] if isinstance(e, RunStarted) and e.step == event.step]
            same = [run for run in step.runs if run.thread == event.thread]
            return same[sum(1 for e in earlier if e.thread == event.thread)]
        assert isinstance(step, (Run, RunWorkflow))
        return step

    def agent_runs(self) -> Iterator[tuple[RunView, str, AgentSpec]]:
        """Every run on a thread, with the thread's name and its agent."""
        for run in self.runs:
            if run.thread is not None:
                yield run, run.thread, self.scenario.agent_of(run.thread)

    def workflow_runs(self) -> Iterator[tuple[RunView, RunWorkflow]]:
        """Every run of a workflow."""
        for run in self.runs:
            if isinstance(run.spec, RunWorkflow):
                yield run, run.spec

    def earlier(self, run: RunView) -> list[RunView]:
        """The runs on the same thread that began before this one."""
        return [other for other in self.runs if other.thread == run.thread and other.number < run.number]

    def kind_before(self, run: RunView) -> ThreadKind:
        """The kind of the run's thread when the run began: as created, or what an earlier run made of it.

        A transition makes a local thread hosted, and so does a surprising service whose id was not refused as a conflict.
        """
        assert run.thread is not None
        kind = self.scenario.kind_of(run.thread)
        if kind != "local":
            return kind
        for other in self.earlier(run):
            stored = self.policies.store_conflict == "transform" and isinstance(other.spec, Run) and other.spec.store
            surprised = self.scenario.agent_of(run.thread).service.surprising and other.brought_id
            refused = other.raised is not None and other.raised[1].kind == "conflict"
            if (stored and other.succeeded) or (surprised and not refused):
                return "hosted"
        return kind

    def id_before(self, run: RunView) -> str | None:
        """The conversation id of the run's thread, as the implementation described it last before the run began."""
        states = [state for at, state in self.of(ThreadDescribed) if state.thread == run.thread and at < run.at]
        return states[-1].conversation_id if states else None

    def persists(self, agent: AgentSpec) -> Literal["per run", "per call", "not"]:
        """When an agent's local history is appended, by the configuration matrix; `not`: the caller's responsibility."""
        if not agent.per_service_call:
            return "per run"
        return "per call" if not agent.client_as_is or agent.decorated else "not"

    def stored_after(self, run: RunView, agent: AgentSpec) -> list[Part]:
        """What local history should have gained from a run, by the configuration matrix."""
        match self.persists(agent):
            case "per run":
                trimmed = run.terminated and self.policies.trailing_result == "trimmed"
                kept = run.ending in ("returned", "waiting")
                return run.happened(trailing=not trimmed) if kept else []
            case "per call":
                return run.happened(trailing=False) if any(view.reply for view in run.calls) else []
            case "not":
                return []

    def local_history(self, run: RunView) -> list[Part]:
        """What a local thread's history should be when a run begins."""
        assert run.thread is not None
        agent = self.scenario.agent_of(run.thread)
        return [part for other in self.earlier(run) for part in self.stored_after(other, agent)]

    def injected(self, agent: AgentSpec) -> set[Part]:
        """The parts that an agent's context providers add."""
        return {("user", text) for provider in agent.context.values() for text in provider.adds}

    @cached_property
    def _values(self) -> dict[str, str]:
        return {event.id: event.value for _, event in self.of(ToolReturned) if event.id is not None}

    def heard(self, messages: Sequence[Message]) -> list[Part]:
        """The parts of messages as they compare with what happened.

        A result that does not hold what its tool returned is not that result. Results of one reply may come in any order, and an
        empty text beside calls says nothing.
        """
        found: list[Part] = []
        waiting: list[Part] = []
        wrong: dict[Part, Part] = {
            ("result", result.id): ("result", result.id, f"other than {self._values[result.id]!r}: {result.value!r}")
            for message in messages
            for result in message.results
            if result.id in self._values and self._values[result.id] not in result.value
        }
        for part in parts(messages):
            if part[0] == "result":
                waiting.append(wrong.get(part, part))
                continue
            if part[0] == "call" and found and found[-1] == ("assistant", ""):
                found.pop()
            found += _by_number(waiting)
            waiting = []
            found.append(part)
        return found + _by_number(waiting)

    def spoken(self, messages: Sequence[Message], agent: AgentSpec) -> list[Part]:
        """What is heard in a request of the conversation: without instructions and what context providers added."""
        aside = self.injected(agent)
        return [part for part in self.heard(messages) if part[0] != "system" and part not in aside]

    def appends(self, thread: str) -> list[tuple[int, HistoryAppended]]:
        """The appends of all runs on a thread, in order."""
        return [found for run in self.runs if run.thread == thread for found in run.stored]


def _by_number(results: list[Part]) -> list[Part]:
    """Results in the order of their calls, which the service numbers."""
    return sorted(results, key=lambda part: (len(part[1]), part[1]))
