"""What `agent-framework` declares: capabilities, policies with where it says so, and what its exceptions mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from traceback import walk_tb

from agent_framework.exceptions import (
    AgentInvalidRequestException,
    ChatClientException,
    ChatClientInvalidRequestException,
    ToolException,
)

from conformance.adapter import Capability, Choice, ErrorKind, Policies

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
        "service.id_in_chunks",
        "responses.complete",
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
        "workflows.status",
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
    # "Participants [...] run in order, sharing a conversation along the chain" (`SequentialBuilder`); `chain_only_agent_responses`,
    # which chains responses alone, is off unless it is asked for.
    sequential_shares="conversation",
)

CHOICES: Sequence[Choice] = (
    Choice(
        of="local threads on a client that stores by default",
        chosen="every run says `store=False`, until the session has a service's id",
        why="a session has no kind; this option is how a caller keeps the history on its own side (`create_session`)",
        default="the service keeps the history (`STORES_BY_DEFAULT`)",
    ),
    Choice(
        of="hosted threads on a client that does not store by default",
        chosen="every run says `store=True`",
        why="a session has no kind; this option is how a caller has the service keep the history (`create_session`)",
        default="the session keeps the history",
    ),
    Choice(
        of="the kind of a thread",
        chosen="a session with a service's id shows itself hosted, one with messages local, any other as neither",
        why="a session has no kind, and these are what `create_session` says that it gets",
        default="nothing is said",
    ),
    Choice(
        of="the state of context providers",
        chosen="plain data",
        why="that is what the decision records ask of a provider",
        default="any object; `to_dict` leaves one that it does not know as it is, with a warning",
    ),
    Choice(
        of="a bound on what a request carries",
        chosen="`TruncationStrategy`, with the bound for both of its numbers",
        why="the only strategy that counts messages",
        default="no bound",
    ),
    Choice(
        of="tools",
        chosen="a schema that takes any arguments",
        why="scripted calls have any",
        default="a schema made of the function's signature",
    ),
    Choice(
        of="streams",
        chosen="consumed as a context manager",
        why="that is how the framework says that one is closed which its consumer leaves early",
        default="a stream that is left early stays open",
    ),
)

WORKFLOW_CHOICES: Sequence[Choice] = (
    Choice(
        of="participants of a handoff",
        chosen="agents with `require_per_service_call_history_persistence`",
        why="the builder refuses all others",
        default="agents without it",
    ),
    Choice(
        of="the end of a handoff",
        chosen="a termination condition: a participant has answered and asks for nothing more",
        why="a handoff comes to its end in a scenario; a yes or no cannot answer what the framework would ask",
        default="after every answer the user is asked for words, and no run is ever over",
    ),
    Choice(
        of="the manager of a group chat",
        chosen="an agent, as `orchestrator_agent`, whose decisions are the scripted ones",
        why="the builder wants a manager; this one can end a chat, which a `selection_func` cannot",
        default="none",
    ),
    Choice(
        of="the manager of Magentic",
        chosen="a `MagenticManagerBase` of its own, with a fixed plan and the scripted picks; its limits are its own too",
        why="a script has picks and an answer, and no replies to the six prompts of the standard manager",
        default="none: the builder wants a manager, or an agent for the standard one",
    ),
    Choice(
        of="workflows that take part in an orchestration",
        chosen="as agents (`as_agent`)",
        why="the orchestrations take agents, and executors that speak in their own messages: a `WorkflowExecutor` does not",
        default="not possible",
    ),
    Choice(
        of="outputs of author-written workflows",
        chosen="`output_from` names the executors that complete, or the first one, which outputs nothing, where none does",
        why="this is how an author says who answers",
        default="whatever any executor yields is an output",
    ),
    Choice(
        of="what executors of author-written workflows yield",
        chosen="an `AgentResponse` with one message, signed by the executor",
        why="outputs of agents are such responses",
        default="anything",
    ),
    Choice(
        of="what stands between the stages of author-written workflows",
        chosen="an executor that adds each answer to the conversation and hands that on, as often as the framework calls it",
        why="agents, executors and workflows send messages of three sorts, and a stage is to hear everything before it",
        default="an agent hands its conversation to the next agent; a workflow its outputs, one by one",
    ),
)
"""What the adapter does not leave to the framework: a table for reports."""

ERRORS: Mapping[type[BaseException], ErrorKind] = {
    AgentInvalidRequestException: "invalid",
    ChatClientInvalidRequestException: "invalid",
    ChatClientException: "service",
    ToolException: "tool",
}
"""What its own exceptions say by their type. `AgentInvalidResponseException` is none that refuses what a caller asks: it is "an
invalid or unexpected response"."""

REFUSALS: Sequence[tuple[type[Exception], str, str]] = (
    (ValueError, "agent_framework._sessions", "Failed to deserialize registered state type"),
    (ValueError, "agent_framework._workflows._edge", "FanOutEdgeGroup must contain at least two targets"),
    (ValueError, "agent_framework_orchestrations._group_chat", "Orchestrator agent selected unknown participant"),
    (ValueError, "agent_framework_orchestrations._magentic", "Magentic only support a single task message"),
)
"""Where a built-in exception refuses what a caller asks: its type, the module that raises it, how its text begins. Any other
`ValueError` or `TypeError` is what happened to the framework, and no refusal."""

CONFLICT = "require_per_service_call_history_persistence cannot be used"
"""How both errors begin in which a conversation id meets per-service-call persistence; their types say only "invalid"."""


def refused(error: BaseException) -> bool:
    """Whether an exception is one of `REFUSALS`."""
    raised = ""
    for frame, _ in walk_tb(error.__traceback__):
        raised = frame.f_globals.get("__name__", "")
    return any(type(error) is kind and raised == module and str(error).startswith(text) for kind, module, text in REFUSALS)
