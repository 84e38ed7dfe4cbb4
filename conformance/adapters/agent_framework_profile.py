"""What `agent-framework` declares: capabilities, policies with where it says so, and what its exceptions mean."""

from __future__ import annotations

from collections.abc import Mapping

from agent_framework.exceptions import (
    AgentInvalidRequestException,
    AgentInvalidResponseException,
    ChatClientException,
    ChatClientInvalidRequestException,
    ToolException,
)

from conformance.vocabulary import Capability, ErrorKind, Policies

THREADS_AND_PERSISTENCE: frozenset[Capability] = frozenset(
    {
        "threads.hosted",
        "threads.context_state",
        "runs.streaming",
        "runs.interleaved",
        "runs.store",
        "runs.conversation_id",
        "tools",
        "tools.terminate",
        "tools.approval",
        "history.provider",
        "history.per_run",
        "history.per_service_call",
        "service.stateless",
        "service.one_id",
        "service.new_ids",
        "service.stores_by_default",
        "service.stores_on_request",
        "service.surprising",
        "service.without_id",
    }
)
WORKFLOWS: frozenset[Capability] = frozenset(
    {
        "workflows",
        "workflows.sequential",
        "workflows.concurrent",
        "workflows.handoff",
        "workflows.group_chat",
        "workflows.magentic",
        "workflows.custom",
        "workflows.intermediate_outputs",
        "workflows.requests",
        "workflows.as_agent",
        "workflows.nested",
    }
)

# `unsupported_thread` is not declared: no session and no client says whether hosted threads are supported, so none is ever refused.
POLICIES = Policies(
    # An explicit `store` "takes precedence over the client's default storage behavior" (how an agent prepares a run); with
    # `store=True` the session gets the service's id, "which is then fed back to the API on the next call" (`create_session`).
    store_conflict="transform",
    # A history provider stores response messages, all of them (`HistoryProvider`). The handoff builder says what that means:
    # without per-service-call persistence it "would persist tool results that the service has no record of".
    trailing_result="stored",
    # Where the service stores, "loading is skipped" and the provider "only persists"; "silence this warning" by a provider that
    # does not load (`require_per_service_call_history_persistence`): a copy that is written and never loaded.
    provider_copy="written",
    # The type of an event: `output` is "final terminal output", `intermediate` is "non-terminal" (`WorkflowEventType`).
    completion_signal="event_type",
)

ERRORS: Mapping[type[BaseException], ErrorKind] = {
    AgentInvalidRequestException: "invalid",
    AgentInvalidResponseException: "invalid",
    ChatClientInvalidRequestException: "invalid",
    ChatClientException: "service",
    ToolException: "tool",
    ValueError: "invalid",
    TypeError: "invalid",
}

CONFLICT = "per_service_call_history_persistence cannot be used"
"""How both errors begin in which a conversation id meets per-service-call persistence; their types say only "invalid"."""
