"""Persistence, responses: what a run hands to its caller holds what the run produced (PER-52)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.rules.condition import condition, selection
from conformance.rules.execution_view import ExecutionView
from conformance.rules.parts import but_for_empty, by_number, within
from conformance.rules.preconditions import cut_short
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run_view import RunView
from conformance.rules.wording import show
from conformance.trace.adapter_events import RunReturned
from conformance.trace.harness_events import ServiceCalled, ServiceReplied, ToolRaised, ToolReturned
from conformance.trace.messages import Part, parts

# --- what the rule looks at, and leaves alone ---


@dataclass(frozen=True)
class ResponseView:
    """A response, and what its run produced.

    due: since the run began or went on, in order. before: until then. open: calls that wait.
    """

    run: RunView
    at: int
    seen: tuple[Part, ...]
    due: tuple[Part, ...]
    before: tuple[Part, ...]
    open: tuple[Part, ...]

    @property
    def allowed(self) -> Counter[Part]:
        """How often the response may hold each part. What became of a call may be told, though nobody was sent it."""
        told = Counter(("result", part[1]) for part in (*self.due, *self.before, *self.open) if part[0] == "call")
        return Counter([*self.due, *self.before, *self.open]) | told


@selection
def response(execution: ExecutionView) -> Iterator[ResponseView]:
    """A response of a run on a thread."""
    for run, _, _ in execution.agent_runs():
        for at, event in run.of(RunReturned):
            yield _looked_up(run, at, event)


@condition
def something_produced(_: ExecutionView, response: ResponseView) -> bool:
    """The run produced something since it began or went on."""
    return bool(response.due)


def _run_of(response: ResponseView) -> RunView:
    return response.run


_OF_ITS_RUN = [cut_short.of(_run_of)]

# --- the rule ---


@rule(
    "PER-52",
    each=response,
    when=[something_produced],
    leaves_alone=_OF_ITS_RUN,
    aspects=["missing", "not produced", "twice", "order", "what was before"],
    edition=2,
)
def a_response_holds_what_its_run_produced(execution: ExecutionView, response: ResponseView) -> Iterator[Finding]:
    """The response of a run holds what the run produced, replies and results, each once and in order.

    Of a run that went on after an answer: since it waited; what the response repeats from before that stands before it, once. An
    implementation that does not declare complete responses returns the last reply at least.
    """
    due = response.due if execution.can("responses.complete") else _last_reply(response.due)
    missing, more = list((Counter(due) - Counter(response.seen)).elements()), Counter(response.seen) - response.allowed
    strange = [part for part in more if part not in response.allowed]
    yield _tell(response, due, "missing", ok=not missing)
    yield _tell(response, due, "not produced", ok=not strange)
    yield _tell(response, due, "twice", ok=len(strange) == len(more))
    if not missing and not more:
        yield _tell(response, due, "order", ok=within(by_number(due), by_number(response.seen)))
        yield _tell(response, due, "what was before", ok=_stands_before(response))


# --- what it compares ---


def _looked_up(run: RunView, at: int, event: RunReturned) -> ResponseView:
    before = _produced(run, [each for each in run.events if each[1].step < event.step])
    since = _produced(run, [each for each in run.events if each[1].step == event.step and each[0] < at])
    open = _open(since, before)
    left = {*open, *(part for part in before if part[0] == "result"), *_beside(run, event, open)}
    due = tuple(part for part in since if part not in left)
    return ResponseView(run, at, tuple(but_for_empty(parts(event.messages))), due, before, open)


def _open(since: Sequence[Part], before: Sequence[Part]) -> tuple[Part, ...]:
    """The calls that nobody has told the result of yet."""
    told = {part[1] for part in (*before, *since) if part[0] == "result"}
    return tuple(part for part in since if part[0] == "call" and part[1] not in told)


def _beside(run: RunView, event: RunReturned, open: Sequence[Part]) -> set[Part]:
    """The results of calls beside those that wait: they may be told with these, when the run goes on."""
    waiting = {part[1] for part in open}
    replies = [view.reply.message for view in run.calls if view.reply and view.reply.step == event.step]
    return {("result", call.id) for each in replies if waiting & {call.id for call in each.calls} for call in each.calls}


def _produced(run: RunView, events: Sequence[tuple[int, object]]) -> tuple[Part, ...]:
    """Replies of the run's own agent and the results of calls of this run: before the reply that follows them, or at the end."""
    found: list[Part] = []
    waiting: list[Part] = []
    for _, event in events:
        if getattr(event, "agent", run.agent_name) != run.agent_name:
            continue
        if isinstance(event, (ToolReturned, ToolRaised, ServiceCalled)):
            waiting = list(dict.fromkeys([*waiting, *_results(run, event)]))
        elif isinstance(event, ServiceReplied):
            found += [*waiting, *but_for_empty(parts([event.message]))]
            waiting = []
    return (*found, *waiting)


def _results(run: RunView, event: ToolReturned | ToolRaised | ServiceCalled) -> list[Part]:
    """Results of calls that the run itself asked for: as a tool ended, or as the model is sent them."""
    if isinstance(event, ServiceCalled):
        asked = _asked_before(run, event)
        return [part for part in parts(event.messages) if part[0] == "result" and part[1] in asked]
    return [("result", event.id)] if event.id else []


def _asked_before(run: RunView, request: ServiceCalled) -> set[str]:
    """The calls of the reply before a request."""
    before = [view for view in run.calls if view.request.call < request.call][-1:]
    return {call.id for view in before if view.reply for call in view.reply.message.calls}


def _last_reply(due: Sequence[Part]) -> list[Part]:
    """The text of the last reply, where there is one."""
    return [part for part in due if part[0] == "assistant"][-1:]


def _stands_before(response: ResponseView) -> bool:
    """Whether no reply that can only be from before stands behind what is due."""
    first = next((place for place, part in enumerate(response.seen) if part in response.due), len(response.seen))
    only_before = set(response.before) - set(response.due)
    return not any(part in only_before and part[0] != "result" for part in response.seen[first:])


def _tell(response: ResponseView, due: Sequence[Part], aspect: str, *, ok: bool) -> Finding:
    expected = f"a response that holds {show(by_number(due))}, each once and in this order"
    return finding(ok, response.at, aspect, expected=expected, got=show(by_number(response.seen)), also=[response.run.at])
