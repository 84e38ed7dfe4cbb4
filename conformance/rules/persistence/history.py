"""What a history provider keeps: the runs whose turn it has to keep, and what it has of a conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView, states_after
from conformance.rules.model import kept_without_an_id, kind_after, kind_before, persistence_of
from conformance.rules.preconditions import DISPUTED, with_provider
from conformance.rules.run_view import RunView
from conformance.scenario.scenario import Run
from conformance.trace.adapter_events import RequestPending
from conformance.trace.harness_events import HistoryAppended, HistoryFailed, HistoryLoaded, ServiceCalled, ServiceFailed
from conformance.trace.messages import Call, Message, Part

# --- what the rules on persistence look at, and leave alone ---


@condition
def kept_locally(execution: ExecutionView, run: RunView) -> bool:
    """The thread is local when the run begins, or the run makes it so."""
    return kind_before(execution, run) == "local" or (run.succeeded and kind_after(execution, run) == "local")


@condition
def under_a_conversation(execution: ExecutionView, run: RunView) -> bool:
    """A service named a conversation on the thread, in the run or before it (PER-32 ff.)."""
    return any(each.brought_id for each in [*execution.earlier(run), run])


KEPT = (with_provider, kept_locally)
"""What must be so of a run whose turn an explicitly configured history provider has to keep."""

NOT_KEPT = (*DISPUTED, under_a_conversation)
"""Where it need not keep the turn all the same: somebody else may do it."""


@condition
def copies_are_written(execution: ExecutionView, _: RunView) -> bool:
    """A history provider is declared to receive a copy of what the service keeps."""
    return execution.policies.provider_copy == "written"


@condition
def detached(execution: ExecutionView, run: RunView) -> bool:
    """The thread was not created hosted, and its agent detaches a history provider beside a conversation (PER-34)."""
    return execution.scenario.kind_of(run.thread or "") != "hosted" and run.agent.on_conflict.clear


@condition
def in_background(_: ExecutionView, run: RunView) -> bool:
    """The service may work on the run in the background (PER-40)."""
    return run.in_background


@condition
def rebuilt(_: ExecutionView, run: RunView) -> bool:
    """The agent was rebuilt for the run, with `per_service_call` set or unset (PER-43)."""
    return isinstance(run.spec, Run) and run.spec.per_service_call is not None


@condition
def created_hosted(execution: ExecutionView, run: RunView) -> bool:
    """The thread was created hosted."""
    return execution.scenario.kind_of(run.thread or "") == "hosted"


@condition
def recurring_call_ids(_: ExecutionView, run: RunView) -> bool:
    """The service numbers its function calls anew in every run, so that ids of earlier turns come back."""
    return run.agent.service.repeats_call_ids


@condition
def service_failed(_: ExecutionView, run: RunView) -> bool:
    """The service failed in the run."""
    return bool(run.own(ServiceFailed))


@condition
def appended_something(_: ExecutionView, run: RunView) -> bool:
    """The run appended messages to its history provider."""
    return bool(run.stored)


@condition
def kept_without_a_name(execution: ExecutionView, run: RunView) -> bool:
    """A service that keeps by default has a conversation of an adaptive thread, and never named it.

    A client may rely on it (PER-08), or warn of it in the words of a conflict.
    """
    silent = execution.scenario.kind_of(run.thread or "") == "adaptive" and run.agent.service.stores_by_default
    return silent and kept_without_an_id(execution, run)


@condition
def nobody_keeps_it(execution: ExecutionView, run: RunView) -> bool:
    """The history is the caller's business (PER-04), and no service has it."""
    return persistence_of(run.agent) == "not" and kind_before(execution, run) != "hosted"


@condition
def kept_untold(execution: ExecutionView, run: RunView) -> bool:
    """The service kept a reply on the thread, and told nobody: it carried no conversation id (THR-11)."""
    return kept_without_an_id(execution, run)


@condition
def all_came_to_their_own_end(execution: ExecutionView, run: RunView) -> bool:
    """This run and all before it on the thread came to their own end, and no tool and no limit ended their loops."""
    return all(plain(each) for each in [*execution.earlier(run), run])


# --- what they read ---


def plain(run: RunView) -> bool:
    """Whether nothing is special about how the run went: it came to its own end, and nobody and no limit ended its loop."""
    return run.succeeded and not run.terminated and not run.cut_short


def keys_of(run: RunView) -> list[str]:
    """The names under which the run used the history store of its agent: one, unless something is wrong."""
    used = [*run.own(HistoryLoaded), *run.own(HistoryAppended), *run.own(HistoryFailed)]
    return list(dict.fromkeys(event.key for _, event in used))


def stored_before(execution: ExecutionView, run: RunView, at: int) -> list[Message]:
    """Everything that was appended where the run's history is, up to a position in the trace."""
    keys = keys_of(run)[:1]
    mine = [(where, event) for where, event in execution.of(HistoryAppended) if event.agent == run.agent_name and event.key in keys]
    appends = [event for where, event in mine if where < at]
    return [message for event in appends for message in event.messages]


def stored_by_end(execution: ExecutionView, run: RunView) -> list[Part]:
    """What is stored where the run's history is, when the run is over."""
    return execution.spoken(stored_before(execution, run, run.events[-1][0] + 1), run.agent)


def loads(execution: ExecutionView) -> Iterator[tuple[int, list[Part], list[Part]]]:
    """Every load of a history in which something is stored: where it is, what it gave, and what was appended before it."""
    for run, _, _ in execution.agent_runs():
        for at, event in run.own(HistoryLoaded):
            stored = execution.heard(stored_before(execution, run, at))
            if stored:
                yield at, execution.heard(event.messages), stored


def grown(execution: ExecutionView, run: RunView) -> list[int]:
    """Where the run's thread shows more messages after the run than before it."""
    before = execution.described(run.thread, before=run.at)
    known = len(before.messages or ()) if before else 0
    return [at for at, state in states_after(execution, run) if len(state.messages or ()) > known]


def gained(execution: ExecutionView, run: RunView) -> list[Part]:
    """What the run appended, without what context providers injected."""
    return execution.spoken(run.stored_messages, run.agent)


def occurred(runs: Sequence[RunView]) -> Counter[Part]:
    """How often each part of the conversation occurred in runs; a result that a caller supplies is the one of the run before."""
    found: Counter[Part] = Counter()
    for run in runs:
        supplied: Counter[Part] = Counter(("result", result.id) for result in run.supplied)
        known = supplied & found
        found += Counter(run.happened()) - known
    return found


def with_results(found: Counter[Part]) -> Counter[Part]:
    """The same with a result for each call: it may be made up where the call was not run."""
    asked: Counter[Part] = Counter()
    for part, count in found.items():
        if part[0] == "call":
            asked["result", part[1]] += count
    return found | asked


def threads_of(execution: ExecutionView) -> list[str]:
    """The threads on which something ran."""
    return list(dict.fromkeys(thread for _, thread, _ in execution.agent_runs()))


def calls_waited_for(run: RunView, *, before: int | None = None) -> list[Call]:
    """The calls of the replies after which the run waited; `before`: a position in the trace."""
    waiting: list[Call] = []
    for at, _ in run.of(RequestPending):
        if before is None or at < before:
            waiting += [call for call in _asked_last(run, at) if call not in waiting]
    return waiting


def unheard(execution: ExecutionView, run: RunView, sent: ServiceCalled) -> set[str]:
    """The calls that the service has of replies in which a stream was left: whoever was left need not have heard of them."""
    left = [each for each in execution.earlier(run) if each.ending == "abandoned" and each.calls]
    told = {call.id for each in left for view in each.calls[-1:] if view.reply for call in view.reply.message.calls}
    return told & {call.id for message in sent.held for call in message.calls}


def _asked_last(run: RunView, at: int) -> Sequence[Call]:
    """The calls of the run's latest reply before a position in the trace."""
    replies = [view.reply for view in run.calls if view.reply is not None and (view.replied_at or at) < at]
    return replies[-1].message.calls if replies else ()
