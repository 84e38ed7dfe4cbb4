"""Persistence, execution: which calls are executed (PER-47), and when a loop ends (PER-48)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.persistence.executed_calls import (
    Executed,
    PassedCall,
    asked,
    decided_by,
    executed,
    executions,
    left_waiting,
    of_a_tool_of_its_own,
    of_a_tool_that_needs_approval,
    passed_call,
    perhaps_rejected,
)
from conformance.rules.preconditions import (
    RequestView,
    answered,
    of_run,
    overtaken,
    request,
    succeeded,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import CallView, RunView
from conformance.rules.wording import quoted
from conformance.trace.adapter_events import RunReturned
from conformance.trace.harness_events import ToolRaised, ToolReturned
from conformance.trace.messages import Call, Result

# --- what the rules of this section look at, and leave alone ---


@condition
def asks_for_nothing(_: ExecutionView, request: RequestView) -> bool:
    """The reply asks for no tool."""
    return request.call.reply is not None and not _calls(request)


@condition
def asks_for_tools(_: ExecutionView, request: RequestView) -> bool:
    """The reply asks for tools, all of which the agent has."""
    calls = _calls(request)
    return bool(calls) and all(call.tool in request.run.agent.tools for call in calls)


@condition
def ended_by_a_tool(_: ExecutionView, request: RequestView) -> bool:
    """A tool that the reply asked for ended the loop."""
    return bool(_terminating(request))


@condition
def at_the_limit(_: ExecutionView, request: RequestView) -> bool:
    """So many replies have asked for tools as the agent's limit allows, counted from where the run went on after an answer."""
    run, limit = request.run, request.run.agent.limit
    part = [view for view in run.calls[: request.place + 1] if view.request.step == request.call.request.step]
    return limit is not None and sum(bool(view.reply and view.reply.message.calls) for view in part) >= limit


@condition
def holds_nothing(_: ExecutionView, request: RequestView) -> bool:
    """The reply holds nothing at all: it may be sent back."""
    message = request.call.reply.message if request.call.reply else None
    return message is not None and not (message.text or message.calls)


# --- the rules ---


@clause(each=executed, when=[of_a_tool_that_needs_approval])
def nothing_runs_unasked(execution: ExecutionView, each: Executed) -> Iterator[Finding]:
    """No call runs before its own approval, however deep it is nested, and none that was rejected."""
    decided = decided_by(execution, each)
    yield finding(
        decided.ran <= decided.approved,
        each.at,
        "rejected call run" if decided.rejected else "not approved",
        expected=f"{each.event.tool} runs as often as somebody approved that, {decided.approved} times by then",
        got=f"{decided.ran} times",
    )


@clause(each=passed_call, when=[of_a_tool_of_its_own], leaves_alone=[perhaps_rejected])
def what_a_run_went_past_was_executed(_: ExecutionView, each: PassedCall) -> Iterator[Finding]:
    """A call was executed by the time its run goes on past it."""
    due = len(asked(each.run, each.which, before=each.asked_at + 1))
    ran = len(executions(each.run, each.which, before=each.at))
    yield finding(
        ran >= due,
        each.at,
        "not run",
        expected=f"{each.call.tool} ran for {each.call.id} by then: {due} times with these arguments",
        got=f"{ran} times",
        also=[each.asked_at],
    )


@rule(
    "PER-47",
    needs=["tools"],
    each=executed,
    also=[nothing_runs_unasked, what_a_run_went_past_was_executed],
    aspects=["run again", "in a later run", "never asked for", "not approved", "rejected call run", "not run"],
    edition=2,
)
def a_call_is_executed_once(execution: ExecutionView, each: Executed) -> Iterator[Finding]:
    """A call is executed at most once, and exactly once where its run went on past it.

    Never before its own approval, however deep it is nested; never again in a later run, on resuming or after a restore; and a tool
    that raises is not tried again in silence. Tools rarely see the ids of calls: they are counted by tool and arguments.
    """
    here, ran = asked(each.run, each.which, before=each.at), len(executions(each.run, each.which, before=each.at + 1))
    before = [at for run in execution.runs if run.number < each.run.number for at in asked(run, each.which, before=each.at)]
    due = len(here) + left_waiting(execution, each.run, each.which)
    yield finding(
        ran <= due,
        each.at,
        "run again" if here else "in a later run" if before else "never asked for",
        expected=f"{each.event.tool} runs with these arguments as often as this run asks for that, {due} times by then",
        got=f"{ran} times",
        also=[*here, *before][:1],
    )


@clause(each=request, when=[answered, asks_for_tools, ended_by_a_tool])
def a_terminating_tool_ends_the_loop(_: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """After a tool that ends the loop there is no service call."""
    yield _no_more(request, "after a terminating tool")


@clause(each=request, when=[answered, asks_for_tools, at_the_limit, ~ended_by_a_tool])
def at_its_limit_a_loop_asks_once_more(_: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """At the limit there is one service call more at most, which forbids tools."""
    more = _in_this_part(request)
    allowing = [view.at for view in more if not view.request.forbids_tools]
    yield finding(
        not allowing and len(more) < 2,
        [*allowing, *(view.at for view in more[1:]), request.call.at][0],
        "tools allowed at the limit" if allowing else "beyond the limit",
        expected=f"after {request.run.agent.limit} replies that ask for tools one service call at most, which forbids them",
        got=f"{len(more)} service calls, of which {len(allowing)} allow tools",
        also=[request.call.at],
    )


@clause(
    each=request,
    when=[answered, asks_for_tools, *of_run(succeeded), ~ended_by_a_tool, ~at_the_limit],
    leaves_alone=of_run(overtaken),
)
def after_tools_the_loop_goes_on(_: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """After any other reply with calls there is a service call, which may ask for tools again."""
    following = request.run.calls[request.place + 1 : request.place + 2]
    forbids = [view.at for view in following if view.request.forbids_tools]
    yield finding(
        bool(following) and not forbids,
        [*forbids, request.call.replied_at or request.call.at][0],
        "tools forbidden early" if forbids else "ends early",
        expected="another service call, in which tools may be asked for, since the reply asks for tools",
        got="a service call that forbids tools" if forbids else "the run returned without one",
        also=[request.call.at],
    )


@clause(each=request, when=[answered, asks_for_tools, ended_by_a_tool])
def siblings_of_a_terminating_call_are_whole(_: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """Beside a terminating call each sibling either ran and has its result, or neither (one that says so is none)."""
    for where, results in _shown(request.run):
        lost, unreal = _siblings_gone_wrong(request, results)
        yield finding(
            not (lost or unreal),
            where,
            "sibling without its result" if lost else "result of a sibling that did not run",
            expected="of each call of the reply: it ran and has its result, or neither",
            got=f"without a result: {quoted(lost)}" if lost else f"as if it had run: {quoted(unreal)}",
            also=[request.call.at],
        )


@rule(
    "PER-48",
    needs=["tools"],
    each=request,
    when=[answered, asks_for_nothing],
    leaves_alone=[holds_nothing],
    also=[
        a_terminating_tool_ends_the_loop,
        at_its_limit_a_loop_asks_once_more,
        after_tools_the_loop_goes_on,
        siblings_of_a_terminating_call_are_whole,
    ],
    aspects=[
        *("after an answer", "after a terminating tool", "tools allowed at the limit", "beyond the limit"),
        *("ends early", "tools forbidden early", "sibling without its result", "result of a sibling that did not run"),
    ],
    edition=2,
)
def the_loop_ends_when_it_has_to(_: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """The loop ends when it has to, and only then: no service call after a terminating tool or a reply that asks for no tools.

    At the limit there is one more at most, which forbids tools. After any other reply that asks for tools there is one, unless the
    run waits, fails or is cancelled. Beside a terminating call each sibling either ran and has its result, or neither.
    """
    yield _no_more(request, "after an answer")


# --- what they compare ---


def _no_more(request: RequestView, aspect: str) -> Finding:
    """Whether a run makes no service call after this one."""
    more = [view.at for view in request.run.calls[request.place + 1 :]]
    return finding(
        not more,
        [*more, request.call.at][0],
        aspect,
        expected=f"no service call {aspect}",
        got=f"{len(more)} more",
        also=[request.call.at],
    )


def _in_this_part(request: RequestView) -> list[CallView]:
    """The later service calls of the same part of the run: until it waits."""
    return [view for view in request.run.calls[request.place + 1 :] if view.request.step == request.call.request.step]


def _ended(request: RequestView) -> list[tuple[int, str]]:
    """The calls of the reply whose tools came to an end before the next service call, and where."""
    calls = {call.id for call in _calls(request)}
    following = request.run.calls[request.place + 1 : request.place + 2]
    until = following[0].at if following else request.run.events[-1][0] + 1
    ended = sorted([*request.run.own(ToolReturned), *request.run.own(ToolRaised)], key=lambda each: each[0])
    return [(at, event.id) for at, event in ended if event.id in calls and request.call.at < at < until]


def _terminating(request: RequestView) -> list[int]:
    """Where tools that the reply asked for ended the loop."""
    ending = {at for at, event in request.run.own(ToolReturned) if event.terminated}
    return [at for at, _ in _ended(request) if at in ending]


def _shown(run: RunView) -> Iterator[tuple[int, list[Result]]]:
    """The results in each response of a run, and in all that it appended."""
    for at, event in run.of(RunReturned):
        yield at, [result for message in event.messages for result in message.results]
    if run.stored:
        yield run.stored[-1][0], [result for message in run.stored_messages for result in message.results]


def _siblings_gone_wrong(request: RequestView, results: Sequence[Result]) -> tuple[list[str], list[str]]:
    """Of the calls of a reply those that ran and have no result, where others have theirs, and those that only seem to have run."""
    calls, ran = _calls(request), {id for _, id in _ended(request)}
    shown = {result.id: result for result in results}
    lost = [call.id for call in calls if call.id in ran - shown.keys()]
    unreal = [call.id for call in calls if call.id not in ran and _as_if_it_ran(request.run, call, shown.get(call.id))]
    return lost if len(lost) < len(ran) else [], unreal


def _calls(request: RequestView) -> Sequence[Call]:
    """What the reply asks for."""
    return request.call.reply.message.calls if request.call.reply else ()


def _as_if_it_ran(run: RunView, call: Call, result: Result | None) -> bool:
    """Whether a result holds what the tool of its call returns."""
    return result is not None and not result.error and run.agent.tools[call.tool].returns in result.value
