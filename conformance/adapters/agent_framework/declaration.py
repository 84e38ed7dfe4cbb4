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

from conformance.adapter import Capability, ErrorKind, Policies

# `threads.adaptive`: see `AgentFramework`. `threads.shared`: a session is an argument of a run, and nothing ties it to an agent
# ("provider instances are owned by the agent, not the session", `AgentSession`); the guide on sessions warns that another agent may
# not be able to use it, and leaves it to the caller.
#
# `threads.reducer`: the `compaction_strategy` of an agent, applied before every model call. `TruncationStrategy` bounds the
# "included message count", "oldest-first", and "excludes whole groups (never partial tool-call groups)". Others cannot say "at most
# n messages, the new input among them": `SlidingWindowStrategy` counts groups, a `CompactionProvider` never sees the new input.
#
# `history.client_as_is`: the framework adds nothing to a chat client; what it adds for per-service-call persistence is chat
# middleware, handed to the client with every call. A caller who puts a stack together may do so from the published layers ("you
# should consider which additional layers to apply", `RawOpenAIChatClient`): of one without `ChatMiddlewareLayer` nothing takes that
# middleware, and the stack stays as the caller built it. That is what `client_as_is` asks for here.
#
# `history.decorated` is not declared: the decorator (`PerServiceCallHistoryPersistingMiddleware`) is not exported, and it is made
# for one run, with its agent and session, so that no caller could have it in a stack.
#
# `runs.results`: the messages of a run's input may hold function results. `tools.limit`: `max_iterations`, which "limits the number
# of LLM roundtrips" that may ask for tools; then comes a last request, which forbids them.
#
# `runs.background` is not declared: where a service works in the background, the run ends with a `continuation_token` "to poll for
# completion", and what asks for the outcome is another run. The scripted services have always answered when their reply comes: no
# token could be one that a service gave.
#
# `clients.hosted_flag` is not declared. All that a client says of itself is `STORES_BY_DEFAULT`, "whether this client stores
# conversation history server-side by default": one that does not may do so all the same where it is asked to.
THREADS_AND_PERSISTENCE: frozenset[Capability] = frozenset(
    {
        "threads.hosted",
        "threads.with_id",
        "threads.adaptive",
        "threads.context_state",
        "threads.serialize",
        "threads.shared",
        "threads.observe",
        "threads.reducer",
        "runs.streaming",
        "runs.interleaved",
        "runs.store",
        "runs.conversation_id",
        "runs.cancel",
        "runs.results",
        "runs.inputs",
        "runs.tamper",
        "tools",
        "tools.terminate",
        "tools.approval",
        "tools.limit",
        "agents.as_tool",
        "history.provider",
        "history.per_run",
        "history.per_service_call",
        "history.client_as_is",
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
        "workflows.threads",
        "workflows.aggregator",
        "workflows.limits",
        "workflows.resets",
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
    # `store_context_messages`: "whether to store context from other providers (default False)" (`HistoryProvider`).
    injected_messages="dropped",
    # The type of an event: `output` is "final terminal output", `intermediate` is "non-terminal" (`WorkflowEventType`).
    completion_signal="event_type",
    # At the limit a group chat "automatically completes with a default completion message" (`with_max_rounds`), and Magentic yields
    # "a termination message" (`_check_within_limits_or_complete`): "Workflow terminated due to reaching maximum round count."
    limit_answer="notice",
    # What an executor raises ends the run: `failed` is "workflow terminated with error" (`WorkflowEventType`); its siblings are
    # cancelled (`gather_cancelling_siblings_on_error`).
    failing_participant="fails",
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
