"""The report as Markdown: nothing in it depends on time, speed or chance, so that a check can tell whether it is current."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from conformance.judging.results import ImplementationResults, Results
from conformance.judging.verdicts import Counterexample, RuleVerdict, Violation
from conformance.report.counterexample import counterexample_lines, replay_command
from conformance.report.counts import COLUMNS, area_of, areas, column, counted, gate, rules, word
from conformance.report.markup import fenced, foreign, foreign_with_code, own, table
from conformance.report.matrix import both_ways, cells
from conformance.vocabulary import AREAS, plain

_SIGNS = {
    "pass": "✓ pass",
    "fail": "✗ **fail**",
    "error": "✗ **error**",
    "stale": "✗ **stale**",
    "not exercised": "? not exercised",
}


def report(results: Results, titles: Mapping[str, str]) -> str:
    """The whole report. titles: each rule in a sentence."""
    sections: list[Iterable[str]] = [
        _head(results),
        _summary(results),
        _judged(results),
        _rules(results, titles),
        *(cells(implementation) for implementation in results.implementations),
        *(both_ways(implementation) for implementation in results.implementations),
        *(_details(implementation, titles) for implementation in results.implementations),
    ]
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"


def _head(results: Results) -> Iterator[str]:
    yield "# Conformance report"
    yield ""
    yield f"By agent-tck {results.suite.version}, profile `{results.suite.profile}`; {gate(results)}."
    yield ""
    names = sorted({name for each in results.implementations for name in plain(each.policies)})
    cells = [
        [
            foreign(each.name),
            foreign(each.version),
            str(len(each.capabilities)),
            *(getattr(each.policies, name) or "not declared" for name in names),
        ]
        for each in results.implementations
    ]
    yield from table(["implementation", "version", "capabilities", *(f"`{name}`" for name in names)], cells)


def _summary(results: Results) -> Iterator[str]:
    yield "## Summary"
    yield ""
    rows: list[list[str]] = []
    for implementation in results.implementations:
        for area, verdicts in areas(implementation).items():
            for level in ("MUST", "SHOULD"):
                of_level = [verdict for verdict in verdicts if verdict.level == level]
                if of_level:
                    found = counted(of_level)
                    rows.append([foreign(implementation.name), area, level, *(str(found[name] or "") for name in COLUMNS)])
    yield from table(["implementation", "area", "level", *COLUMNS], rows)
    yield (
        "A deviation is declared with its reason. *Bug*: the implementation contradicts what it means to do; *by design*: it "
        "decided otherwise; *disputed*: which of the two is open. A rule with deviations of several kinds counts as a bug if any "
        "is one, and as by design if all are."
    )
    yield ""
    for implementation in results.implementations:
        found = implementation.snapshots
        if found is not None and (found.equal or found.differing):
            differing = f" ({', '.join(f'`{name}`' for name in found.differing)})" if found.differing else ""
            yield (
                f"Snapshots reproduced by {foreign(implementation.name)}: {found.equal} equal, "
                f"{len(found.differing)} differing{differing}, {found.not_comparable} not comparable."
            )
            yield ""


def _judged(results: Results) -> Iterator[str]:
    """What adapters do not leave to their frameworks."""
    chosen = [each for each in results.implementations if each.choices]
    if not chosen:
        return
    yield "## What was judged"
    yield ""
    yield "Each implementation as it is by default, but for what its adapter chose."
    yield ""
    for implementation in chosen:
        yield f"### {foreign(implementation.name)} {foreign(implementation.version)}"
        yield ""
        rows = [list(map(foreign_with_code, (each.of, each.chosen, each.why, each.default))) for each in implementation.choices]
        yield from table(["what", "chosen", "why", "by default"], rows)


def _rules(results: Results, titles: Mapping[str, str]) -> Iterator[str]:
    yield "## Rules"
    yield ""
    for area in AREAS:
        ids = [rule for rule in rules(results) if area_of(rule) == area]
        if not ids:
            continue
        yield f"### {area.capitalize()}"
        yield ""
        yield f"Status of the decision record: {own(_record(results, ids[0]))}."
        yield ""
        rows: list[list[str]] = []
        for rule in ids:
            verdicts = [implementation.verdict(rule) for implementation in results.implementations]
            level = next(verdict.level for verdict in verdicts if verdict)
            cells = [_SIGNS.get(word(verdict), column(verdict)) if verdict else "" for verdict in verdicts]
            rows.append([rule, level, own(titles.get(rule, "")), *cells])
        yield from table(["rule", "level", "what it says", *(foreign(each.name) for each in results.implementations)], rows)


def _record(results: Results, rule: str) -> str:
    """What became of the record that a rule comes from."""
    return next(verdict.record for verdict in results.verdicts if verdict.rule == rule)


def _details(implementation: ImplementationResults, titles: Mapping[str, str]) -> Iterator[str]:
    """What does not simply hold: breaches first, then declared deviations, then what cannot be asked."""
    groups = [
        ("What breaks the gate", [verdict for verdict in implementation.rules if verdict.trouble]),
        (
            "Declared deviations",
            [verdict for verdict in implementation.rules if word(verdict) == "deviates" and not verdict.trouble],
        ),
    ]
    for heading, verdicts in groups:
        if verdicts:
            yield f"## {heading}: {foreign(implementation.name)} {foreign(implementation.version)}"
            yield ""
            yield from _roots(verdicts)
            for verdict in verdicts:
                yield from _detail(verdict, titles, implementation.asked or implementation.name)
    asked = [verdict for verdict in implementation.rules if word(verdict) == "not supported"]
    if asked:
        yield f"## Not supported: {foreign(implementation.name)}"
        yield ""
        yield from (f"- {verdict.rule}: {foreign(verdict.reason)}" for verdict in asked)
        yield ""


def _roots(verdicts: Sequence[RuleVerdict]) -> Iterator[str]:
    """What follows from what, by the deviation that all of it comes down to."""
    follows = {f"{verdict.rule}/{each.aspect}": each.follows for verdict in verdicts for each in verdict.violations if each.follows}
    grouped: dict[str, list[str]] = {}
    for way in follows:
        passed = [way]
        while passed[-1] in follows and follows[passed[-1]] not in passed:  # whoever writes a baseline may write a circle
            passed.append(follows[passed[-1]])
        grouped.setdefault(passed[-1], []).append(way)
    if grouped:
        yield "What comes down to one cause, by the deviation that shows it most directly:"
        yield ""
        yield from (f"- **{foreign(root)}**: {', '.join(map(foreign, ways))}" for root, ways in grouped.items())
        yield ""


def _detail(verdict: RuleVerdict, titles: Mapping[str, str], asked: str) -> Iterator[str]:
    yield f"### {verdict.rule} ({verdict.level}): {column(verdict)}"
    yield ""
    yield f"> {own(titles.get(verdict.rule, ''))}"
    if verdict.record:
        yield ">"
        yield f"> Status of its record: {own(verdict.record)}."
    yield ""
    for fault in verdict.faults:
        yield f"✗ {foreign(fault.text)}."
        yield ""
    for violations in _alike(verdict.violations):
        yield from _violation(verdict.rule, violations, asked)
    if not verdict.violations and verdict.reason:
        yield foreign(verdict.reason)
        yield ""
    if verdict.broke is not None:
        yield from _counterexample(verdict.broke, asked)


def _alike(violations: Sequence[Violation]) -> Iterable[list[Violation]]:
    """Declared violations in one aspect with one cause together, the smallest first; a new one always alone."""
    together: dict[object, list[Violation]] = {}
    for place, each in enumerate(violations):
        cause = (each.aspect, each.reason, each.kind, each.follows, each.link, each.flaky)
        together.setdefault(cause if each.declared else place, []).append(each)
    return (sorted(alike, key=lambda each: len(each.counterexample.trace.events)) for alike in together.values())


def _violation(rule: str, violations: Sequence[Violation], asked: str) -> Iterator[str]:
    """One way in which the rule is broken: the aspect, why that is accepted where it is, and what shows it.

    The first of these violations is shown; of the others, which have the same cause, the ids of their scenarios.
    """
    violation, *others = violations
    remarks = [foreign(violation.kind)] if violation.kind else ["**new**"]
    remarks += ["flaky: not each time that it was performed"] if violation.flaky else []
    remarks += [f"follows from {foreign(violation.follows)}"] if violation.follows else []
    remarks += [f"<{violation.link}>"] if violation.link else []
    yield f"**{foreign(violation.aspect)}** ({'; '.join(remarks)})" + (
        f": {foreign(violation.reason)}" if violation.declared else ""
    )
    yield ""
    yield from _counterexample(violation.counterexample, asked, rule)
    if others:
        ids = ", ".join(each.counterexample.id for each in others)
        yield f"Declared with the same cause, each in circumstances of its own: {ids}."
        yield ""


def _counterexample(found: Counterexample, asked: str, rule: str | None = None) -> Iterator[str]:
    yield f"Expected {foreign(found.expected)}; got {foreign(found.got)}."
    yield ""
    yield from fenced(counterexample_lines(found), "text")
    yield "<details><summary>Replay it: the command, with the scenario as JSON</summary>"
    yield ""
    yield from fenced([replay_command(found.scenario, asked, rule)], "sh")
    yield "</details>"
    yield ""
