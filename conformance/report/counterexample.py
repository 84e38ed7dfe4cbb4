"""A counterexample as a story: the rule, what happened in each step of the scenario, the wrong event marked, how to replay it."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Collection, Iterator, Mapping

from conformance.judging.verdicts import Counterexample, RuleVerdict, Violation
from conformance.report.event_text import event_line
from conformance.report.scenario_text import cast_lines, step_lines
from conformance.scenario.files import compact
from conformance.scenario.identity import scenario_id
from conformance.scenario.scenario import Scenario
from conformance.trace.trace import Trace

WIDTH = 100
WRONG, PROOF = ">>", " >"
"""The marks of events: the one that a rule says is wrong, and others that belong to the proof."""
OUTPUT = "  | "
"""What stands before each line that is not ours."""


def story(title: str, asked: str, verdict: RuleVerdict, width: int = WIDTH, outputs: Mapping[str, str] | None = None) -> str:
    """Everything about one verdict, in lines of at most `width` columns, but for commands and output.

    title: the rule in a sentence. asked: the words by which the command finds the implementation. outputs: what was printed and
    logged in counterexamples, by their ids.
    """
    lines = [*wrapped(f"{verdict.rule} ({verdict.level}): {title}", width=width)]
    if verdict.record:
        lines += wrapped(f"Status of its record: {verdict.record}", width=width)
    for fault in verdict.faults:
        lines += wrapped(f"Fault: {fault.text}", width=width)
    shown = _told(verdict)
    if verdict.reason and not shown:
        lines += wrapped(f"Reason: {verdict.reason}", width=width)
    for violation in shown:
        lines += ["", *_remarks(violation, width), *_proof(violation.counterexample, asked, verdict.rule, width, outputs)]
    if verdict.broke is not None:
        lines += _proof(verdict.broke, asked, None, width, outputs)
    return "\n".join(lines)


def shown_in_story(verdict: RuleVerdict) -> list[Counterexample]:
    """The counterexamples that a story shows."""
    return [each.counterexample for each in _told(verdict)] + ([verdict.broke] if verdict.broke else [])


def _told(verdict: RuleVerdict) -> list[Violation]:
    """The new violations; where there is none, those that are declared."""
    return [each for each in verdict.violations if not each.declared] or list(verdict.violations)


def _remarks(violation: Violation, width: int) -> Iterator[str]:
    yield from wrapped(f"Aspect: {violation.aspect}", width=width)
    if violation.declared:
        yield from wrapped(f"Declared ({violation.kind}): {violation.reason}", width=width)
    if violation.flaky:
        yield "Flaky: not each time that it was performed"


def _proof(found: Counterexample, asked: str, rule: str | None, width: int, outputs: Mapping[str, str] | None) -> Iterator[str]:
    yield ""
    yield from counterexample_lines(found, width)
    yield ""
    yield from wrapped(f"Expected: {found.expected}", width=width)
    yield from wrapped(f"Got: {found.got}", width=width)
    yield ""
    yield f"Replay: {replay_command(found.scenario, asked, rule)}"
    if outputs is not None and found.id in outputs:
        yield ""
        yield from output_lines(outputs[found.id])


def output_lines(output: str) -> Iterator[str]:
    """What an implementation printed and logged while a scenario was performed, set apart from what is ours."""
    yield "Output:" if output else "Output: none"
    yield from (f"{OUTPUT}{line}" for line in output.splitlines())


def gist(verdict: RuleVerdict) -> str:
    """What a verdict comes down to, in one line of at most WIDTH columns."""
    line = f"{'stale deviation' if verdict.stale else verdict.verdict}: {brief(verdict)}"
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def brief(verdict: RuleVerdict) -> str:
    """Why the verdict is what it is, in one line, however long."""
    found = verdict.counterexample
    reason = verdict.reason
    if verdict.verdict == "fail" and found:
        reason = f"got {found.got}; expected {found.expected}"
    elif verdict.faults:
        reason = "; ".join(fault.text for fault in verdict.faults)
    return " ".join(reason.split())


def replay_command(scenario: Scenario, asked: str, rule: str | None = None) -> str:
    """The command that performs a scenario again, in one line that a shell takes. rule: the one in question."""
    words = ["agent-tck", "replay", compact(scenario), asked, *(["--rule", rule] if rule else [])]
    return shlex.join(words)


def scenario_lines(scenario: Scenario, width: int = WIDTH) -> list[str]:
    """The scenario, step by step."""
    lines = _head(scenario, width)
    for number, line in enumerate(step_lines(scenario), 1):
        lines += _step(number, line, width)
    return lines


def counterexample_lines(found: Counterexample, width: int = WIDTH) -> list[str]:
    """The scenario with the events of the run that went wrong, and others that belong to the proof."""
    shown = [at for at in range(len(found.trace.events)) if _matters(found, at)]
    return told(found.scenario, found.trace, dict.fromkeys(found.also, PROOF) | {found.at: WRONG}, shown, width)


def told(
    scenario: Scenario, trace: Trace, marks: Mapping[int, str], shown: Collection[int] | None = None, width: int = WIDTH
) -> list[str]:
    """The scenario, with what happened below each step. marks: in the margin of these events. shown: only these events."""
    lines = _head(scenario, width)
    broken = trace.broken
    for number, line in enumerate(step_lines(scenario)):
        performed = broken is None or number <= broken.step
        lines += _step(number + 1, line if performed else f"{line} (was not performed)", width)
        lines += _events(trace, number, marks, shown, width)
    return lines


def _head(scenario: Scenario, width: int) -> list[str]:
    lines = [*wrapped(f"Scenario {scenario_id(scenario)}" + (f": {scenario.title}" if scenario.title else ""), width=width)]
    for line in cast_lines(scenario):
        lines += wrapped(line, "  ", "    ", width)
    return lines


def _step(number: int, line: str, width: int) -> Iterator[str]:
    return wrapped(line, f"  {number}. ", "     ", width)


def _events(trace: Trace, step: int, marks: Mapping[int, str], shown: Collection[int] | None, width: int) -> Iterator[str]:
    skipped = 0
    for at, event in enumerate(trace.events):
        if event.step != step:
            continue
        if shown is not None and at not in shown:
            skipped += 1
            continue
        if skipped:
            yield _left_out(skipped)
            skipped = 0
        yield from wrapped(event_line(event), f"{marks.get(at, '  ')} {at:>5}  ", " " * 12, width)
    if skipped:
        yield _left_out(skipped)


def _matters(found: Counterexample, at: int) -> bool:
    events = found.trace.events
    if at in (found.at, *found.also) or found.at >= len(events):
        return True
    wrong, event = events[found.at], events[at]
    return event.run == wrong.run if wrong.run is not None else event.step == wrong.step


def _left_out(number: int) -> str:
    return f"       … {number} event{'s' if number > 1 else ''}"


def wrapped(text: str, first: str = "", rest: str = "  ", width: int = WIDTH) -> Iterator[str]:
    """A text in lines of at most `width` columns."""
    yield from textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first]
