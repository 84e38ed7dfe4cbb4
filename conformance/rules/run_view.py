"""A run and its service calls, as rules read them out of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeVar, cast

import msgspec

from conformance.rules.parts import by_number
from conformance.rules.repairs import unsettled
from conformance.scenario.scenario import Run, RunWorkflow, Scenario
from conformance.scenario.specs import AgentSpec
from conformance.trace.adapter_events import Raised, RequestPending
from conformance.trace.harness_events import (
    Abandoned,
    Broke,
    Cancelled,
    Event,
    HistoryAppended,
    Refused,
    RunStarted,
    ServiceCalled,
    ServiceReplied,
    ToolRaised,
    ToolReturned,
)
from conformance.trace.messages import Call, Message, Part, Result, parts
from conformance.trace.trace import AnyEvent, Trace
from conformance.vocabulary import Policies

E = TypeVar("E", bound=Event)


@dataclass
class CallView:
    """One service call: where it is in the trace, the request, and how it ended."""

    at: int
    request: ServiceCalled
    replied_at: int | None = None
    reply: ServiceReplied | None = None

    @property
    def kept_under_a_name(self) -> bool:
        """Whether the service kept request and reply under a name that somebody was told: nobody finds the rest."""
        return self.reply is not None and self.reply.kept and bool(self.reply.conversation_id or self.request.conversation_id)


@dataclass
class RunView:
    """One run: where it began, what was asked for, and everything that happened in it."""

    scenario: Scenario
    trace: Trace
    number: int
    at: int
    spec: Run | RunWorkflow
    events: list[tuple[int, AnyEvent]] = field(default_factory=list[tuple[int, AnyEvent]])

    def of(self, kind: type[E]) -> list[tuple[int, E]]:
        """The run's events of one kind with their positions in the trace."""
        return cast("list[tuple[int, E]]", self._by_kind.get(kind, []))

    @cached_property
    def _by_kind(self) -> dict[type[Event], list[tuple[int, Event]]]:
        found: dict[type[Event], list[tuple[int, Event]]] = {}
        for at, event in self.events:
            found.setdefault(type(event), []).append((at, event))
        return found

    def until(self, at: int) -> RunView:
        """The run as it was at a position in the trace, when nothing that came later had happened."""
        if self.events[-1][0] < at:
            return self
        return RunView(self.scenario, self.trace, self.number, self.at, self.spec, [each for each in self.events if each[0] < at])

    @property
    def policies(self) -> Policies:
        """What the implementation declared."""
        return self.trace.policies

    @cached_property
    def thread(self) -> str | None:
        """The thread that the run is on; None for a run of a workflow."""
        return self.spec.thread if isinstance(self.spec, Run) else None

    @cached_property
    def agent_name(self) -> str:
        """The agent that a run on a thread is of."""
        assert isinstance(self.spec, Run)
        return self.spec.agent or self.scenario.agent_name(self.spec.thread)

    @cached_property
    def agent(self) -> AgentSpec:
        """How that agent is built, for this run."""
        spec = self.scenario.agents[self.agent_name]
        rebuilt = self.spec.per_service_call if isinstance(self.spec, Run) else None
        return spec if rebuilt is None else msgspec.structs.replace(spec, per_service_call=rebuilt)

    @property
    def in_background(self) -> bool:
        """Whether the service may work on the run in the background."""
        return isinstance(self.spec, Run) and self.spec.background

    def own(self, kind: type[E]) -> list[tuple[int, E]]:
        """The run's events of one kind, without those of agents that its own agent has as tools."""
        found = self.of(kind)
        if self.thread is None:
            return found
        return [(at, event) for at, event in found if getattr(event, "agent", self.agent_name) == self.agent_name]

    @cached_property
    def calls(self) -> list[CallView]:
        """The service calls of the run's own agent, in the order in which they reached the service."""
        return self._calls(self.own(ServiceCalled))

    @cached_property
    def inner_calls(self) -> list[CallView]:
        """The service calls of the agents that the run's agent has as tools."""
        own = {at for at, _ in self.own(ServiceCalled)}
        return self._calls([(at, event) for at, event in self.of(ServiceCalled) if at not in own])

    def _calls(self, called: list[tuple[int, ServiceCalled]]) -> list[CallView]:
        views = {event.call: CallView(at, event) for at, event in called}
        for at, reply in self.of(ServiceReplied):
            if (view := views.get(reply.call)) is not None:
                view.replied_at, view.reply = at, reply
        return list(views.values())

    @cached_property
    def asked_for(self) -> list[tuple[int, str, Call]]:
        """The calls that replies in the run ask for, of whichever agent: where, by whom, and which."""
        return [(at, reply.agent, call) for at, reply in self.of(ServiceReplied) for call in reply.message.calls]

    @cached_property
    def raised(self) -> tuple[int, Raised] | None:
        """The error that the caller got."""
        return next(iter(self.of(Raised)), None)

    @property
    def refused_as_conflict(self) -> bool:
        """Whether the caller got an error of kind conflict."""
        return self.raised is not None and self.raised[1].kind == "conflict"

    @property
    def refused_at_once(self) -> bool:
        """Whether the caller got an error before any request, of whatever kind but conflict."""
        return self.raised is not None and not self.calls and not self.refused_as_conflict

    @cached_property
    def ending(self) -> Literal["returned", "waiting", "raised", "cancelled", "abandoned", "refused", "unknown"]:
        """How the run ended for its caller; `waiting`: suspended on a request that nobody answered."""
        if self.of(Broke):
            return "unknown"
        if self.of(Raised):
            return "raised"
        if self.of(Cancelled):
            return "cancelled"
        if self.of(Abandoned):
            return "abandoned"
        if self.of(Refused):
            return "refused"
        # a request that is still open may be reported again each time the workflow comes to rest
        asked = {event.id or str(at) for at, event in self.of(RequestPending)}
        return "waiting" if len(asked) > self.answered_requests else "returned"

    @property
    def answered_requests(self) -> int:
        """How many pending requests of the run were answered: steps after the first in which it went on."""
        return len({event.step for _, event in self.events} - {self.trace.events[self.at].step})

    @property
    def succeeded(self) -> bool:
        """Whether the run came to its own end and the caller got all of its response."""
        return self.ending == "returned"

    @cached_property
    def terminated(self) -> bool:
        """Whether a tool ended the loop."""
        return any(event.terminated for _, event in self.own(ToolReturned))

    @cached_property
    def cut_short(self) -> bool:
        """Whether the loop reached its agent's iteration limit; what an implementation says then is its own (PER-44)."""
        asking = [view for view in self.calls if view.reply is not None and view.reply.message.calls]
        return self.agent.limit is not None and len(asking) >= self.agent.limit

    def waits_at(self, at: int) -> bool:
        """Whether requests of the run are open at a position in the trace."""
        asked = {event.id or str(where) for where, event in self.of(RequestPending) if where < at}
        answered = {event.step for where, event in self.events if where < at} - {self.trace.events[self.at].step}
        return len(asked) > len(answered)

    @property
    def answered_with_ids(self) -> bool:
        """Whether every service call got a reply, and each of them a conversation id: whatever fails then, the service did not."""
        return all(view.reply is not None and view.reply.conversation_id for view in self.calls)

    @property
    def brought_id(self) -> bool:
        """Whether a reply in this run carried a conversation id."""
        return any(view.reply is not None and view.reply.conversation_id is not None for view in self.calls)

    @property
    def sign(self) -> int:
        """Where what became of the run shows first: its first request, else its error, else its beginning."""
        return self.calls[0].at if self.calls else self.raised[0] if self.raised else self.at

    @property
    def store(self) -> bool | None:
        """The option `store` of the run."""
        return self.spec.store if isinstance(self.spec, Run) else None

    @property
    def named_id(self) -> str | None:
        """The conversation id that the options of the run name."""
        begun = self.trace.events[self.at]
        return begun.conversation_id if isinstance(begun, RunStarted) else None

    @property
    def inputs(self) -> list[Part]:
        """The new input of the run: results that the caller supplies, then what it says."""
        return by_number([("result", result.id) for result in self.supplied]) + [("user", text) for text in self.spec.say]

    @property
    def supplied(self) -> tuple[Result, ...]:
        """The results that the caller hands over, because the thread's history lacks them."""
        begun = self.trace.events[self.at]
        return begun.supplied if isinstance(begun, RunStarted) else ()

    @property
    def perhaps_open(self) -> list[Call]:
        """The calls that the run may have left open: those of its latest reply, or, where it did not succeed, of any."""
        replies = [view.reply.message for view in self.calls if view.reply is not None]
        return [call for message in (replies[-1:] if self.succeeded else replies) for call in message.calls]

    @cached_property
    def own_calls(self) -> set[str]:
        """The ids of the calls that the run asked for or was supplied with results for."""
        called = {call.id for view in self.calls if view.reply for call in view.reply.message.calls}
        return called | {result.id for result in self.supplied}

    def sent_in(self, view: CallView) -> list[Message]:
        """The messages of a request, without what closes calls that the conversation which it continues had left open."""
        new = [part[1] for part in self.new_in(self.calls.index(view)) if part[0] == "result"]
        return unsettled(view.request.held, view.request.messages, new)

    def new_in(self, place: int) -> list[Part]:
        """What is new in the request at a place: the run's input, or the results of the reply before."""
        if place == 0:
            return list(self.inputs)
        reply = self.calls[place - 1].reply
        return [("result", call.id) for call in reply.message.calls] if reply else []

    def happened(self, *, before: int | None = None, trailing: bool = True) -> list[Part]:
        """The conversation of this run: its input, then each reply with the results of its calls.

        before: the call number at which to stop. trailing: with the results of the last reply, which no successful call sent.
        """
        said = list(self.inputs)
        for place, message in enumerate(replies := self._replies(before)):
            said += parts([message])
            sent = place < len(replies) - 1 or before is not None
            if sent or trailing:
                said += [("result", call.id) for call in message.calls if sent or call.id in self._ran]
        return said

    def _replies(self, before: int | None) -> list[Message]:
        return [view.reply.message for view in self.calls if view.reply and (before is None or view.request.call < before)]

    @cached_property
    def _ran(self) -> set[str | None]:
        """The calls whose tool ran to an end: of an agent that is a tool nothing shows but that it was answered itself."""
        ended = {event.id for _, event in (*self.own(ToolReturned), *self.own(ToolRaised))}
        if self.thread is None:
            return ended
        asked = {name for name, tool in self.agent.tools.items() if tool.agent in self._answered_inside}
        return ended | {call.id for message in self._replies(None) for call in message.calls if call.tool in asked}

    @property
    def _answered_inside(self) -> set[str]:
        return {view.request.agent for view in self.inner_calls if view.reply is not None}

    @property
    def stored(self) -> list[tuple[int, HistoryAppended]]:
        """The appends of the run that hold anything."""
        return [(at, event) for at, event in self.own(HistoryAppended) if event.messages]

    @property
    def stored_messages(self) -> list[Message]:
        """Everything that the run appended."""
        return [message for _, event in self.stored for message in event.messages]


def latest_id(runs: Sequence[RunView], *, before: int | None = None) -> str | None:
    """The conversation id of the latest reply that carried one; `before`: of a call number."""
    ids = [
        view.reply.conversation_id
        for run in runs
        for view in run.calls
        if view.reply and view.reply.conversation_id and (before is None or view.request.call < before)
    ]
    return ids[-1] if ids else None
