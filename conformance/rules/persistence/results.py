"""Persistence, results: in which order the results of one reply's calls stand (PER-50, PER-51)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.persistence.history import recurring_call_ids
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import CallView, RunView
from conformance.rules.wording import quoted
from conformance.trace.adapter_events import RunReturned, ThreadDescribed
from conformance.trace.harness_events import HistoryAppended, HistoryLoaded, ServiceCalled
from conformance.trace.messages import Message

# --- what the rules of this section look at, and leave alone ---


@dataclass(frozen=True)
class Order:
    """In which order results stand somewhere. ids: of their calls, each once. steps: in how many goes they came there."""

    at: int
    ids: tuple[str, ...]
    steps: int = 1


@dataclass(frozen=True)
class SeveralCalls:
    """A reply that asks for several tools, and the orders in which their results stand: in requests, in what is kept, in responses.

    A request holds what it sends and what the service has already.
    """

    run: RunView
    call: CallView
    ids: tuple[str, ...]
    requests: tuple[Order, ...]
    kept: tuple[Order, ...]
    responses: tuple[Order, ...]


@selection
def several_calls(execution: ExecutionView) -> Iterator[SeveralCalls]:
    """A reply that asks for several tools, of a run on a thread."""
    for run, _, _ in execution.agent_runs():
        for view in run.calls:
            calls = view.reply.message.calls if view.reply else ()
            if len(calls) > 1:
                yield _looked_up(execution, run, view, tuple(call.id for call in calls))


def _looked_up(execution: ExecutionView, run: RunView, view: CallView, ids: tuple[str, ...]) -> SeveralCalls:
    requests = [_order(at, [*event.held, *event.messages], ids) for at, event in execution.of(ServiceCalled)]
    shown = [_order(at, event.messages or (), ids) for at, event in execution.of(ThreadDescribed)]
    loaded = [_order(at, event.messages, ids) for at, event in execution.of(HistoryLoaded)]
    responses = [_order(at, event.messages, ids) for at, event in run.of(RunReturned)]
    kept = [*_appended(execution, ids), *loaded, *shown]
    return SeveralCalls(run, view, ids, _several(requests), _several(kept), _several(responses))


def _appended(execution: ExecutionView, ids: Sequence[str]) -> Iterator[Order]:
    """The order in which results were appended to each history, however many appends that took."""
    appends = sorted(execution.of(HistoryAppended), key=lambda each: (each[1].agent, each[1].key, each[0]))
    for _, each in groupby(appends, key=lambda append: (append[1].agent, append[1].key)):
        holding = [(at, order.ids) for at, event in each if (order := _order(at, event.messages, ids)).ids]
        together = tuple(dict.fromkeys(id for _, found in holding for id in found))
        yield Order(holding[-1][0] if holding else 0, together, len(holding))


def _order(at: int, messages: Iterable[Message], ids: Sequence[str]) -> Order:
    return Order(at, tuple(dict.fromkeys(result.id for each in messages for result in each.results if result.id in ids)))


def _several(orders: Iterable[Order]) -> tuple[Order, ...]:
    """Those that say something: where two results stand or more."""
    return tuple(order for order in orders if len(order.ids) > 1)


@condition
def sent_twice(_: ExecutionView, reply: SeveralCalls) -> bool:
    """Two requests or more hold several of the results."""
    return len(reply.requests) > 1


@condition
def kept_twice(_: ExecutionView, reply: SeveralCalls) -> bool:
    """What is kept shows several of the results twice or more often: as appended, as loaded, on the thread."""
    return len(reply.kept) > 1


@condition
def sent_once(_: ExecutionView, reply: SeveralCalls) -> bool:
    """A request holds several of the results."""
    return bool(reply.requests)


@condition
def supplied_by_the_caller(execution: ExecutionView, reply: SeveralCalls) -> bool:
    """A caller supplied some of the results in another run."""
    return any(result.id in reply.ids for run in execution.runs for result in run.supplied)


def _run(reply: SeveralCalls) -> RunView:
    return reply.run


recurring = recurring_call_ids.of(_run)

# --- the rules ---


@clause(each=several_calls, when=[kept_twice])
def what_is_kept_has_one_order(_: ExecutionView, reply: SeveralCalls) -> Iterator[Finding]:
    """In all that is kept they stand in one order."""
    yield from _as_the_first(reply.kept, "kept in two orders")


@clause(each=several_calls, when=[sent_once], leaves_alone=[recurring, supplied_by_the_caller])
def what_one_run_produced_has_one_order(execution: ExecutionView, reply: SeveralCalls) -> Iterator[Finding]:
    """Where one run produced them all, what is kept in one go and the response have the order of the requests."""
    first, steps = reply.requests[0], execution.can("history.incremental")
    whole = [order for order in reply.kept if order.steps == 1 and not steps]
    for orders, aspect in ((whole, "kept otherwise than sent"), (reply.responses, "returned otherwise than sent")):
        yield from _as_the_first([first, *orders], aspect)


@rule(
    "PER-50",
    needs=["tools"],
    each=several_calls,
    when=[sent_twice],
    also=[what_is_kept_has_one_order, what_one_run_produced_has_one_order],
    aspects=["sent in two orders", "kept in two orders", "kept otherwise than sent", "returned otherwise than sent"],
    edition=2,
)
def results_have_one_order(_: ExecutionView, reply: SeveralCalls) -> Iterator[Finding]:
    """The results of one reply's calls stand in one order in all requests, and in one order in all that is kept.

    Where one run produced them all, and what is kept is kept in one go, the two orders and the response's are the same.
    """
    yield from _as_the_first(reply.requests, "sent in two orders")


@rule(
    "PER-51",
    level="SHOULD",
    needs=["tools"],
    each=several_calls,
    when=[sent_once],
    leaves_alone=[recurring, supplied_by_the_caller],
    aspects=["order"],
    edition=2,
)
def results_have_the_order_of_their_calls(_: ExecutionView, reply: SeveralCalls) -> Iterator[Finding]:
    """In requests the results of one reply's calls stand in the order of the calls, whichever tool finished first.

    Whichever approval came first, too. What is kept in several steps may stand as it came.
    """
    for order in reply.requests:
        expected = [id for id in reply.ids if id in order.ids]
        yield finding(
            list(order.ids) == expected,
            order.at,
            "order",
            expected=f"results in the order of their calls: {quoted(expected)}",
            got=quoted(order.ids),
            also=[reply.call.at],
        )


# --- what they compare ---


def _as_the_first(orders: Sequence[Order], aspect: str) -> Iterator[Finding]:
    """Whether results stand everywhere as where they stand first."""
    for order in orders[1:]:
        both = set(order.ids) & set(orders[0].ids)
        expected, got = ([id for id in each.ids if id in both] for each in (orders[0], order))
        yield finding(
            got == expected,
            order.at,
            aspect,
            expected=f"results in one order: {quoted(expected)}",
            got=quoted(got),
            also=[orders[0].at],
        )
