"""A replay as text: the scenario with all that happened, what the rules say, and what is no longer as it was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from conformance.judging.recorded import Record
from conformance.judging.replay import Replay, State
from conformance.report.counterexample import PROOF, WIDTH, WRONG, told, wrapped


def replay_lines(replay: Replay, titles: Mapping[str, str], way: str | None = None, width: int = WIDTH) -> list[str]:
    """Everything that happened, and the rules that have something to say of it.

    titles: each rule in a sentence. way: a rule or `RULE/aspect`, whose violations alone are marked, and the rule stands first.
    """
    marks: dict[int, str] = {}
    for violation in (each for violations in replay.violations(way).values() for each in violations):
        marks = dict.fromkeys(violation.also, PROOF) | marks | {violation.at: WRONG}
    version = f" {replay.trace.version}" if replay.trace.version else ""
    return [
        *told(replay.scenario, replay.trace, marks, width=width),
        "",
        *wrapped(f"On {replay.trace.implementation}{version}:", width=width),
        *_broken(replay, width),
        *_violations(replay, titles, way, width),
        *_others(replay, width),
        *_records(replay, width),
    ]


def _broken(replay: Replay, width: int) -> Iterator[str]:
    broke = replay.trace.broken
    if broke is not None:
        at = f" at {broke.where}" if broke.where else ""
        yield from wrapped(f"{_said(replay)}: {broke.cause} ({broke.blame}){at}: {broke.text}", "  ", "    ", width)
    for id, error in replay.raised.items():
        yield from wrapped(f"{id} error: the rule itself raised {error}", "  ", "    ", width)


def _said(replay: Replay) -> str:
    """What an end means that is none."""
    return "no end, which violates a rule, and no other rule can judge" if replay.violations() else "error, so no rule can judge"


def _violations(replay: Replay, titles: Mapping[str, str], way: str | None, width: int) -> Iterator[str]:
    first = (way or "").partition("/")[0]
    for id, violations in sorted(replay.violations().items(), key=lambda each: each[0] != first):
        yield from wrapped(f"{id} is violated: {titles[id]}", "  ", "    ", width)
        for each in violations:
            yield from wrapped(f"event {each.at}, {each.aspect}: expected {each.expected}; got {each.got}", "    ", "      ", width)


def _others(replay: Replay, width: int) -> Iterator[str]:
    states: dict[State, list[str]] = {}
    for id in (*replay.judgements, *replay.not_supported):
        states.setdefault(replay.state(id), []).append(id)
    if "held" in states:
        yield from wrapped(f"held: {', '.join(states['held'])}", "  ", "    ", width)
    for id in states.get("left alone", ()):
        yield from wrapped(f"{id} left alone: {', '.join(replay.judgements[id].left_alone)}", "  ", "    ", width)
    silent = [f"{len(ids)} {state}" for state, ids in states.items() if state in ("not exercised", "not supported")]
    if silent:
        yield from wrapped(f"other rules: {', '.join(silent)}", "  ", "    ", width)


def _records(replay: Replay, width: int) -> Iterator[str]:
    if replay.records:
        yield ""
    for record in replay.records:
        then = f"violated, {record.aspect}" if record.aspect else "error"
        text = f"{record.rule}, recorded in {record.where}: {then}; now: {_now(replay, record)}"
        yield from wrapped(text, width=width)


def _now(replay: Replay, record: Record) -> str:
    if not replay.changed(record):
        return "the same"
    state = replay.state(record.rule)
    if state != "violated":
        return "holds" if state == "held" else state
    return f"violated, {', '.join(dict.fromkeys(each.aspect for each in replay.judgements[record.rule].violations))}"
