"""Persistence, results: what they tell of how calls ended (PER-49), and in which order they stand (PER-50, PER-51)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.persistence.outcomes import Outcome, Told, gone_well, outcome
from conformance.rules.preconditions import RequestView
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import CallView, RunView
from conformance.rules.wording import quoted
from conformance.trace.adapter_events import RunReturned, ThreadDescribed
from conformance.trace.harness_events import HistoryAppended, HistoryLoaded, ServiceCalled
from conformance.trace.messages import Message, Result

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
    """A reply that asks for several tools, of a run on a thread; each call has an id that stands for no other."""
    for run, _, _ in execution.agent_runs():
        for view in run.calls:
            calls = view.reply.message.calls if view.reply else ()
            if len(calls) > 1 and all(execution.asked_for[call.id] == 1 for call in calls):
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


@dataclass(frozen=True)
class Answered:
    """A request that follows calls of agents that are tools, and what such an agent answered before it. at: where."""

    request: RequestView
    at: int
    answer: str
    told: tuple[Result, ...]


@selection
def answered_inside(execution: ExecutionView) -> Iterator[Answered]:
    """A request after an agent that is a tool answered."""
    for run, _, _ in execution.agent_runs():
        for place in range(1, len(run.calls)):
            yield from _answered_between(RequestView(run, place, run.calls[place]))


def _answered_between(request: RequestView) -> Iterator[Answered]:
    """What agents that are tools answered between a request and the one before it."""
    before, after = request.run.calls[request.place - 1], request.call
    for view in request.run.inner_calls:
        asked = _calls_of(before, request.run, view.request.agent)
        if asked and view.reply is not None and before.at < view.at < after.at and _is_an_answer(view.reply.message):
            told = tuple(each for message in after.request.messages for each in message.results if each.id in asked)
            yield Answered(request, view.replied_at or view.at, view.reply.message.text, told)


def _calls_of(view: CallView, run: RunView, agent: str) -> set[str]:
    """The calls of a reply by which it asks an agent that is a tool."""
    tools = {name for name, tool in run.agent.tools.items() if tool.agent == agent}
    return {call.id for call in view.reply.message.calls if call.tool in tools} if view.reply else set()


def _is_an_answer(message: Message) -> bool:
    return bool(message.text) and not message.calls


# --- the rules ---


@clause(each=outcome, when=[gone_well])
def a_value_is_no_failure(_: ExecutionView, outcome: Outcome) -> Iterator[Finding]:
    """A value that a tool returned is not told as a failure."""
    if outcome.within:
        yield _tell(outcome, outcome.within, "told as a failure", [at for at, result in outcome.within if result.error])


@clause(each=answered_inside)
def what_an_agent_answered_is_told(_: ExecutionView, answered: Answered) -> Iterator[Finding]:
    """What an agent that is a tool answered is in the result of its call."""
    yield finding(
        any(answered.answer in result.value and not result.error for result in answered.told),
        answered.request.call.at,
        "told as a failure",
        expected=f"a result that holds what the agent answered: {answered.answer!r}",
        got=quoted([result.value for result in answered.told]),
        also=[answered.at],
    )


@rule(
    "PER-49",
    needs=["tools"],
    each=outcome,
    when=[~gone_well],
    also=[a_value_is_no_failure, what_an_agent_answered_is_told],
    aspects=[
        "sent as a success",
        "kept as a success",
        "returned as a success",
        "sent in two ways",
        "kept in two ways",
        "told as a failure",
    ],
    edition=2,
)
def outcomes_keep_their_meaning(_: ExecutionView, outcome: Outcome) -> Iterator[Finding]:
    """That a tool raised, or that a call was rejected, can be told from a returned value wherever its result stands.

    In what the model is sent, in what is kept and in the response: by a flag, or by a text that is neither empty nor what the tool
    returns when it succeeds; in one way in all requests, and in one way in what is kept and returned. Nor is a value that a tool
    returned, or what an agent that is a tool answered, told as a failure.
    """
    for where, told in outcome.told.items():
        silent = [at for at, result in told if not (result.error or result.value.strip() not in ("", outcome.returns))]
        yield _tell(outcome, told, f"{where} as a success", silent)
    sent, kept = outcome.told.get("sent", ()), [*outcome.told.get("kept", ()), *outcome.told.get("returned", ())]
    for told, aspect in ((sent, "sent in two ways"), (kept, "kept in two ways")):
        if len(told) > 1:
            yield _tell(outcome, told, aspect, [at for at, result in told if result.error != told[0][1].error])


@clause(each=several_calls, when=[kept_twice])
def what_is_kept_has_one_order(_: ExecutionView, reply: SeveralCalls) -> Iterator[Finding]:
    """In all that is kept they stand in one order."""
    yield from _as_the_first(reply.kept, "kept in two orders")


@clause(each=several_calls, when=[sent_once], leaves_alone=[supplied_by_the_caller])
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
    leaves_alone=[supplied_by_the_caller],
    also=[what_is_kept_has_one_order, what_one_run_produced_has_one_order],
    aspects=["sent in two orders", "kept in two orders", "kept otherwise than sent", "returned otherwise than sent"],
    edition=2,
)
def results_have_one_order(_: ExecutionView, reply: SeveralCalls) -> Iterator[Finding]:
    """The results of one reply's calls stand in one order in all requests, and in one order in all that is kept.

    Those that a caller supplies in another run stand where the caller put them. Where one run produced them all, and what is kept
    is kept in one go, the two orders and the response's are the same.
    """
    yield from _as_the_first(reply.requests, "sent in two orders")


@rule(
    "PER-51",
    level="SHOULD",
    needs=["tools"],
    each=several_calls,
    when=[sent_once],
    leaves_alone=[supplied_by_the_caller],
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


def _tell(outcome: Outcome, told: Told, aspect: str, wrong: Sequence[int]) -> Finding:
    """Whether results tell how a call ended; wrong: where they do not."""
    ended = "was rejected" if outcome.how == "rejected" else outcome.how
    return finding(
        not wrong,
        [*wrong, told[0][0]][0],
        aspect,
        expected=f"results of {outcome.call.id} that tell that it {ended}, in one way",
        got=", ".join(f"{result.value!r}{' as an error' if result.error else ''}" for at, result in told if at in wrong),
        also=[outcome.at],
    )


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
