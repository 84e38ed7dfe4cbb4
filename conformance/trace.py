"""What was observed: the ordered events of one performed scenario, the same for every implementation and language.

Everything is recorded by value at the moment it happens, and nothing in it is unstable: no clock, no random id, no memory address.
Ids that the harness gave are its own small names; ids that it did not give are renamed in order of appearance.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from conformance.vocabulary import Capability, Data, ErrorKind, Policies, ThreadKind

Role = Literal["system", "user", "assistant", "tool"]


class Call(Data, frozen=True, kw_only=True):
    """A function call inside an assistant message."""

    id: str
    tool: str
    arguments: dict[str, Any] = {}


class Result(Data, frozen=True, kw_only=True):
    """The result of a function call inside a tool message; `error`: the tool raised or was not run."""

    id: str
    value: str = ""
    error: bool = False


class Message(Data, frozen=True, kw_only=True):
    """One message, by value."""

    role: Role
    text: str = ""
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()
    author: str | None = None


Part = tuple[str, ...]
"""What is compared: ("user" | "assistant" | "system", text), ("call", id, tool, arguments as JSON) or ("result", id).

One framework's message is another's three, so rules compare parts: they are equal wherever the same thing was said. Authors are not
part of it: most services never see them. Neither are the values of results, which are rendered in many ways; `Case.heard` looks at
them.
"""


def parts(messages: Iterable[Message]) -> list[Part]:
    """The parts of messages, in order: the text of each, then its calls or its results."""
    found: list[Part] = []
    for message in messages:
        if message.text or not (message.calls or message.results):
            found.append((message.role, message.text))
        found.extend(("call", call.id, call.tool, json.dumps(call.arguments, sort_keys=True)) for call in message.calls)
        found.extend(("result", result.id) for result in message.results)
    return found


class Event(Data, frozen=True, kw_only=True, tag_field="event", tag=True):
    """Something that happened.

    step: position of the step in the scenario. run: which run it belongs to, counted over the scenario; None outside of runs.
    """

    step: int
    run: int | None = None


class AgentCreated(Event, frozen=True, kw_only=True, tag="agent_created"):
    """An agent was built. hosted: whether its chat client says that it supports hosted threads; None where it does not say."""

    agent: str
    hosted: bool | None = None


class ConversationExists(Event, frozen=True, kw_only=True, tag="conversation_exists"):
    """A service has a conversation that a thread, which is created next, is to continue."""

    thread: str
    agent: str
    conversation_id: str


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """The harness began a run on a thread or of a workflow. conversation_id: the option, where the run names one."""

    thread: str | None = None
    workflow: str | None = None
    conversation_id: str | None = None


class ServiceCalled(Event, frozen=True, kw_only=True, tag="service_called"):
    """A request reached the chat service. call: counted from 0 over the scenario. held: what the service has under that id."""

    agent: str
    call: int
    messages: tuple[Message, ...]
    store: bool | None = None
    conversation_id: str | None = None
    stream: bool = False
    held: tuple[Message, ...] = ()


class ServiceReplied(Event, frozen=True, kw_only=True, tag="service_replied"):
    """The service answered. kept: it stored request and reply, under `conversation_id` where it says one."""

    agent: str
    call: int
    message: Message
    conversation_id: str | None = None
    kept: bool = False


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


class ThreadDescribed(Event, frozen=True, kw_only=True, tag="thread_described"):
    """A thread as the implementation describes it, after the step that used or changed it.

    messages: None where the implementation cannot show them (hosted, or kept in a history store).
    """

    thread: str
    kind: ThreadKind | None = None
    conversation_id: str | None = None
    messages: tuple[Message, ...] | None = None
    context: dict[str, Any] = {}


class Serialized(Event, frozen=True, kw_only=True, tag="serialized"):
    """A thread was turned into data. flaw: why it is not plain JSON data, where it is not; there is no data then."""

    thread: str
    data: Any = None
    flaw: str | None = None


class Damaged(Event, frozen=True, kw_only=True, tag="damaged"):
    """Data of a thread was damaged before it is restored. path: the place. fields: the names by which an error may call it."""

    source: str
    how: Literal["drop", "cut", "retype", "unknown", "extra"]
    path: str
    fields: tuple[str, ...] = ()


class Restored(Event, frozen=True, kw_only=True, tag="restored"):
    """A thread was made from data. source: the thread that was serialized. The rest: as the new thread is described.

    flaw: why it cannot be described, where a thread came out of it that is none.
    """

    thread: str
    source: str
    kind: ThreadKind | None = None
    conversation_id: str | None = None
    messages: tuple[Message, ...] | None = None
    context: dict[str, Any] = {}
    flaw: str | None = None


class DataChanged(Event, frozen=True, kw_only=True, tag="data_changed"):
    """The data that a thread was turned into is not what it was any more. source: that thread."""

    source: str


class Tampered(Event, frozen=True, kw_only=True, tag="tampered"):
    """The caller changed the messages of its own; every text in them is now this one."""

    thread: str
    text: str


class Observing(Event, frozen=True, kw_only=True, tag="observing"):
    """Middleware or a callback begins to look at a run's thread, before or after the run."""

    agent: str
    moment: Literal["before", "after"]


class Observed(Event, frozen=True, kw_only=True, tag="observed"):
    """What it saw. messages: None where the thread shows none."""

    agent: str
    moment: Literal["before", "after"]
    kind: ThreadKind | None = None
    conversation_id: str | None = None
    messages: tuple[Message, ...] | None = None


class Cancelled(Event, frozen=True, kw_only=True, tag="cancelled"):
    """The run ended because its caller cancelled it."""


class Given(Data, frozen=True, kw_only=True):
    """The caller's own messages and options of a run, read again after it."""

    messages: tuple[Message, ...] = ()
    store: bool | None = None
    conversation_id: str | None = None


class RunReturned(Event, frozen=True, kw_only=True, tag="run_returned"):
    """A run handed its response to the caller. author: of the response as a whole, where the implementation has one.

    given: what became of the caller's own messages and options; None where the implementation cannot say.
    """

    messages: tuple[Message, ...] = ()
    author: str | None = None
    given: Given | None = None


class Chunk(Event, frozen=True, kw_only=True, tag="chunk"):
    """A part of a response or an output, when streaming. completed: natively marked like the run-completed output."""

    text: str = ""
    executor: str | None = None
    completed: bool = False


class Raised(Event, frozen=True, kw_only=True, tag="raised"):
    """The step ended in an error. kind: neutral; native: the name of the implementation's own exception type."""

    kind: ErrorKind
    text: str
    native: str


class Output(Event, frozen=True, kw_only=True, tag="output"):
    """A workflow emitted an output. completed: its signal says that it completes the run.

    payload: `response` (an agent response), `messages` (a bare list of messages), `text` (a bare string), `other`.
    """

    executor: str | None = None
    completed: bool = False
    payload: Literal["response", "messages", "text", "other"] = "response"
    messages: tuple[Message, ...] = ()
    author: str | None = None


class RequestPending(Event, frozen=True, kw_only=True, tag="request_pending"):
    """A run waits for someone's answer. tool: whose call waits for approval, where that is what is asked."""

    executor: str | None = None
    tool: str | None = None
    id: str | None = None


class Idle(Event, frozen=True, kw_only=True, tag="idle"):
    """A workflow came to rest; `pending`: how many requests wait for an answer."""

    pending: int = 0


class Refused(Event, frozen=True, kw_only=True, tag="refused"):
    """The adapter cannot express the step, or what the step needs is not there: neither a violation nor an exercise."""

    text: str


class Broke(Event, frozen=True, kw_only=True, tag="broke"):
    """The step came to no end that can be judged. A rule must not take that for "nothing happened"."""

    cause: Literal["timeout", "crash", "exit", "connection", "malformed"]
    text: str


AnyEvent = (
    AgentCreated
    | ConversationExists
    | RunStarted
    | ServiceCalled
    | ServiceReplied
    | ServiceFailed
    | ToolCalled
    | ToolReturned
    | ToolRaised
    | HistoryLoaded
    | HistoryAppended
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
    | RunReturned
    | Chunk
    | Raised
    | Output
    | RequestPending
    | Idle
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
