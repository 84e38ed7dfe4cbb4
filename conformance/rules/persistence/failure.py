"""The persistence rules about what is kept when something fails: the service, a tool, the history provider, the consumer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.rules.execution_view import ExecutionView
from conformance.rules.model import contradicts, kind_before, timing_of
from conformance.rules.parts import within
from conformance.rules.persistence.history import gained, kept_runs, occurred, plain
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import outcome, show
from conformance.trace.adapter_events import RunReturned, ThreadDescribed
from conformance.trace.harness_events import (
    ContextInvoked,
    ContextInvoking,
    HistoryFailed,
    ServiceCalled,
    ServiceFailed,
    ToolRaised,
)
from conformance.trace.messages import Part, parts


@rule("PER-19", needs=["history.provider", "history.per_service_call"])
def a_failing_call_keeps_the_earlier_ones(execution: ExecutionView) -> Iterator[Finding]:
    """With `per_service_call`, failing service call *k* leaves the messages of calls 1 to k-1 stored and raises its error.

    Leaves alone: failures that are not the service's (PER-24), and whether the input of a call that its caller cancelled is stored.
    """
    for run in kept_runs(execution):
        failed = run.own(ServiceFailed)
        cancelled = run.ending == "cancelled" and run.calls and run.calls[-1].reply is None
        if timing_of(run) != "per call" or not (failed or cancelled) or run.own(HistoryFailed):
            continue
        stored = gained(execution, run)
        expected = run.happened(trailing=False) if any(view.reply for view in run.calls) else []
        kind = run.raised[1].kind if run.raised else None
        input_of_it = run.happened()[len(expected) :] if expected else run.inputs
        right = stored == expected and kind == "service" if failed else stored in (expected, expected + input_of_it)
        yield finding(
            right,
            failed[-1][0] if failed else run.events[-1][0],
            expected=f"stored: {show(expected)}" + (", and an error of kind service" if failed else ""),
            got=f"stored: {show(stored)}, and {outcome(run)}",
            also=[at for at, _ in run.stored],
        )


@rule("PER-20", needs=["history.per_run"])
def a_failing_run_stores_nothing(execution: ExecutionView) -> Iterator[Finding]:
    """With per-run persistence, a run in which any service call fails stores nothing, and the thread's messages are as before.

    A run that its caller cancels fails too. Of one that was resumed, only the part that failed. Leaves alone: failures that are
    not a service call's (PER-23, PER-24), and runs in the background.
    """
    for run, _, agent in execution.agent_runs():
        failed = [at for at, _ in run.own(ServiceFailed)]
        if run.ending == "cancelled" and run.calls:
            failed.append(run.events[-1][0])
        if timing_of(run) != "per run" or not failed or run.in_background:
            continue
        late = [at for at, event in run.stored if event.step == run.events[-1][1].step]
        local = kind_before(execution, run) == "local" and not agent.service.surprising and not run.answered_requests
        grown = _grown(execution, run) if local else []
        yield finding(
            not late and not grown,
            [*late, *grown, failed[-1]][0],
            expected="nothing of what failed is stored",
            got=f"{len(late)} appends" if late else "the thread's messages changed",
            also=[failed[-1]],
        )


@rule("PER-21", needs=["threads.context_state"])
def providers_are_told_of_a_failure_once(execution: ExecutionView) -> Iterator[Finding]:
    """Providers are told of a failure once, with the request messages and the error, and store nothing from that."""
    for run, _, agent in execution.agent_runs():
        if not agent.context or contradicts(execution, run) or run.raised is None:
            continue
        step = run.events[-1][1].step
        asked = {event.provider for _, event in run.own(ContextInvoking) if event.step == step}
        troubles = [*run.own(ServiceFailed), *run.own(HistoryFailed), *run.own(ToolRaised), run.raised]
        failed = max(at for at, event in troubles if event.step == step)
        after = [at for at, _ in run.stored if at > failed]
        for provider in [each for each in agent.provider_ids if each in asked]:
            told = [(at, event) for at, event in run.own(ContextInvoked) if event.provider == provider and event.step == step]
            told = [(at, event) for at, event in told if event.error is not None]
            said = [execution.heard(event.messages) for _, event in told]
            cause = all(any(trouble.text in (event.error or "") for _, trouble in troubles) for _, event in told)
            requests = all(_is_request(run, each) for each in said)
            yield finding(
                len(told) == 1 and cause and requests and not after,
                [*(at for at, _ in told[1:]), *after, failed][0],
                expected=f"provider {provider!r} told once, with the request messages and the error, and no append after that",
                got=f"told {len(told)} times{': ' if said else ''}{'; '.join(map(show, said))}, {len(after)} appends"
                + ("" if cause else ", of another error"),
                also=[at for at, _ in told],
            )


@rule("PER-22", needs=["history.provider"])
def a_run_after_a_failed_one_stores_its_own(execution: ExecutionView) -> Iterator[Finding]:
    """A run after a failed one stores its own messages once, and never the failed call's twice."""
    for run in kept_runs(execution):
        before = execution.earlier(run)
        if not before or timing_of(run) == "not" or not plain(run) or not run.calls:
            continue
        if before[-1].ending not in ("raised", "cancelled") or not before[-1].calls or timing_of(run) != timing_of(before[-1]):
            continue
        own, lost = gained(execution, run), before[-1]
        happened = occurred([lost, run])
        counts = Counter(own) + Counter(gained(execution, lost))
        twice = [part for part in counts if counts[part] > happened[part]]
        yield finding(
            own == run.happened() and not twice,
            run.stored[-1][0] if run.stored else run.events[-1][0],
            expected=f"stored: {show(run.happened())}, and nothing of the failed run again",
            got=f"stored: {show(own)}",
            also=[lost.events[-1][0]],
        )


@rule("PER-23", needs=["history.provider", "tools"])
def a_tool_that_raises_leaves_history_whole(execution: ExecutionView) -> Iterator[Finding]:
    """A tool that raises is a function result with an error, or fails the run; either way what is stored is whole.

    Where the run succeeds: all of it, and one result for the call. Where it fails: nothing with per-run persistence, with
    per-service-call persistence the replies until then.
    """
    for run in kept_runs(execution):
        raised = run.own(ToolRaised)
        if (
            not raised
            or timing_of(run) == "not"
            or run.terminated
            or run.cut_short
            or run.own(ServiceFailed)
            or run.own(HistoryFailed)
        ):
            continue
        if run.succeeded:
            expected = run.happened()
        elif run.ending == "raised":
            expected = run.happened(trailing=False) if timing_of(run) == "per call" else []
        else:
            continue
        stored = gained(execution, run)
        yield finding(
            stored == expected,
            run.stored[-1][0] if run.stored else raised[0][0],
            expected=f"stored: {show(expected)}",
            got=f"stored: {show(stored)}",
            also=[raised[0][0]],
        )


@rule("PER-24", needs=["history.provider"])
def a_failing_provider_fails_the_run(execution: ExecutionView) -> Iterator[Finding]:
    """A history provider that fails on load, or on append, fails the run: with its error, and with no message reported as stored.

    On load before the service call that it was to be loaded for. Nothing is appended after it failed. Where the consumer has left
    the stream there is nobody to raise to.
    """
    for run, _, _ in execution.agent_runs():
        for at, failure in run.own(HistoryFailed):
            called = [where for where, _ in run.own(ServiceCalled) if where > at]
            later = [where for where, _ in run.stored if where > at]
            returned = [where for where, _ in run.of(RunReturned) if where > at]
            kind = run.raised[1].kind if run.raised else None
            wrong = [*called, *later, *returned]
            yield finding(
                (kind == "provider" or run.ending == "abandoned") and not wrong,
                [*wrong, at][0],
                expected=f"an error of kind provider after the failing {failure.operation}, and nothing else",
                got=f"{outcome(run)}, after {len(called)} more service calls and {len(later)} more appends",
                also=[at],
            )


@rule("PER-25", level="SHOULD", needs=["history.provider", "runs.streaming"])
def an_abandoned_stream_loses_nothing(execution: ExecutionView) -> Iterator[Finding]:
    """A consumer that abandons a stream early costs nothing that earlier calls stored, and nothing is stored twice afterwards.

    With per-service-call persistence the input of the call in flight, with the results of earlier calls, is not lost. With per-run
    persistence a run that did not come to its end stores nothing, or all of it where only its consumer did not see that end.
    """
    for run in kept_runs(execution):
        if run.ending == "abandoned" and timing_of(run) != "not" and run.calls and not run.own(HistoryFailed):
            yield _kept_of_abandoned(execution, run)
        before = execution.earlier(run)
        if before and before[-1].ending == "abandoned" and timing_of(run) == timing_of(before[-1]) != "not":
            counts = Counter(part for each in (before[-1], run) for part in gained(execution, each))
            happened = occurred([before[-1], run])
            twice = [part for part in counts if counts[part] > max(happened[part], 1)]
            expected, got = "nothing of the abandoned run stored again", f"stored twice: {show(twice)}"
            yield finding(not twice, run.sign, expected=expected, got=got, also=[before[-1].at])


def _kept_of_abandoned(execution: ExecutionView, run: RunView) -> Finding:
    happened, stored = run.happened(), gained(execution, run)
    in_flight = run.happened(before=run.calls[-1].request.call)
    if timing_of(run) == "per call":
        reply = run.calls[-1].reply
        said = reply.message.text if reply else ""
        begun = bool(stored) and stored[-1][0] == "assistant" and said.startswith(stored[-1][1])  # what was streamed of it
        right = within(in_flight, stored) and within(stored[:-1] if begun else stored, happened)
        expected = f"stored: {show(in_flight)}"
    else:
        right = not stored or stored == happened
        expected = f"stored: nothing, or {show(happened)}"
    at = run.stored[-1][0] if run.stored else run.events[-1][0]
    return finding(right, at, expected=expected, got=f"stored: {show(stored)}", also=[run.calls[-1].at])


def _is_request(run: RunView, said: list[Part]) -> bool:
    """Whether messages are those of a request of the run, its first or its last, and none of its replies."""
    replies = {part for view in run.calls if view.reply for part in parts([view.reply.message])}
    first = [] if run.answered_requests else run.inputs
    last = run.new_in(len(run.calls) - 1) if run.calls else run.inputs
    whole = set(first) <= set(said) or set(last) <= set(said)
    return not replies & set(said) and whole and (bool(said) or not run.inputs)


def _grown(execution: ExecutionView, run: RunView) -> list[int]:
    """Where the thread shows other messages after the run than before it."""
    step = execution.trace.events[run.at].step
    states = [
        (at, state) for at, state in execution.of(ThreadDescribed) if state.thread == run.thread and state.messages is not None
    ]
    before: list[Part] | None = None
    grown: list[int] = []
    for at, state in states:
        shown = execution.heard(state.messages or ())
        if state.step < step:
            before = shown
        elif state.step == step and before is not None and shown != before:
            grown.append(at)
    return grown
