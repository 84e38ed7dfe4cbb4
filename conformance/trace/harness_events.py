"""Evidence: the events that the harness sees for itself, in its fakes and in what it does, without asking an adapter."""

from __future__ import annotations

from typing import Any, Literal

from conformance.trace.messages import Message, Result
from conformance.vocabulary import Data, IdPlace

Moment = Literal["before", "after", "within"]
"""When something looks at the thread of a run."""


class Event(Data, frozen=True, kw_only=True, tag_field="event", tag=True):
    """Something that happened.

    step: position of the step in the scenario. run: which run it belongs to, counted over the scenario; None outside of runs.
    """

    step: int
    run: int | None = None


class ConversationExists(Event, frozen=True, kw_only=True, tag="conversation_exists"):
    """A service has a conversation that a thread, which is created next, is to continue."""

    thread: str
    agent: str
    conversation_id: str


class ConversationsForgotten(Event, frozen=True, kw_only=True, tag="conversations_forgotten"):
    """A service forgot every conversation that it had."""

    agent: str


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """The harness began a run on a thread or of a workflow.

    conversation_id: the option, where the run names one. supplied: results that the caller hands over before its new input.
    """

    thread: str | None = None
    workflow: str | None = None
    conversation_id: str | None = None
    supplied: tuple[Result, ...] = ()


class ServiceCalled(Event, frozen=True, kw_only=True, tag="service_called"):
    """A request reached the chat service.

    call: counted from 0 over the scenario. forbids_tools: no function call may come back. held: what the service has under that id.
    second_id: of a request that names two conversations at once, the other one.
    """

    agent: str
    call: int
    messages: tuple[Message, ...]
    store: bool | None = None
    conversation_id: str | None = None
    stream: bool = False
    forbids_tools: bool = False
    held: tuple[Message, ...] = ()
    second_id: str | None = None


class ServiceReplied(Event, frozen=True, kw_only=True, tag="service_replied"):
    """The service answered. kept: it stored request and reply, under `conversation_id` where it says one.

    id_in: in which chunks it said so, where it streamed. provisional_id: the other id that it named in the first one.
    """

    agent: str
    call: int
    message: Message
    conversation_id: str | None = None
    kept: bool = False
    id_in: IdPlace = "every"
    provisional_id: str | None = None


class ServiceFailed(Event, frozen=True, kw_only=True, tag="service_failed"):
    """The service refused or failed, as scripted or because the request was not one that it can serve."""

    agent: str
    call: int
    text: str


class ToolCalled(Event, frozen=True, kw_only=True, tag="tool_called"):
    """A tool began. id: that of the function call that it belongs to; None where no open call asks for it."""

    agent: str
    tool: str
    arguments: dict[str, Any] = {}
    id: str | None = None


class ToolReturned(Event, frozen=True, kw_only=True, tag="tool_returned"):
    """A tool returned; `terminated`: and ended the loop."""

    agent: str
    tool: str
    value: str
    id: str | None = None
    terminated: bool = False


class ToolRaised(Event, frozen=True, kw_only=True, tag="tool_raised"):
    """A tool raised."""

    agent: str
    tool: str
    text: str
    id: str | None = None


class HistoryLoaded(Event, frozen=True, kw_only=True, tag="history_loaded"):
    """The history store of an agent was asked for a conversation. key: the implementation's name for it, renamed."""

    agent: str
    key: str
    messages: tuple[Message, ...] = ()


class HistoryAppended(Event, frozen=True, kw_only=True, tag="history_appended"):
    """Messages were appended to the history store of an agent."""

    agent: str
    key: str
    messages: tuple[Message, ...] = ()


class HistoryFailed(Event, frozen=True, kw_only=True, tag="history_failed"):
    """The history store of an agent failed, as scripted. messages: what was to be appended; nothing of it was."""

    agent: str
    key: str
    operation: Literal["load", "append"]
    text: str
    messages: tuple[Message, ...] = ()


class ContextInvoking(Event, frozen=True, kw_only=True, tag="context_invoking"):
    """A context provider was asked for messages; state as it was handed over, adds what it answered."""

    agent: str
    provider: str
    state: dict[str, Any]
    messages: tuple[Message, ...] = ()
    adds: tuple[Message, ...] = ()


class ContextInvoked(Event, frozen=True, kw_only=True, tag="context_invoked"):
    """A context provider was told of a run's end; state as it left it."""

    agent: str
    provider: str
    state: dict[str, Any]
    messages: tuple[Message, ...] = ()
    error: str | None = None


class Warned(Event, frozen=True, kw_only=True, tag="warned"):
    """A warning, or a log record of level warning or above. source: the category or the logger."""

    text: str
    source: str


class Damaged(Event, frozen=True, kw_only=True, tag="damaged"):
    """Data of a thread was damaged before it is restored. path: the place. fields: the names by which an error may call it."""

    source: str
    how: Literal["drop", "cut", "retype", "unknown", "extra"]
    path: str
    fields: tuple[str, ...] = ()


class DataChanged(Event, frozen=True, kw_only=True, tag="data_changed"):
    """The data that a thread was turned into is not what it was any more. source: that thread."""

    source: str


class Tampered(Event, frozen=True, kw_only=True, tag="tampered"):
    """The caller changed the messages of its own; every text in them is now this one."""

    thread: str
    text: str


class Observing(Event, frozen=True, kw_only=True, tag="observing"):
    """Middleware or a callback begins to look at a run's thread, before or after the run; `within`: a tool that runs does."""

    agent: str
    moment: Moment


class Cancelled(Event, frozen=True, kw_only=True, tag="cancelled"):
    """The run ended because its caller cancelled it."""


class Abandoned(Event, frozen=True, kw_only=True, tag="abandoned"):
    """The run ended because its consumer left the stream. chunks: how many it took, and of a workflow also outputs."""

    chunks: int


class Refused(Event, frozen=True, kw_only=True, tag="refused"):
    """The adapter cannot express the step, or what the step needs is not there: neither a violation nor an exercise.

    absent: the latter, such as a thread that could not be created, or a request that nobody made: the harness says so.
    """

    text: str
    absent: bool = False


Blame = Literal["adapter", "implementation", "harness", "network"]
"""Whose fault it is that something cannot be judged."""


class Broke(Event, frozen=True, kw_only=True, tag="broke"):
    """The step came to no end that can be judged. A rule must not take that for "nothing happened".

    cause: `deadlock` where nothing was left that could end the step's waiting, `timeout` where only a clock or a count of events
    tells that it hangs. where: `file:line` of the adapter's or the implementation's own code, where one is known.
    """

    cause: Literal["deadlock", "timeout", "crash", "exit", "connection", "malformed"]
    text: str
    blame: Blame = "implementation"
    where: str | None = None
