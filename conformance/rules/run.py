"""A run and its service calls, as rules read them out of a trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeVar

from conformance.scenario import Run, RunWorkflow
from conformance.trace import (
    AnyEvent,
    Broke,
    Event,
    HistoryAppended,
    Message,
    Part,
    Raised,
    Refused,
    RequestPending,
    ServiceCalled,
    ServiceReplied,
    ToolRaised,
    ToolReturned,
    parts,
)

if TYPE_CHECKING:
    from conformance.rules.case import Case

E = TypeVar("E", bound=Event)


@dataclass
class CallView:
    """One service call: where it is in the trace, the request, and how it ended."""

    at: int
    request: ServiceCalled
    replied_at: int | None = None
    reply: ServiceReplied | None = None


@dataclass
class RunView:
    """One run: where it began, what was asked for, and everything that happened in it."""

    case: Case
    number: int
    at: int
    spec: Run | RunWorkflow
    events: list[tuple[int, AnyEvent]] = field(default_factory=list[tuple[int, AnyEvent]])

    def of(self, kind: type[E]) -> list[tuple[int, E]]:
        """The run's events of one kind with their positions in the trace."""
        return [(at, event) for at, event in self.events if isinstance(event, kind)]

    @property
    def thread(self) -> str | None:
        """The thread that the run is on; None for a run of a workflow."""
        return self.spec.thread if isinstance(self.spec, Run) else None

    @cached_property
    def calls(self) -> list[CallView]:
        """The service calls of the run, in the order in which they reached the service."""
        views = {event.call: CallView(at, event) for at, event in self.of(ServiceCalled)}
        for at, reply in self.of(ServiceReplied):
            if (view := views.get(reply.call)) is not None:
                view.replied_at, view.reply = at, reply
        return list(views.values())

    @property
    def raised(self) -> tuple[int, Raised] | None:
        """The error that the caller got."""
        return next(iter(self.of(Raised)), None)

    @property
    def ending(self) -> Literal["returned", "waiting", "raised", "refused", "unknown"]:
        """How the run ended for its caller; `waiting`: suspended on a request that nobody answered."""
        if self.of(Broke):
            return "unknown"
        if self.of(Raised):
            return "raised"
        if self.of(Refused):
            return "refused"
        # a request that is still open may be reported again each time the workflow comes to rest
        asked = {event.id or str(at) for at, event in self.of(RequestPending)}
        return "waiting" if len(asked) > self.answered_requests else "returned"

    @property
    def answered_requests(self) -> int:
        """How many pending requests of the run were answered: steps after the first in which it went on."""
        return len({event.step for _, event in self.events} - {self.case.trace.events[self.at].step})

    @property
    def succeeded(self) -> bool:
        """Whether the run came to its own end and the caller got all of its response."""
        return self.ending == "returned"

    @property
    def terminated(self) -> bool:
        """Whether a tool ended the loop."""
        return any(event.terminated for _, event in self.of(ToolReturned))

    @property
    def contradicts(self) -> bool:
        """Whether the options of the run contradict its thread, as the thread is when the run begins."""
        if not isinstance(self.spec, Run):
            return False
        kind = self.case.kind_before(self)
        wrong_store = self.spec.store is not None and self.spec.store != (kind == "hosted")
        return wrong_store or self.spec.conversation_id == "other"

    @property
    def brought_id(self) -> bool:
        """Whether a reply in this run carried a conversation id."""
        return any(view.reply is not None and view.reply.conversation_id is not None for view in self.calls)

    @property
    def inputs(self) -> list[Part]:
        """The new input of the run."""
        return [("user", text) for text in self.spec.say]

    def happened(self, *, before: int | None = None, trailing: bool = True) -> list[Part]:
        """The conversation of this run: its input, then each reply with the results of its calls.

        before: the call number at which to stop. trailing: with the results of the last reply, which no successful call sent.
        """
        said = list(self.inputs)
        replied = [view for view in self.calls if view.reply is not None and (before is None or view.request.call < before)]
        ran = {event.id for _, event in self.events if isinstance(event, (ToolReturned, ToolRaised))}
        for place, view in enumerate(replied):
            assert view.reply is not None
            said += parts([view.reply.message])
            ids = [call.id for call in view.reply.message.calls]
            sent = place < len(replied) - 1 or before is not None
            if sent:
                said += [("result", id) for id in ids]
            elif trailing:
                said += [("result", id) for id in ids if id in ran]
        return said

    @property
    def stored(self) -> list[tuple[int, HistoryAppended]]:
        """The appends of the run that hold anything."""
        return [(at, event) for at, event in self.of(HistoryAppended) if event.messages]

    @property
    def stored_messages(self) -> list[Message]:
        """Everything that the run appended."""
        return [message for _, event in self.stored for message in event.messages]
