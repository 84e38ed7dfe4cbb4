"""The persistence rules about runs that wait for a person's approval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from conformance.rules.case import Case
from conformance.rules.kept import kept_runs, open_calls, stored_by_end
from conformance.rules.requests import outcome, show, undisputed
from conformance.rules.rule import Finding, finding, rule
from conformance.rules.run import RunView
from conformance.scenario import Respond, ToolSpec
from conformance.trace import Call, Part, RequestPending, ServiceFailed, ToolCalled


@rule("PER-31", needs=["tools.approval"])
def an_approved_call_is_sent_once(case: Case) -> Iterator[Finding]:
    """Resuming after an approval sends each function call once and each result once; a rejected call is not run.

    In every cell and on hosted threads, in the request that resumes and in all later ones of the thread; what is stored holds each
    once too, also a rejection. Where storing is the caller's responsibility (PER-04) nothing is sent or stored twice. Leaves alone
    runs that another one of the thread overtook, and services whose call ids come back: there is no telling the calls apart.
    """
    for run, _, agent in case.agent_runs():
        asked = _asked(run)
        if not asked or not run.answered_requests or run.contradicts or run.of(ServiceFailed) or run.ending == "unknown":
            continue
        if agent.service.repeats_call_ids:
            continue
        ids = {call.id for call in asked}
        answers = _answers(case, run)
        if len(answers) < len({call.id for call in asked if _needs_approval(agent.tools, call.tool)}):
            continue  # some of them still wait
        if run.overtaken:
            continue
        yield from _once_in_later_runs(case, run, ids)
        alone = run.timing == "not" and case.kind_before(run) != "hosted"
        resumed_at = next(at for at, event in run.events if event.step != case.trace.events[run.at].step)
        later = [view for view in run.calls if view.at > resumed_at]
        for view in later:
            decided = {call.id for call in _asked(run, before=view.at)}
            seen = Counter(_of(decided, case.heard([*view.request.held, *view.request.messages])))
            yield _once(seen, decided, view.at, "sent", at_most=alone)
        if any(each is run for each in kept_runs(case)) and run.timing != "not" and run.succeeded:
            yield _once(Counter(_of(ids, stored_by_end(case, run))), ids, run.events[-1][0], "stored")
        ran = [(at, event) for at, event in run.own(ToolCalled) if event.id in ids and _needs_approval(agent.tools, event.tool)]
        yield finding(
            len(ran) == sum(answers),
            ran[-1][0] if ran else resumed_at,
            expected=f"{sum(answers)} calls run, as so many answers were yes",
            got=f"{len(ran)} calls run",
            also=[resumed_at],
        )


@rule("PER-42", level="SHOULD", needs=["tools.approval"])
def an_unrelated_input_sends_no_orphan_call(case: Case) -> Iterator[Finding]:
    """An unrelated input while an approval is pending sends no orphan call: it is refused, or the call is answered first."""
    for run, _, _ in case.agent_runs():
        pending = [each for each in case.earlier(run) if each.waits_at(run.at)]
        nobody_keeps = run.timing == "not" and case.kind_before(run) != "hosted"
        if not pending or nobody_keeps or run.contradicting_options or run.misplaced or run.ending in ("unknown", "refused"):
            continue
        waiting = {call.id for each in pending for call in _asked(each)}
        orphans = [
            (view.at, id)
            for view in run.calls
            for id in open_calls(case.heard([*view.request.held, *view.request.messages]))
            if id in waiting
        ]
        yield finding(
            not orphans,
            orphans[0][0] if orphans else run.sign,
            expected="a refusal, or requests in which every call has its result",
            got=f"{', '.join(id for _, id in orphans)} without a result; {outcome(run)}",
            also=[pending[-1].at],
        )


def _once_in_later_runs(case: Case, run: RunView, ids: set[str]) -> Iterator[Finding]:
    """The calls that a run waited for are there once in every later request of its thread too."""
    if not run.succeeded or run.agent.reduces_to is not None or run.timing == "not":
        return
    for later in case.runs:
        after = later.thread is not None and any(each is run for each in case.earlier(later))
        if after and later.agent_name == run.agent_name and later.timing != "not" and undisputed(case, later):
            for view in later.calls:
                seen = Counter(_of(ids, case.heard([*view.request.held, *view.request.messages])))
                yield _once(seen, ids, view.at, "sent")


def _asked(run: RunView, *, before: int | None = None) -> list[Call]:
    """The calls of the replies after which the run waited; `before`: a position in the trace."""
    asked_at = [at for at, _ in run.of(RequestPending) if before is None or at < before]
    waiting: list[Call] = []
    for at in asked_at:
        replies = [view.reply for view in run.calls if view.reply is not None and (view.replied_at or at) < at]
        waiting += [call for call in replies[-1].message.calls if call not in waiting] if replies else []
    return waiting


def _answers(case: Case, run: RunView) -> list[bool]:
    """The answers that the run got, in order."""
    steps = [case.scenario.steps[step] for step in dict.fromkeys(event.step for _, event in run.events)]
    return [step.approve for step in steps if isinstance(step, Respond)]


def _needs_approval(tools: Mapping[str, ToolSpec], tool: str) -> bool:
    return tool in tools and tools[tool].approval


def _of(ids: set[str], said: list[Part]) -> list[Part]:
    return [part for part in said if part[0] in ("call", "result") and part[1] in ids]


def _once(seen: Counter[Part], ids: set[str], at: int, what: str, *, at_most: bool = False) -> Finding:
    """Whether each call and each result is there once; `at_most`: or not at all."""
    counts = {(sort, id): sum(count for part, count in seen.items() if part[:2] == (sort, id)) for id in ids for sort in _SORTS}
    fine = (0, 1) if at_most else (1,)
    wrong = [f"{sort} {id} {count} times" for (sort, id), count in sorted(counts.items()) if count not in fine]
    return finding(not wrong, at, expected=f"{what}: each call and each result once", got=", ".join(wrong) or show([]))


_SORTS = ("call", "result")
