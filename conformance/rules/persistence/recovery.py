"""Persistence, recovery: how a thread goes on after a run that ended between a call and its results (PER-46)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.rules.condition import condition
from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import names_an_open_call, perhaps_open
from conformance.rules.parts import open_calls
from conformance.rules.persistence.approvals import waiting_before
from conformance.rules.persistence.history import calls_waited_for, kept_untold, unheard
from conformance.rules.preconditions import (
    RequestView,
    callers_history,
    contradicting,
    forked,
    goes_on_in_vain,
    history_failed,
    of_run,
    request,
    thread_run,
)
from conformance.rules.rule import Finding, clause, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import quoted
from conformance.scenario.specs import ToolSpec
from conformance.trace.harness_events import ToolReturned
from conformance.trace.messages import parts

# --- what the rule looks at, and leaves alone ---


@condition
def after_an_interruption(execution: ExecutionView, run: RunView) -> bool:
    """An earlier run on the thread asked for tools, and ended before an answer to their results was the caller's."""
    return bool(perhaps_open(execution, run))


@condition
def refused_at_once(_: ExecutionView, run: RunView) -> bool:
    """The run raised an error before any request, which is no conflict."""
    return run.refused_at_once


# --- the rule ---


@clause(each=request, when=of_run(after_an_interruption))
def a_repair_is_no_success(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """A result that is sent for a call whose tool never returned, and that nobody supplied, is told as a failure.

    By a flag, or by a text that is neither empty nor what the tool returns when it succeeds.
    """
    lost = _lost(execution, request.run)
    told = [result for message in request.call.request.messages for result in message.results if result.id in lost]
    for result in told:
        yield finding(
            result.error or result.value.strip() not in ("", lost[result.id].returns),
            request.call.at,
            "made up as a success",
            expected=f"a result that says that {quoted([result.id])} was interrupted",
            got=repr(result.value),
        )


@clause(each=thread_run, when=[after_an_interruption, refused_at_once], leaves_alone=[contradicting, history_failed])
def a_refusal_names_the_open_call(execution: ExecutionView, run: RunView) -> Iterator[Finding]:
    """A run that is refused instead gets an error that names an open call whose result it does not supply."""
    assert run.raised is not None
    at, error = run.raised
    yield finding(
        names_an_open_call(execution, run),
        at,
        "refused without a name",
        expected=f"a run that goes on, or an error that names one of {quoted([call.id for call in perhaps_open(execution, run)])}",
        got=f"an error of kind {error.kind}: {error.text!r}",
    )


@rule(
    "PER-46",
    needs=["tools"],
    each=request,
    when=of_run(after_an_interruption),
    leaves_alone=[goes_on_in_vain, *of_run(forked, callers_history, kept_untold)],
    also=[a_repair_is_no_success, a_refusal_names_the_open_call],
    aspects=["call without a result", "result without a call", "made up as a success", "refused without a name"],
    edition=2,
)
def an_interruption_poisons_no_thread(execution: ExecutionView, request: RequestView) -> Iterator[Finding]:
    """After a run that ended between a call and its results, later requests hold no call or result without the other.

    By whatever repair: the known result, one that says so, the call left out. Or the later run is refused before any service call,
    with an error that names the open call. A request holds what it sends and what the service has under its conversation id. Calls
    that still wait for an answer are another rule's (PER-42), and of a reply in which a stream was left nobody knows who heard it.
    """
    asked = request.call.request
    said = parts([*asked.held, *asked.messages])
    awaited = {call.id for each in waiting_before(execution, request.run) for call in calls_waited_for(each)}
    left = [id for id in open_calls(said) if id not in awaited | unheard(execution, request.run, asked)]
    counted = Counter(part[:2] for part in said)
    unanswered = any(counted["call", id] > counted["result", id] for id in left)
    yield finding(
        not left,
        request.call.at,
        "call without a result" if unanswered else "result without a call",
        expected="each call with one result, each result after its call",
        got=f"left over: {quoted(left)}",
    )


# --- what it compares ---


def _lost(execution: ExecutionView, run: RunView) -> dict[str, ToolSpec]:
    """The tools of calls that earlier runs may have left open and of which nobody has a result, by call id.

    Without agents that are tools: nothing tells what they came to.
    """
    ran = {event.id for _, event in execution.of(ToolReturned)}
    supplied = {result.id for each in [*execution.earlier(run), run] for result in each.supplied}
    tools = {name: tool for name, tool in run.agent.tools.items() if tool.agent is None}
    lost = [call for call in perhaps_open(execution, run) if call.id not in ran | supplied]
    return {call.id: tools[call.tool] for call in lost if call.tool in tools}
