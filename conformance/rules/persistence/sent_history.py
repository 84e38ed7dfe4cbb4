"""What a request has to carry where its run's history is kept after each service call: what is stored, then what is new."""

from __future__ import annotations

from collections import Counter

from conformance.rules.execution_view import ExecutionView
from conformance.rules.parts import by_number, open_calls
from conformance.rules.persistence.append_times import end_of
from conformance.rules.persistence.history import gained, stored_before
from conformance.rules.preconditions import RequestView
from conformance.rules.repairs import without_results
from conformance.rules.run_view import RunView
from conformance.trace.messages import Part, parts


def begins(request: RequestView) -> int:
    """Where a run begins to make ready for a request: at its own beginning, or when the call before was over."""
    return request.run.at if request.place == 0 else end_of(request.run, request.place - 1)


def stored_and_new(execution: ExecutionView, request: RequestView) -> list[Part]:
    """The stored history, then what is new and not stored by then."""
    run, new = request.run, request.run.new_in(request.place)
    stored = execution.spoken(stored_before(execution, run, request.call.at), run.agent)
    ahead = _appended_ahead(execution, request)
    left: list[Part] = []
    for part in new:
        if ahead[part] > 0:
            ahead[part] -= 1
        else:
            left.append(part)
    return by_number([*stored, *left])


def _appended_ahead(execution: ExecutionView, request: RequestView) -> Counter[Part]:
    """What a run appended to make ready for a request, but for what the call before it came to."""
    run, since = request.run, begins(request)
    messages = [message for at, event in run.stored if since < at < request.call.at for message in event.messages]
    return Counter(execution.spoken(messages, run.agent)) - _of_the_call_before(request)


def _of_the_call_before(request: RequestView) -> Counter[Part]:
    run, before = request.run, request.place - 1
    reply = run.calls[before].reply if request.place else None
    return Counter([*run.new_in(before), *parts([reply.message])]) if reply is not None else Counter()


def without_repairs(execution: ExecutionView, run: RunView) -> list[Part]:
    """What a run appended, without one result for each call that earlier runs of its thread had left open."""
    before = [part for each in execution.earlier(run) for part in gained(execution, each)]
    left_open = [id for id in open_calls(before) if id not in run.own_calls]
    return without_results(gained(execution, run), left_open)
