"""Testimony: the events that an adapter tells of, because they cannot be seen from outside."""

from __future__ import annotations

from typing import Any, Literal

from conformance.trace.exchange import Turn
from conformance.trace.harness_events import Event, Moment
from conformance.trace.messages import Message
from conformance.vocabulary import ErrorKind, ThreadKind


class AgentCreated(Event, frozen=True, kw_only=True, tag="agent_created"):
    """An agent was built. hosted: whether its chat client says that it supports hosted threads; None where it does not say."""

    agent: str
    hosted: bool | None = None


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


class Observed(Event, frozen=True, kw_only=True, tag="observed"):
    """What it saw. messages: None where the thread shows none."""

    agent: str
    moment: Moment
    kind: ThreadKind | None = None
    conversation_id: str | None = None
    messages: tuple[Message, ...] | None = None


class RunReturned(Event, frozen=True, kw_only=True, tag="run_returned"):
    """A run handed its response to the caller. author: of the response as a whole, where the implementation has one.

    given: what became of the caller's own messages and options; None where the implementation cannot say.
    """

    messages: tuple[Message, ...] = ()
    author: str | None = None
    given: Turn | None = None


class Chunk(Event, frozen=True, kw_only=True, tag="chunk"):
    """A part of a response or an output, when streaming. completed: natively marked like the run-completed output."""

    text: str = ""
    executor: str | None = None
    completed: bool = False


class Raised(Event, frozen=True, kw_only=True, tag="raised"):
    """The step ended in an error. kind: neutral; native: the name of the implementation's own exception type.

    where: `file:line` of the innermost frame that is the implementation's own; None for the reference.
    """

    kind: ErrorKind
    text: str
    native: str
    where: str | None = None


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
    """A run waits for someone's answer. tool: whose call waits for approval, where that is what is asked; call: that call's id."""

    executor: str | None = None
    tool: str | None = None
    call: str | None = None
    id: str | None = None


class Idle(Event, frozen=True, kw_only=True, tag="idle"):
    """A workflow came to rest; `pending`: how many requests wait for an answer, None where some do and nothing says how many."""

    pending: int | None = 0


class Failed(Event, frozen=True, kw_only=True, tag="failed"):
    """A workflow says of itself that its run failed; the error that the caller gets is `Raised`."""
