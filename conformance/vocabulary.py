"""The words that every other module uses: areas, levels, capabilities, policies, error kinds.

Source of the words: the specification's vocabulary. A capability is a feature that an implementation declares; a policy is
a choice that the decision records leave open and that an implementation declares.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec

Area = Literal["threads", "persistence", "orchestration"]
Level = Literal["MUST", "SHOULD"]
ThreadKind = Literal["local", "hosted", "adaptive"]
ErrorKind = Literal["conflict", "unsupported", "invalid", "service", "tool", "provider", "other"]
Verdict = Literal["pass", "fail", "deviates", "not supported", "not exercised", "error"]
Pattern = Literal["sequential", "concurrent", "handoff", "group_chat", "magentic", "custom"]

IdPlace = Literal["every", "first", "middle", "last", "provisional"]
"""In which chunks of a streamed reply its conversation id stands. provisional: in the last one; the first names another."""

Capability = Literal[
    "threads.hosted",  # threads whose messages the service keeps
    "threads.with_id",  # hosted threads that are created with the id of a conversation that the service has already
    "threads.adaptive",  # threads that get their kind from their first run
    "threads.context_state",  # context providers with their state on the thread
    "threads.serialize",  # threads as plain data, and back
    "threads.shared",  # a run of one agent on a thread of another
    "threads.observe",  # middleware or callbacks that look at a thread before and after a run
    "threads.reducer",  # a bound on how many messages of a local thread a request carries
    "clients.hosted_flag",  # a chat client says whether it supports hosted threads
    "runs.streaming",
    "runs.interleaved",  # several runs of one agent in flight at once
    "runs.store",  # the option `store` on a run
    "runs.conversation_id",  # the option `conversation_id` on a run
    "runs.cancel",  # the caller can cancel a run
    "runs.results",  # results of function calls as the caller's input
    "runs.background",  # the caller can let the service work in the background
    "runs.inputs",  # the adapter can say what became of the messages and options that the caller handed over
    "runs.tamper",  # the caller can change the messages that it handed over and the ones that it got
    "tools",  # the function-invocation loop
    "tools.terminate",  # a tool or filter can end the loop
    "tools.approval",  # a call can wait for a person's approval
    "tools.limit",  # a bound on how many replies of a run may ask for tools
    "agents.as_tool",  # an agent as another agent's tool
    "history.provider",  # a pluggable store for local history
    "history.per_run",
    "history.per_service_call",
    "history.incremental",  # appended to in steps of the implementation's own: neither per run nor per service call
    "history.client_as_is",  # the caller's own client stack, to which the framework adds nothing
    "history.decorated",  # a caller's own stack that holds the decorator of per-service-call persistence
    "history.conflict_switches",  # throw, warn, clear
    "service.stateless",  # the kinds of chat service that the implementation's clients can talk to
    "service.one_id",
    "service.new_ids",
    "service.stores_by_default",
    "service.stores_on_request",
    "service.surprising",
    "service.without_id",  # a reply that carries no conversation id although the service was asked to store
    "service.id_in_chunks",  # a streamed reply that names its conversation in one of its chunks only, or a provisional one first
    "responses.complete",  # a response holds all that its run produced, and not the last reply alone
    "workflows",  # workflows of any pattern
    "workflows.sequential",
    "workflows.concurrent",
    "workflows.handoff",
    "workflows.group_chat",
    "workflows.magentic",
    "workflows.custom",
    "workflows.intermediate_outputs",
    "workflows.requests",  # a workflow can wait for someone's answer
    "workflows.status",  # a consumer is told how a workflow comes to rest: idle, waiting or failed
    "workflows.as_agent",
    "workflows.nested",
    "workflows.threads",  # a thread given to a workflow as an agent
    "workflows.aggregator",  # a concurrent workflow with an aggregator of the author's
    "workflows.limits",  # a bound on the rounds of a group chat or of Magentic
    "workflows.resets",  # bounds on stalls and resets of Magentic
]

AREAS: tuple[Area, ...] = get_args(Area)
CAPABILITIES: tuple[Capability, ...] = get_args(Capability)
PATTERN_CAPABILITIES: Mapping[Pattern, Capability] = {
    "sequential": "workflows.sequential",
    "concurrent": "workflows.concurrent",
    "handoff": "workflows.handoff",
    "group_chat": "workflows.group_chat",
    "magentic": "workflows.magentic",
    "custom": "workflows.custom",
}
ERROR_KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)


@dataclass(frozen=True)
class OneOf:
    """Capabilities of which one is enough."""

    capabilities: tuple[Capability, ...]

    def __str__(self) -> str:
        """As a person reads it: `history.per_run or history.incremental`."""
        return " or ".join(self.capabilities)


Need = Capability | OneOf
"""What a rule or a scenario asks an implementation to declare."""

EITHER_MODE = OneOf(("history.per_run", "history.per_service_call"))
"""The two ways of persisting that the configuration matrix knows."""

ANY_TIMING = OneOf((*EITHER_MODE.capabilities, "history.incremental"))
"""A history that is appended to whenever the implementation says."""


def lacking(needs: Iterable[Need], declared: Collection[Capability]) -> list[str]:
    """The needs that are not met by what is declared, as texts in alphabetical order."""
    return sorted({str(need) for need in needs if not _met(need, declared)})


def _met(need: Need, declared: Collection[Capability]) -> bool:
    return any(each in declared for each in need.capabilities) if isinstance(need, OneOf) else need in declared


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A frozen value with a strict JSON form that leaves defaults out."""


class Policies(Data, frozen=True, kw_only=True):
    """What an implementation does where the records leave a choice; None: not declared.

    A rule that is written against a policy is *not supported* for an implementation that does not declare it.

    store_conflict_hosted: declared only where a hosted thread with `store` false leads to something else than `store_conflict`.
    injected_messages: whether a local thread also keeps what context providers add; None is read as `dropped`.
    limit_answer: what the answer is where a limit ends a workflow: a notice that says so, or what the manager answers then.
    failing_participant: whether a concurrent workflow fails with a participant of its own, or answers without it.
    sequential_shares: what the next participant of a sequence hears: the conversation, or the last response alone.
    """

    store_conflict: Literal["raise", "ignore", "transform"] | None = None
    store_conflict_hosted: Literal["raise", "ignore", "transform"] | None = None
    unsupported_thread: Literal["at_creation", "at_run"] | None = None
    trailing_result: Literal["stored", "trimmed"] | None = None
    provider_copy: Literal["none", "written"] | None = None
    injected_messages: Literal["dropped", "stored"] | None = None
    completion_signal: Literal["flag", "event_type", "return_value", "none"] | None = None
    limit_answer: Literal["notice", "manager"] | None = None
    failing_participant: Literal["fails", "left_out"] | None = None
    sequential_shares: Literal["conversation", "last"] | None = None


def plain(value: Any) -> Any:
    """The JSON-compatible form of any `Data`."""
    return msgspec.to_builtins(value)


_MANY = 80
"""So many words are more than anybody reads in an error."""


def nearest(word: str, legal: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` where a legal word is near; where none is, the legal words, or the nearest of very many."""
    words = sorted(legal)
    close = difflib.get_close_matches(word, words, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    if len(words) > _MANY:
        return f"; the nearest are: {', '.join(difflib.get_close_matches(word, words, cutoff=0))}"
    return f"; one of: {', '.join(words)}"
