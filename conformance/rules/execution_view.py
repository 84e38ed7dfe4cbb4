"""An execution: one performed scenario as rules read it, run by run and thread by thread.

It knows the conversation as it happened, from the inputs of the scenario, the replies of the service and the results of its tools:
this, and never what an implementation says, is what requests and stored history are compared with.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import cast

import msgspec

from conformance.rules.parts import by_number
from conformance.rules.run_view import E, RunView
from conformance.scenario.scenario import Respond, Run, RunWorkflow, Scenario, Together
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import Restored, Serialized, ThreadDescribed
from conformance.trace.harness_events import (
    ConversationExists,
    Event,
    HistoryAppended,
    RunStarted,
    ServiceReplied,
    Tampered,
    ToolRaised,
    ToolReturned,
)
from conformance.trace.messages import Message, Part, Result, parts
from conformance.trace.trace import Trace
from conformance.vocabulary import Capability, Policies

FACTS = ("kind", "conversation_id", "messages", "context")
"""What a thread is described by."""


class ExecutionView:
    """One performed scenario: its events by kind, run by run and thread by thread, and what is heard in messages."""

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
        return cast("list[tuple[int, E]]", self._by_kind.get(kind, []))

    @cached_property
    def _by_kind(self) -> dict[type[Event], list[tuple[int, Event]]]:
        found: dict[type[Event], list[tuple[int, Event]]] = {}
        for at, event in enumerate(self.trace.events):
            found.setdefault(type(event), []).append((at, event))
        return found

    def injected(self, agent: AgentSpec) -> set[Part]:
        """The parts that an agent's context providers add; and those of others, where threads keep what was added."""
        stored = self.policies.injected_messages == "stored"
        agents = self.scenario.agents.values() if stored else (agent,)
        return {("user", text) for each in agents for provider in each.context.values() for text in provider.adds}

    @cached_property
    def _values(self) -> dict[str, list[str]]:
        """What the tools returned under each call id; an id that comes back has several.

        Left out are calls of which nobody can say that this is their result: where a tool raised under the same id, where another
        call of the same id was not run, or where equal calls waited for approval and one of them was rejected.
        """
        unsure: set[str | None] = {event.id for _, event in self.of(ToolRaised)} | self._perhaps_rejected() | self._not_always_run()
        found: dict[str, list[str]] = {}
        for _, event in self.of(ToolReturned):
            if event.id is not None and event.id not in unsure:
                found.setdefault(event.id, []).append(event.value)
        return found

    def _not_always_run(self) -> set[str]:
        """The ids that came back, and under which some call was not run."""
        called = Counter(call.id for _, reply in self.of(ServiceReplied) for call in reply.message.calls)
        ran = Counter(event.id for _, event in self.of(ToolReturned))
        return {id for id, count in called.items() if count > max(ran[id], 1)}

    def _perhaps_rejected(self) -> set[str | None]:
        """The calls that needed approval, where a step of the scenario refuses one."""
        if not any(isinstance(step, Respond) and not step.approve for step in self.scenario.steps):
            return set()
        replies = [(self.scenario.agents[reply.agent].tools, reply.message.calls) for _, reply in self.of(ServiceReplied)]
        return {call.id for tools, calls in replies for call in calls if call.tool in tools and tools[call.tool].approval}

    def heard(self, messages: Sequence[Message]) -> list[Part]:
        """The parts of messages as they compare with what happened.

        A result that does not hold what its tool returned is not that result. Results of one reply may come in any order, and an
        empty text beside calls of the same author says nothing.
        """
        found: list[Part] = []
        author: str | None = None
        for message in messages:
            wrong = dict(part for result in message.results for part in self._wrong(result))
            for part in parts([message]):
                if part[0] == "call" and found and found[-1] == ("assistant", "") and author == message.author:
                    found.pop()
                found.append(wrong.get(part, part))
            author = message.author
        return by_number(found)

    def _wrong(self, result: Result) -> Iterator[tuple[Part, Part]]:
        """A result that does not hold what its tool returned: its part, and what is heard of it instead."""
        values = self._values.get(result.id, [])
        if values and not any(value in result.value for value in values):
            yield ("result", result.id), ("result", result.id, f"other than {' or '.join(values)!r}: {result.value!r}")

    def spoken(self, messages: Sequence[Message], agent: AgentSpec) -> list[Part]:
        """What is heard of the conversation in a request or on a thread: without instructions and what context providers added."""
        aside = self.injected(agent)
        return [part for part in self.heard(messages) if part[0] != "system" and part not in aside]

    @cached_property
    def runs(self) -> list[RunView]:
        """Every run that began, in order."""
        views: dict[int, RunView] = {}
        for at, event in enumerate(self.trace.events):
            if isinstance(event, RunStarted) and event.run is not None:
                views[event.run] = RunView(self.scenario, self.trace, event.run, at, self._spec_of(event))
            if event.run in views:
                views[event.run].events.append((at, event))
        return list(views.values())

    def _spec_of(self, event: RunStarted) -> Run | RunWorkflow:
        step = self.scenario.steps[event.step]
        if isinstance(step, Together):
            return next(
                run
                for run in step.runs
                if (run.workflow == event.workflow if isinstance(run, RunWorkflow) else run.thread == event.thread)
            )
        assert isinstance(step, (Run, RunWorkflow))
        return step

    def agent_runs(self) -> Iterator[tuple[RunView, str, AgentSpec]]:
        """Every run on a thread, with the thread's name and the run's agent."""
        for run in self.runs:
            if run.thread is not None:
                yield run, run.thread, run.agent

    def workflow_runs(self) -> Iterator[tuple[RunView, RunWorkflow]]:
        """Every run of a workflow."""
        for run in self.runs:
            if isinstance(run.spec, RunWorkflow):
                yield run, run.spec

    def earlier(self, run: RunView) -> list[RunView]:
        """The runs that the thread of a run had before: its own, after those of the thread that it was restored from.

        Each as it was when this run began: one that waited for an answer then still waits.
        """
        if run.number not in self._earlier:
            assert run.thread is not None
            self._earlier[run.number] = self.runs_until(run.thread, run.at)
        return self._earlier[run.number]

    @cached_property
    def _earlier(self) -> dict[int, list[RunView]]:
        return {}

    @cached_property
    def asked_for(self) -> Counter[str]:
        """How many calls there were of each id: some services number them anew in every run."""
        return Counter(call.id for run in self.runs for _, _, call in run.asked_for)

    def runs_until(self, thread: str, at: int) -> list[RunView]:
        """The runs that a thread had had at a position in the trace, those that it inherited first; each as it was then."""
        own = [run.until(at) for run in self.runs if run.thread == thread and run.at < at]
        return [*self.inherited(thread), *own]

    def inherited(self, thread: str) -> list[RunView]:
        """The runs before a thread became what it is: those of the thread that it was restored from, until it became data.

        One that waited for an answer then waits for it on the restored thread too, whatever became of it on the other.
        """
        if thread not in self._inherited:
            self._inherited[thread] = []
            if thread in self._origins:
                self._inherited[thread] = self.runs_until(*self._origins[thread])
        return self._inherited[thread]

    @cached_property
    def _inherited(self) -> dict[str, list[RunView]]:
        return {}

    @cached_property
    def _origins(self) -> dict[str, tuple[str, int]]:
        """For each restored thread: the one that it was restored from, and where in the trace that became data."""
        found: dict[str, tuple[str, int]] = {}
        for at, event in self.of(Restored):
            made = [where for where, data in self.of(Serialized) if data.thread == event.source and where < at]
            if made:
                found[event.thread] = event.source, made[-1]
        return found

    def origin(self, thread: str) -> tuple[str, int] | None:
        """The thread that this one was restored from, and where in the trace that became data; None where it was created."""
        return self._origins.get(thread)

    def related(self, thread: str, other: str) -> bool:
        """Whether two threads come from the same one."""
        return self._root(thread) == self._root(other)

    def _root(self, thread: str) -> str:
        return self._root(self._origins[thread][0]) if thread in self._origins else thread

    def forked(self, run: RunView) -> bool:
        """Whether another thread went on with what this run continues: a conversation under one id, or a provider's history."""
        assert run.thread is not None
        if run.agent.history != "provider" and run.agent.service.keeps != "one_id":
            return False
        known = {other.number: other.events[-1][0] for other in [*self.earlier(run), run]}
        relatives = [other for other in self.runs if other.thread is not None and self.related(run.thread, other.thread)]
        return any(known.get(other.number, -1) < at < run.events[-1][0] for other in relatives for at, _ in other.events)

    def tampered(self, run: RunView) -> bool:
        """Whether the caller changed messages of its own before this run: what becomes of them is THR-36's."""
        return any(self.related(event.thread, run.thread or "") and at < run.at for at, event in self.of(Tampered))

    def id_before(self, run: RunView) -> str | None:
        """The conversation id of the run's thread, as the implementation described it last before the run began."""
        state = self.described(run.thread, before=run.at)
        return state.conversation_id if state else None

    def described(self, thread: str | None, *, before: int) -> ThreadDescribed | None:
        """How a thread was described last before a position in the trace."""
        states = [state for at, state in self.of(ThreadDescribed) if state.thread == thread and at < before]
        return states[-1] if states else None

    def id_given(self, thread: str) -> str | None:
        """The id of the conversation that a thread was created to continue."""
        created = self.scenario.creation_of(thread).thread
        return next((event.conversation_id for _, event in self.of(ConversationExists) if event.thread == created), None)

    def appends(self, thread: str) -> list[tuple[int, HistoryAppended]]:
        """The appends of all runs on a thread, in order."""
        return [found for run in self.runs if run.thread == thread for found in run.stored]


def same_data(one: object, other: object) -> bool:
    """Whether two values are the same as JSON: there a number that is none (NaN) is equal to itself."""
    return one == other or _as_json(one) == _as_json(other)


def _as_json(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=_fields)


def _fields(value: object) -> object:
    return msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else repr(value)


def states_after(execution: ExecutionView, run: RunView) -> list[tuple[int, ThreadDescribed]]:
    """How the run's thread is described at the end of the run's first step."""
    step = execution.trace.events[run.at].step
    return [(at, state) for at, state in execution.of(ThreadDescribed) if state.thread == run.thread and state.step == step]


def states_at_end(execution: ExecutionView, run: RunView) -> list[tuple[int, ThreadDescribed]]:
    """How the run's thread is described when the step is over in which the run ended."""
    step = run.events[-1][1].step
    return [(at, state) for at, state in execution.of(ThreadDescribed) if state.thread == run.thread and state.step <= step][-1:]


def change(execution: ExecutionView, run: RunView, thread: str, facts: Sequence[str] = FACTS) -> list[int]:
    """Where a thread is described otherwise after the run than before it, if it is."""
    before = execution.described(thread, before=run.at)
    if before is None:
        return []
    return [at for at, state in states_after(execution, run) if not alike(state, before, facts)]


def alike(state: ThreadDescribed, other: ThreadDescribed, facts: Sequence[str] = FACTS) -> bool:
    """Whether two descriptions tell the same of a thread."""
    return all(same_data(_of(state, each), _of(other, each)) for each in facts)


def _of(state: ThreadDescribed, fact: str) -> object:
    """A fact of a thread; that a context provider has no state yet can be told in two ways."""
    return {id: left for id, left in state.context.items() if left} if fact == "context" else getattr(state, fact)
