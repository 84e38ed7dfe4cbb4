"""Threads, contradictions: what `store` and `conversation_id` may say against a thread (THR-12 to THR-17)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView, change, states_after
from conformance.rules.model import (
    contradicting_options,
    contradicts,
    kind_before,
    local_history,
    misplaced,
    unsupported,
)
from conformance.rules.preconditions import (
    RequestView,
    contradicting,
    history_known,
    on_hosted_thread,
    on_local_thread,
    refused_while_one_waits,
    thread_run,
)
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView, latest_id
from conformance.rules.threads.checks import hosted_request, local_request, refused, stores, transition, warned
from conformance.rules.wording import outcome
from conformance.scenario.scenario import Run
from conformance.trace.adapter_events import Chunk
from conformance.trace.harness_events import ContextInvoked, ContextInvoking, HistoryAppended, ServiceCalled

# --- what the rules of this section look at, and leave alone ---


@condition
def with_store(_: ExecutionView, run: RunView) -> bool:
    """The caller asks to store."""
    return run.store is True


@condition
def without_store(_: ExecutionView, run: RunView) -> bool:
    """The caller asks not to store."""
    return run.store is False


@condition
def names_a_conversation(_: ExecutionView, run: RunView) -> bool:
    """The caller names a conversation."""
    return isinstance(run.spec, Run) and run.spec.conversation_id is not None


@condition
def names_another_conversation(_: ExecutionView, run: RunView) -> bool:
    """The caller names another conversation than the thread's."""
    return isinstance(run.spec, Run) and run.spec.conversation_id == "other"


@condition
def impossible_agent(execution: ExecutionView, run: RunView) -> bool:
    """The agent cannot serve the hosted thread, whatever the options say (THR-02, THR-04)."""
    return misplaced(execution, run) or unsupported(execution, run)


@condition
def transforms_without_store(execution: ExecutionView, run: RunView) -> bool:
    """The caller names a conversation and asks not to store, where the declared policy would make the thread hosted."""
    return run.store is False and execution.policies.store_conflict == "transform"


@condition
def in_a_conversation(execution: ExecutionView, run: RunView) -> bool:
    """The thread has a conversation id when the run begins."""
    return _conversation_of(execution, run) is not None


@condition
def refused_with_a_reason(_: ExecutionView, run: RunView) -> bool:
    """The run was refused: an error of kind conflict, unsupported or invalid."""
    return run.raised is not None and run.raised[1].kind in ("conflict", "unsupported", "invalid")


@condition
def contradicted_by_its_options(execution: ExecutionView, run: RunView) -> bool:
    """The options of the run contradict its thread."""
    return contradicting_options(execution, run)


@condition
def on_another_agents_conversation(execution: ExecutionView, run: RunView) -> bool:
    """The thread's conversation is in the service of another agent (THR-04)."""
    return misplaced(execution, run)


@condition
def service_keeps_nothing(_: ExecutionView, run: RunView) -> bool:
    """The agent's service keeps nothing (THR-02)."""
    return run.agent.service.keeps == "nothing"


@condition
def named_beside_store_false(execution: ExecutionView, run: RunView) -> bool:
    """On a local thread a conversation is named and `store` is false, where the declared policy would make the thread hosted."""
    local = kind_before(execution, run) == "local"
    return local and run.named_id is not None and transforms_without_store(execution, run)


@condition
def named_on_a_hosted_thread(execution: ExecutionView, run: RunView) -> bool:
    """The run on a hosted thread names another conversation (THR-14)."""
    return kind_before(execution, run) != "local" and run.named_id is not None


@condition
def nothing_to_transform_yet(execution: ExecutionView, run: RunView) -> bool:
    """The hosted thread has no conversation yet that the declared policy could make local."""
    hosted = kind_before(execution, run) != "local"
    return hosted and _hosted_policy(execution) == "transform" and execution.id_before(run) is None


# --- the rules ---

_OPTION_ASPECTS = ("not refused", "after a request", "wrong kind of error", "refused", "no warning")
_LOCAL_ASPECTS = ("stores", "names a conversation", "missing", "repeated", "foreign", "order")
_TRANSITION_ASPECTS = ("no transition", "wrong transition", "not hosted", "still stored locally", "still copied")


@rule(
    "THR-12",
    needs=["runs.store"],
    policies=("store_conflict",),
    each=thread_run,
    when=[with_store, on_local_thread],
    leaves_alone=[refused_while_one_waits],
    aspects=[*_OPTION_ASPECTS, *_LOCAL_ASPECTS, *_TRANSITION_ASPECTS],
)
def store_on_a_local_thread(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A run with `store` true on a local thread is refused, overruled with a warning or makes the thread hosted, as declared."""
    yield from _on_a_local_thread(execution, run, "store=True")


@rule(
    "THR-13",
    needs=["runs.store", "threads.hosted"],
    policies=("store_conflict",),
    each=thread_run,
    when=[without_store, on_hosted_thread],
    leaves_alone=[
        names_a_conversation,
        impossible_agent,
        nothing_to_transform_yet,
        refused_while_one_waits,
    ],
    aspects=[*_OPTION_ASPECTS, "does not store", "no id", "missing", "repeated", "foreign", "order"],
)
def no_store_on_a_hosted_thread(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A run with `store` false on a hosted thread is refused, or overruled with a warning, as declared.

    `transform` would need the service's transcript, which no adapter can produce yet: it means refused.
    """
    if _hosted_policy(execution) != "ignore":
        yield refused(run, "a hosted thread with store=False")
        return
    yield warned(run, "a hosted thread with store=False")
    if all(other.succeeded for other in execution.earlier(run)):
        yield from (hosted_request(execution, RequestView(run, place, view)) for place, view in enumerate(run.calls))


@rule(
    "THR-14",
    needs=["runs.conversation_id", "threads.hosted"],
    each=thread_run,
    when=[names_a_conversation, on_hosted_thread, in_a_conversation],
    leaves_alone=[without_store, impossible_agent, refused_while_one_waits],
    aspects=["not refused", "after a request", "wrong kind of error", "refused", "another id"],
)
def a_conversation_id_must_be_the_threads(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A `conversation_id` that differs from a hosted thread's is refused before any service call; an equal one changes nothing."""
    id = _conversation_of(execution, run)
    if names_another_conversation(execution, run):
        yield refused(run, f"another conversation id than {id!r}, the one of thread {run.thread!r}")
        return
    first = run.calls[0].request.conversation_id if run.calls else None
    yield finding(
        first == id,
        run.raised[0] if run.raised else run.calls[0].at if run.calls else run.at,
        "another id" if run.calls else "refused",
        expected=f"the run goes on in conversation {id!r}, as without the option",
        got=f"a request for conversation {first!r}" if run.calls else outcome(run),
    )


@rule(
    "THR-15",
    needs=["runs.conversation_id"],
    policies=("store_conflict",),
    each=thread_run,
    when=[names_another_conversation, on_local_thread],
    leaves_alone=[transforms_without_store, refused_while_one_waits],
    aspects=[*_OPTION_ASPECTS, *_LOCAL_ASPECTS, *_TRANSITION_ASPECTS],
)
def a_conversation_id_on_a_local_thread(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A `conversation_id` given to a run on a local thread is refused, overruled with a warning or makes it hosted, as declared.

    Hosted in that conversation, then.
    """
    yield from _on_a_local_thread(execution, run, "a conversation_id")


@rule(
    "THR-16",
    needs=["runs.store"],
    each=thread_run,
    when=[contradicting, refused_with_a_reason],
    aspects=["left a mark", "thread changed", "next run refused"],
)
def a_refused_run_leaves_no_mark(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A refused run requests and appends nothing, tells no provider and changes no thread, and the next one is not refused.

    Refused for its options or its thread; the next one that is well formed. A load or a look leaves no mark.
    """
    left = [at for at, event in run.events if isinstance(event, _MARKS)]
    changed = change(execution, run, run.thread or "")
    trouble = [*left, *changed, *_refused_next(execution, run)]
    yield finding(
        not trouble,
        [*trouble, run.at][0],
        "left a mark" if left else "thread changed" if changed else "next run refused",
        expected="nothing but the error: no request, no append, no provider call, the thread as before",
        got="the refused run left a mark" if left or changed else "the next well-formed run is refused too",
        also=trouble[1:],
    )


@rule(
    "THR-17",
    needs=["runs.store"],
    policies=("store_conflict",),
    each=thread_run,
    when=[contradicted_by_its_options],
    leaves_alone=[
        on_another_agents_conversation,
        service_keeps_nothing,
        named_beside_store_false,
        named_on_a_hosted_thread,
        nothing_to_transform_yet,
        refused_while_one_waits,
    ],
    aspects=["another policy", "neither side"],
)
def one_policy_everywhere(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """What a contradiction leads to is the declared policy in both directions, streaming or not, on the first and on later turns.

    Unless one is declared for hosted threads apart. It judges which side wins, not whether all is done as that side demands (THR-12
    to THR-15).
    """
    local = kind_before(execution, run) == "local"
    declared = execution.policies.store_conflict if local else _hosted_policy(execution)
    conduct = _local_conduct(execution, run) if local else _hosted_conduct(run)
    expected = "raise" if declared == "transform" and not local else declared
    if conduct is not None:
        aspect = "another policy" if conduct in ("raise", "ignore", "transform") else "neither side"
        expected_text = f"what the policy {expected} means"
        yield finding(conduct == expected, run.sign, aspect, expected=expected_text, got=conduct, also=[run.at])


# --- what they compare ---

_MARKS = (ServiceCalled, HistoryAppended, ContextInvoking, ContextInvoked, Chunk)


def _hosted_policy(execution: ExecutionView) -> str | None:
    """The policy for hosted threads with `store` false."""
    return execution.policies.store_conflict_hosted or execution.policies.store_conflict


def _conversation_of(execution: ExecutionView, run: RunView) -> str | None:
    """The id of the thread's conversation when a run begins."""
    succeeded = [other for other in execution.earlier(run) if other.succeeded]
    return execution.id_before(run) or latest_id(succeeded) or execution.id_given(run.thread or "")


def _refused_next(execution: ExecutionView, run: RunView) -> list[int]:
    """Where the next run with which nothing is wrong is refused, if it is, and nothing went wrong before either."""
    if not all(other.succeeded for other in _well_formed(execution, execution.earlier(run))):
        return []
    later = [other for other in execution.runs if other.thread == run.thread and other.number > run.number]
    return [other.at for other in _well_formed(execution, later)[:1] if not other.calls and other.raised is not None]


def _well_formed(execution: ExecutionView, runs: Sequence[RunView]) -> list[RunView]:
    return [run for run in runs if not contradicts(execution, run)]


def _on_a_local_thread(execution: ExecutionView, run: RunView, option: str) -> Iterator[Finding]:
    """What the declared policy asks of a run whose option contradicts its local thread."""
    match execution.policies.store_conflict:
        case "raise":
            yield refused(run, f"a local thread with {option}")
        case "ignore":
            yield warned(run, f"a local thread with {option}")
            if history_known(execution, run):
                history = local_history(execution, run)
                for view in run.calls:
                    yield local_request(execution, run, view, history + run.happened(before=view.request.call))
        case _:
            if run.agent.service.keeps != "nothing" and history_known(execution, run) and _could_change(run):
                yield from transition(execution, run)


def _could_change(run: RunView) -> bool:
    """Whether the run's thread could become hosted: the caller waited for it, and the service did not fail and gave ids."""
    return run.ending != "cancelled" and run.answered_with_ids


def _local_conduct(execution: ExecutionView, run: RunView) -> str | None:
    """Which side won on a local thread; None where that cannot be told."""
    if not run.calls:
        return "raise" if run.refused_as_conflict else "neither: an error that is no conflict"
    if not any(stores(view.request, run.agent) or view.request.conversation_id for view in run.calls):
        return "ignore"
    if not run.succeeded and not _could_change(run):
        return None
    became = stores(run.calls[0].request, run.agent) and _shown_hosted(execution, run)
    return "transform" if became else "neither: the option counts, and the thread stays local"


def _shown_hosted(execution: ExecutionView, run: RunView) -> bool:
    states = [state for _, state in states_after(execution, run)]
    return all(state.conversation_id is not None and state.kind in ("hosted", None) for state in states)


def _hosted_conduct(run: RunView) -> str | None:
    """Which side won on a hosted thread."""
    if not run.calls:
        return "raise" if run.refused_as_conflict else None
    kept = all(stores(view.request, run.agent) for view in run.calls)
    return "ignore" if kept else "neither: the option counts, and the thread stays hosted"
