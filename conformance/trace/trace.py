"""What was observed: the ordered events of one performed scenario, the same for every implementation and language.

Everything is recorded by value at the moment it happens, and nothing in it is unstable: no clock, no random id, no memory address.
Ids that the harness gave are its own small names; ids that it did not give are renamed in order of appearance.
"""

from __future__ import annotations

from conformance.trace.adapter_events import (
    AgentCreated,
    Chunk,
    Failed,
    Idle,
    Observed,
    Output,
    Raised,
    RequestPending,
    Restored,
    RunReturned,
    Serialized,
    ThreadDescribed,
)
from conformance.trace.harness_events import (
    Abandoned,
    Broke,
    Cancelled,
    ContextInvoked,
    ContextInvoking,
    ConversationExists,
    ConversationsForgotten,
    Damaged,
    DataChanged,
    HistoryAppended,
    HistoryFailed,
    HistoryLoaded,
    Observing,
    Refused,
    RunStarted,
    ServiceCalled,
    ServiceFailed,
    ServiceReplied,
    Tampered,
    ToolCalled,
    ToolRaised,
    ToolReturned,
    Warned,
)
from conformance.vocabulary import Capability, Data, Policies

AnyEvent = (
    AgentCreated
    | ConversationExists
    | ConversationsForgotten
    | RunStarted
    | ServiceCalled
    | ServiceReplied
    | ServiceFailed
    | ToolCalled
    | ToolReturned
    | ToolRaised
    | HistoryLoaded
    | HistoryAppended
    | HistoryFailed
    | ContextInvoking
    | ContextInvoked
    | Warned
    | ThreadDescribed
    | Serialized
    | Damaged
    | Restored
    | DataChanged
    | Tampered
    | Observing
    | Observed
    | Cancelled
    | Abandoned
    | RunReturned
    | Chunk
    | Raised
    | Output
    | RequestPending
    | Idle
    | Failed
    | Refused
    | Broke
)


class Trace(Data, frozen=True, kw_only=True):
    """The ordered observations of one performed scenario, with what the implementation declared: enough to judge later."""

    implementation: str
    version: str = ""
    capabilities: tuple[Capability, ...] = ()
    policies: Policies = Policies()
    events: tuple[AnyEvent, ...] = ()

    @property
    def broken(self) -> Broke | None:
        """The event that makes this trace unfit to judge, if there is one."""
        return next((event for event in self.events if isinstance(event, Broke)), None)

    @property
    def inexpressible(self) -> Refused | None:
        """The first step that the adapter could not express, if there is one."""
        return next((event for event in self.events if isinstance(event, Refused) and not event.absent), None)
