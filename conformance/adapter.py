"""All that the author of an adapter imports: the protocol, its data, the fakes that a framework is given, and the words.

`docs/adapter.md` is the guide.
"""

from __future__ import annotations

from conformance.errors import UsageError
from conformance.implementation.imports import named, shown
from conformance.implementation.protocol import Choice, Implementation, NotSupported
from conformance.scenario.specs import AgentSpec, ExecutorSpec, OnConflict, ToolSpec, WorkflowSpec
from conformance.trace.exchange import (
    Answer,
    ChunkSeen,
    FailedSeen,
    IdleSeen,
    OutputSeen,
    Pending,
    Response,
    ThreadState,
    Turn,
    WorkflowSeen,
)
from conformance.trace.messages import Call, Message, Result, Role
from conformance.vocabulary import Capability, ErrorKind, Pattern, Policies, ThreadKind
from conformance.world.chat_service import ChatService, Reply, ReplyChunk, Request
from conformance.world.context_provider import ContextProvider
from conformance.world.errors import ProviderError, ServiceError, ToolError
from conformance.world.history_store import HistoryStore
from conformance.world.http.face import RUN_HEADER
from conformance.world.http.responses_input import CONVERSATION, RESPONSE
from conformance.world.manager import Manager
from conformance.world.observer import Observer
from conformance.world.tools import Tool
from conformance.world.world import World

__all__ = [
    "CONVERSATION",
    "RESPONSE",
    "RUN_HEADER",
    "AgentSpec",
    "Answer",
    "Call",
    "Capability",
    "ChatService",
    "Choice",
    "ChunkSeen",
    "ContextProvider",
    "ErrorKind",
    "ExecutorSpec",
    "FailedSeen",
    "HistoryStore",
    "IdleSeen",
    "Implementation",
    "Manager",
    "Message",
    "NotSupported",
    "Observer",
    "OnConflict",
    "OutputSeen",
    "Pattern",
    "Pending",
    "Policies",
    "ProviderError",
    "Reply",
    "ReplyChunk",
    "Request",
    "Response",
    "Result",
    "Role",
    "ServiceError",
    "ThreadKind",
    "ThreadState",
    "Tool",
    "ToolError",
    "ToolSpec",
    "Turn",
    "UsageError",
    "WorkflowSeen",
    "WorkflowSpec",
    "World",
    "named",
    "shown",
]
