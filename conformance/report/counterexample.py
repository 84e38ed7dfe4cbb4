"""A counterexample as a story: the rule, the scenario step by step, and the events that matter, with the wrong one marked."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from conformance.judging.verdicts import Counterexample, RuleVerdict
from conformance.report.event_text import event_line
from conformance.report.scenario_text import cast_lines, step_lines
from conformance.scenario.scenario import Scenario

WIDTH = 100


def story(title: str, implementation: str, verdict: RuleVerdict) -> str:
    """Everything about one verdict, as text of at most WIDTH columns. The first line is what it comes down to."""
    gist = f"{'stale deviation' if verdict.stale else verdict.verdict}: {brief(verdict)}"
    lines = [gist if len(gist) <= WIDTH else f"{gist[: WIDTH - 1]}…"]
    lines += wrapped(f"{verdict.rule} ({verdict.level}) on {implementation}: {title}")
    found = verdict.counterexample
    if found is not None and found.aspect:
        lines += wrapped(f"Aspect: {found.aspect}")
    if verdict.reason and (found is None or verdict.verdict != "fail"):
        lines += wrapped(f"Reason: {verdict.reason}")
    if found is not None:
        lines += ["", *scenario_lines(found.scenario), "", *trace_lines(found)]
        lines += ["", *wrapped(f"Expected: {found.expected}"), *wrapped(f"Got: {found.got}")]
    return "\n".join(lines)


def brief(verdict: RuleVerdict) -> str:
    """Why the verdict is what it is, in one line, however long."""
    found = verdict.counterexample
    reason = verdict.reason
    if verdict.verdict == "fail" and found:
        reason = f"got {found.got}; expected {found.expected}"
    elif verdict.faults:
        reason = "; ".join(fault.text for fault in verdict.faults)
    return " ".join(reason.split())


def scenario_lines(scenario: Scenario) -> list[str]:
    """The scenario, step by step."""
    lines = [f"Scenario: {scenario.title}" if scenario.title else "Scenario:"]
    for line in cast_lines(scenario):
        lines += wrapped(line, "  ", "    ")
    for number, line in enumerate(step_lines(scenario), 1):
        lines += wrapped(line, f"  {number}. ", "     ")
    return lines


def trace_lines(found: Counterexample) -> list[str]:
    """The events of the run that went wrong, and others that belong to the proof; `>>` marks the wrong one, ` >` these others."""
    lines = ["What happened:"]
    skipped = 0
    for at, event in enumerate(found.trace.events):
        if not _matters(found, at):
            skipped += 1
            continue
        if skipped:
            lines.append(f"     … {_events(skipped)}")
            skipped = 0
        mark = ">>" if at == found.at else " >" if at in found.also else "  "
        lines += wrapped(f"step {event.step + 1}: {event_line(event)}", f"{mark} {at:>3}  ", " " * 12)
    if skipped:
        lines.append(f"     … {_events(skipped)}")
    return lines


def _matters(found: Counterexample, at: int) -> bool:
    events = found.trace.events
    if at in (found.at, *found.also) or found.at >= len(events):
        return True
    wrong, event = events[found.at], events[at]
    return event.run == wrong.run if wrong.run is not None else event.step == wrong.step


def _events(number: int) -> str:
    return f"{number} more event{'s' if number > 1 else ''}"


def wrapped(text: str, first: str = "", rest: str = "  ") -> Iterator[str]:
    """A text in lines of at most WIDTH columns."""
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first]
