"""A thread: pure state, no clients, stores or providers in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conformance.trace import Call, Message
from conformance.vocabulary import ThreadKind


@dataclass
class Thread:
    """One conversation.

    key: its name in a history store. messages: what it keeps itself (local, no explicit provider). context: each context provider's
    state under its id. detached: the history provider no longer serves it. waiting: the calls of a reply in which one
    needs approval. decisions: those taken so far, by call id.
    """

    key: str
    kind: ThreadKind = "local"
    conversation_id: str | None = None
    messages: list[Message] = field(default_factory=list[Message])
    context: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    detached: bool = False
    waiting: list[Call] = field(default_factory=list[Call])
    decisions: dict[str, bool] = field(default_factory=dict[str, bool])
