"""Traces written by hand: what happened in a scenario, event by event, for the unit tests of rules.

A trace is written in the order in which things happened. Steps, runs and service calls are numbered by the builder:

    trace = Written(scenario).run("t").called("one").replied("1").returned("1").described("t", "local", "one", "=1")

Messages are written as texts: `"one"` is the user's, `"=1"` the assistant's, `"^be kind"` a system message; anything else is a
`Message`, such as `calls("c1", weather={"city": "Oslo"})` or `results(c1="sunny")`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from conformance.rules.catalogue import CATALOGUE
from conformance.rules.execution_view import ExecutionView
from conformance.rules.rule import Finding
from conformance.scenario.scenario import Respond, Run, RunWorkflow, Scenario, Together
from conformance.trace import adapter_events as adapter
from conformance.trace import harness_events as harness
from conformance.trace.messages import Call, Message, Result
from conformance.trace.trace import Trace
from conformance.vocabulary import CAPABILITIES, EITHER_MODE, Capability, Policies

Said = str | Message
ALL: frozenset[Capability] = frozenset(each for each in CAPABILITIES if each != "history.incremental")


def message(said: Said, *, author: str | None = None) -> Message:
    """A message out of a text; by whom, where it is the assistant's."""
    if isinstance(said, Message):
        return said
    if said.startswith("="):
        return Message(role="assistant", text=said[1:], author=author)
    return Message(role="system", text=said[1:]) if said.startswith("^") else Message(role="user", text=said)


def calls(*ids: str, text: str = "", author: str | None = None, **tools: dict[str, Any]) -> Message:
    """An assistant message with a function call an id; the tools, with their arguments, in the same order."""
    made = [Call(id=id, tool=tool, arguments=arguments) for id, (tool, arguments) in zip(ids, tools.items(), strict=True)]
    return Message(role="assistant", text=text, calls=tuple(made), author=author)


def results(**values: str) -> Message:
    """A tool message with a result for each call id."""
    return Message(role="tool", results=tuple(Result(id=id, value=value) for id, value in values.items()))


class Written:
    """A trace that is being written. Every method appends one event and returns the builder.

    By default the implementation declares both modes of the configuration matrix and everything else, and no policy: `policies` are
    what it declares beside that. incremental: it keeps histories in steps of its own instead.
    """

    def __init__(self, scenario: Scenario, *, incremental: bool = False, **policies: Any) -> None:
        self.scenario = scenario
        modes, steps = frozenset(EITHER_MODE.capabilities), frozenset({"history.incremental"})
        self.capabilities = (ALL - modes) | steps if incremental else ALL
        self.policies = Policies(**policies)
        self.events: list[Any] = []
        self._step = 0
        self._run: int | None = None
        self._runs = -1
        self._call = -1

    def event(self, kind: type[harness.Event], /, *, outside: bool = False, **fields: Any) -> Written:
        """Any event at all, in the current step; in the current run, unless it is `outside` of it."""
        self.events.append(kind(step=self._step, run=None if outside else self._run, **fields))
        return self

    def step(self, number: int) -> Written:
        """What follows happens in this step of the scenario, outside of runs."""
        self._step, self._run = number, None
        return self

    def run(self, thread: str | None = None, *, step: int | None = None, **fields: Any) -> Written:
        """The next run of the scenario begins, or the one of `step`: on a thread, or of a workflow."""
        self._step = self._next() if step is None else step
        self._runs += 1
        self._run = self._runs
        found = self.scenario.steps[self._step]
        workflow = found.workflow if isinstance(found, RunWorkflow) else None
        return self.event(harness.RunStarted, **{"thread": thread, "workflow": fields.pop("workflow", workflow), **fields})

    def within(self, run: int, *, step: int | None = None) -> Written:
        """What follows belongs to this run again: several run at once, or somebody answered its request in a later step."""
        self._run = run
        self._step = self._step if step is None else step
        return self

    def answered(self, run: int) -> Written:
        """The next `respond` step of the scenario resumes this run."""
        ahead = [place for place, step in enumerate(self.scenario.steps) if isinstance(step, Respond) and place > self._step]
        return self.within(run, step=ahead[0])

    def _next(self) -> int:
        begun = {event.step for event in self.events if isinstance(event, harness.RunStarted)}
        found = [place for place, step in enumerate(self.scenario.steps) if isinstance(step, (Run, RunWorkflow, Together))]
        return next(place for place in found if place not in begun)

    # the chat service

    def called(self, *said: Said, agent: str = "a", held: tuple[Said, ...] = (), **fields: Any) -> Written:
        """A request reaches the service of an agent; held: what the service has under its conversation id."""
        self._call += 1
        sent, had = tuple(map(message, said)), tuple(map(message, held))
        return self.event(harness.ServiceCalled, agent=agent, call=self._call, messages=sent, held=had, **fields)

    def replied(self, said: Said, *, agent: str = "a", call: int | None = None, **fields: Any) -> Written:
        """The service answers the latest request, or the one of `call`; a text is the assistant's."""
        answer = Message(role="assistant", text=said) if isinstance(said, str) else said
        number = self._call if call is None else call
        return self.event(harness.ServiceReplied, agent=agent, call=number, message=answer, **fields)

    def spoke(self, agent: str, answer: Said, *asked: Said, held: tuple[Said, ...] = (), **fields: Any) -> Written:
        """An agent is asked, and its service answers: two events."""
        return self.called(*asked, agent=agent, held=held, **fields).replied(answer, agent=agent)

    def failed(self, text: str = "overloaded", *, agent: str = "a", call: int | None = None) -> Written:
        """The service fails."""
        return self.event(harness.ServiceFailed, agent=agent, call=self._call if call is None else call, text=text)

    # tools

    def tool(self, id: str, tool: str = "weather", value: str = "sunny", *, agent: str = "a", **fields: Any) -> Written:
        """A tool runs and returns: two events."""
        self.event(harness.ToolCalled, agent=agent, tool=tool, id=id, arguments=fields.pop("arguments", {}))
        return self.event(harness.ToolReturned, agent=agent, tool=tool, value=value, id=id, **fields)

    def tool_raised(self, id: str, tool: str = "weather", text: str = "no weather", *, agent: str = "a") -> Written:
        """A tool runs and raises: two events."""
        self.event(harness.ToolCalled, agent=agent, tool=tool, id=id)
        return self.event(harness.ToolRaised, agent=agent, tool=tool, text=text, id=id)

    # history and context

    def loaded(self, *said: Said, agent: str = "a", key: str = "history-1") -> Written:
        """History is loaded."""
        return self.event(harness.HistoryLoaded, agent=agent, key=key, messages=tuple(map(message, said)))

    def appended(self, *said: Said, agent: str = "a", key: str = "history-1") -> Written:
        """Messages are appended to history."""
        return self.event(harness.HistoryAppended, agent=agent, key=key, messages=tuple(map(message, said)))

    # what the adapter says

    def created(self, thread: str, kind: Any = None, *, step: int = 0, **fields: Any) -> Written:
        """A thread was created, in the first step or in `step`."""
        return self.step(step).described(thread, kind, **fields)

    def described(self, thread: str, kind: Any = None, *said: Said, hidden: bool = False, **fields: Any) -> Written:
        """A thread is described, with its messages, or without any where they are `hidden`."""
        shown = None if hidden else tuple(map(message, said))
        return self.event(adapter.ThreadDescribed, outside=True, thread=thread, kind=kind, messages=shown, **fields)

    def returned(self, *said: Said, **fields: Any) -> Written:
        """The run hands over its response; texts are the assistant's."""
        told = tuple(Message(role="assistant", text=each) if isinstance(each, str) else each for each in said)
        return self.event(adapter.RunReturned, messages=told, **fields)

    def raised(self, kind: Any = "other", text: str = "it failed", native: str = "Error") -> Written:
        """The step ends in an error."""
        return self.event(adapter.Raised, kind=kind, text=text, native=native)

    def warned(self, text: str, source: str = "UserWarning") -> Written:
        """A warning is given."""
        return self.event(harness.Warned, text=text, source=source)

    # workflows

    def output(self, *said: Said, executor: str | None = None, **fields: Any) -> Written:
        """A workflow outputs messages; texts are the assistant's, by the executor."""
        told = tuple(message(f"={each}", author=executor) if isinstance(each, str) else each for each in said)
        return self.event(adapter.Output, executor=executor, messages=told, **fields)

    def completed(self, *said: Said, executor: str | None = None, **fields: Any) -> Written:
        """A workflow outputs what its signal calls the run-completed output."""
        return self.output(*said, executor=executor, completed=True, **fields)

    def chunk(self, text: str, executor: str | None = None, **fields: Any) -> Written:
        """A piece of a response or an output, in a stream."""
        return self.event(adapter.Chunk, text=text, executor=executor, **fields)

    def pending(self, **fields: Any) -> Written:
        """A run waits for someone's answer."""
        return self.event(adapter.RequestPending, **fields)

    def idle(self, pending: int | None = 0) -> Written:
        """A workflow comes to rest."""
        return self.event(adapter.Idle, pending=pending)

    def rested_failed(self) -> Written:
        """A workflow says that its run failed."""
        return self.event(adapter.Failed)

    # what is asked of it

    @property
    def trace(self) -> Trace:
        """The trace as it is written so far."""
        return Trace(
            implementation="written",
            capabilities=tuple(sorted(self.capabilities)),
            policies=self.policies,
            events=tuple(self.events),
        )

    @property
    def view(self) -> ExecutionView:
        """As rules read it."""
        return ExecutionView(self.scenario, self.trace)

    def findings(self, rule: str) -> list[Finding]:
        """What a rule finds."""
        return list(CATALOGUE[rule].findings(self.view))


def holds(written: Written, rule: str) -> bool:
    """Whether a rule is exercised and holds everywhere."""
    found = written.findings(rule)
    return bool(found) and all(finding.holds for finding in found)


def broken(written: Written, rule: str) -> set[str]:
    """The aspects in which a rule breaks."""
    return {finding.aspect for finding in written.findings(rule) if not finding.holds}


def left_alone(written: Written, rule: str) -> set[str]:
    """The exclusions by which a rule took subjects away; nothing else may be found."""
    counted: Counter[str] = Counter()
    found = list(CATALOGUE[rule].findings(written.view, counted))
    assert not found, found
    return set(counted)


def taken_away(written: Written, rule: str, *, capabilities: frozenset[Any] = ALL) -> set[str]:
    """The exclusions by which a rule took subjects away, whatever it found of others; as if no more were declared than this."""
    counted: Counter[str] = Counter()
    trace = msgspec.structs.replace(written.trace, capabilities=capabilities)
    list(CATALOGUE[rule].findings(ExecutionView(written.scenario, trace), counted))
    return set(counted)
