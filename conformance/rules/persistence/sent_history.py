"""What a request has to carry where its run's history is kept after each service call: what is stored, then what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from conformance.rules.execution_view import ExecutionView
from conformance.rules.parts import by_number, open_calls
from conformance.rules.persistence.append_times import end_of
from conformance.rules.persistence.history import gained, stored_before
from conformance.rules.preconditions import RequestView
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


def repaired(expected: Sequence[Part], got: Sequence[Part]) -> list[Part]:
    """What is expected, as a history may be repaired that has calls without results: with results made up, or without the calls.

    As it was done in what we got, call by call; where the calls were left as they are, so they are here.
    """
    answered, left_out = _how_repaired(_by_id(expected), _by_id(got), open_calls(expected))
    kept = [part for part in expected if not _is(part, "call", left_out)]
    made_up = {part[1]: part for part in sorted(got, key=len) if _is(part, "result", answered)}
    return by_number(_answered(kept, made_up))


def _how_repaired(
    expected: Counter[tuple[str, str]], got: Counter[tuple[str, str]], unanswered: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The ids of the calls that got a result in what we got, and of those that were left out of it."""
    waiting = [id for id in unanswered if expected["call", id] > expected["result", id]]
    answered = [id for id in waiting if got["result", id] > expected["result", id]]
    return answered, [id for id in waiting if id not in answered and got["call", id] < expected["call", id]]


def _is(part: Part, sort: str, ids: Collection[str]) -> bool:
    """Whether a part is a call, or a result, with one of these ids."""
    return part[0] == sort and part[1] in ids


def _by_id(said: Sequence[Part]) -> Counter[tuple[str, str]]:
    return Counter((part[0], part[1]) for part in said if part[0] in ("call", "result"))


def _answered(said: Sequence[Part], made_up: Mapping[str, Part]) -> list[Part]:
    """The same with these results of calls, before somebody says something else."""
    found: list[Part] = []
    ahead: list[Part] = []
    for part in said:
        if part[0] not in ("call", "result"):
            found, ahead = [*found, *ahead], []
        found.append(part)
        if part[0] == "call" and part[1] in made_up:
            ahead.append(made_up[part[1]])
    return [*found, *ahead]


def without_repairs(execution: ExecutionView, run: RunView) -> list[Part]:
    """What a run appended, without one result for each call that earlier runs of its thread had left open."""
    before = [part for each in execution.earlier(run) for part in gained(execution, each)]
    left_open = [id for id in open_calls(before) if id not in run.own_calls]
    found: list[Part] = []
    for part in gained(execution, run):
        if _is(part, "result", left_open):
            left_open.remove(part[1])
        else:
            found.append(part)
    return found
