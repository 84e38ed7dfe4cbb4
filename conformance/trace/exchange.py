"""What the harness and an adapter hand to each other: what a caller asks for, and what the framework shows of it.

`ChunkSeen`, `OutputSeen`, `Pending`, `IdleSeen`, `FailedSeen` and `ThreadState` have the fields of the trace's events `Chunk`,
`Output`, `RequestPending`, `Idle`, `Failed` and `ThreadDescribed`, but for what only the harness knows: the step, the run, its own
names of threads. An event needs these, and an adapter has none of them; a struct cannot take its fields from two others. So each
pair stands twice, and a test holds them together.
"""

from __future__ import annotations

from typing import Any

from conformance.trace.messages import Message
from conformance.vocabulary import Data, ThreadKind


class Turn(Data, frozen=True, kw_only=True):
    """One run as the caller asks for it.

    messages: the new input. store, conversation_id: options of the run, None where the caller leaves them out. background: the
    service may work in the background.
    """

    messages: tuple[Message, ...] = ()
    store: bool | None = None
    conversation_id: str | None = None
    background: bool = False


class Answer(Data, frozen=True, kw_only=True):
    """An answer to a pending request. id: as the adapter reported it in `Pending`."""

    id: str
    approve: bool = True


class Pending(Data, frozen=True, kw_only=True):
    """Something in a run's response that waits for someone's answer. id: any text by which the adapter finds it again.

    tool, call: the tool whose call waits for approval, and the id of that call, where the framework says it.
    """

    id: str
    tool: str | None = None
    call: str | None = None
    executor: str | None = None


class Response(Data, frozen=True, kw_only=True):
    """What a run handed to its caller. author: the response's own author or name, where the framework has one.

    given: the very messages and options that the adapter handed over for this run, read again now that it is over (capability
    `runs.inputs`).
    """

    messages: tuple[Message, ...] = ()
    author: str | None = None
    pending: tuple[Pending, ...] = ()
    given: Turn | None = None


class ChunkSeen(Data, frozen=True, kw_only=True):
    """One native update of a stream. completed: it is marked like the run-completed output of a workflow."""

    text: str = ""
    executor: str | None = None
    completed: bool = False


class OutputSeen(Data, frozen=True, kw_only=True):
    """One native output event of a workflow. For the fields see `conformance.trace.trace.Output`."""

    executor: str | None = None
    completed: bool = False
    payload: str = "response"
    messages: tuple[Message, ...] = ()
    author: str | None = None


class IdleSeen(Data, frozen=True, kw_only=True):
    """The workflow came to rest with this number of pending requests; None: some wait, and nothing says how many."""

    pending: int | None = 0


class FailedSeen(Data, frozen=True, kw_only=True):
    """The workflow came to rest because its run failed: its status says so, beside the error itself."""


WorkflowSeen = ChunkSeen | OutputSeen | Pending | IdleSeen | FailedSeen


class ThreadState(Data, frozen=True, kw_only=True):
    """A thread as the framework shows it.

    kind: None where the framework has no such notion. messages: None where it cannot show them. context: a provider's state
    under the provider's id.
    """

    kind: ThreadKind | None = None
    conversation_id: str | None = None
    messages: tuple[Message, ...] | None = None
    context: dict[str, Any] = {}
