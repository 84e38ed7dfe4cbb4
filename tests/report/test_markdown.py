import json
import shlex
from io import StringIO

import msgspec
import pytest
from rich.console import Console
from rich.text import Text
from samples import Shouting, conversation, faulty, material, sample_rule

from conformance.implementation.protocol import Choice
from conformance.implementation.subject import subject
from conformance.judging.baseline import Baseline, Deviation, Table
from conformance.judging.judge import Judge
from conformance.judging.ledger import Ledger, judged
from conformance.judging.results import Suite
from conformance.judging.search import Profile
from conformance.judging.verdicts import BothWays, CellResult, Difference
from conformance.matrix.cells import CELLS
from conformance.reference.implementation import Reference
from conformance.report.counterexample import WRONG, gist, story, told
from conformance.report.coverage import explain
from conformance.report.event_text import event_line
from conformance.report.markdown import report
from conformance.report.matrix import gaps
from conformance.report.scenario_text import cast_lines, step_lines
from conformance.report.terminal import WIDTH, console, show, stories, summary
from conformance.rules.rule import finding
from conformance.scenario.files import decode, encode
from conformance.trace.harness_events import Broke, ServiceCalled, Warned
from conformance.trace.messages import Message
from conformance.trace.trace import Trace

LEFT_OUT = conversation("what the profile leaves out")


def left_out(execution):
    """Nothing exercises this."""
    if execution.scenario == LEFT_OUT:
        yield finding(True, 0, "loud", expected="this", got="that")


RULES = [
    sample_rule(),
    sample_rule(id="THR-06"),
    sample_rule(left_out, id="PER-01"),
    sample_rule(faulty, id="PER-02"),
    sample_rule(left_out, id="ORC-01", level="SHOULD"),
    sample_rule(id="ORC-02", needs=frozenset({"magic"})),
]
TITLES = {rule.id: rule.title for rule in RULES} | {"THR-05": "Nobody | ever shouts."}
SHOUT = conversation("please shout")


def deviation(rule, reason):
    return Deviation(Table(rule=rule, aspect="loud", reason=reason, scenario=encode(SHOUT)), SHOUT)


KNOWN = Baseline("known.toml", (deviation("THR-06", "we like to <shout>"), deviation("ORC-02", "x")))


@pytest.fixture(scope="module")
def results():
    stuff = material(("one", conversation("hello", "please shout")), corpus=[LEFT_OUT])
    effort = Profile("quick", corpus=0, explore=20, shrink=50)
    judges = [
        Judge(subject(Shouting), RULES, effort=effort, material=stuff, baseline=KNOWN),
        Judge(subject(Reference), RULES, effort=effort, material=stuff),
    ]
    ledger = Ledger(judges, Suite(version="0", profile="quick"))
    for judge in judges:
        for rule in RULES:
            ledger.add(judged(judge, rule))
    ledger.finish(complete=True)
    return ledger.results


def test_the_story_tells_the_steps_and_marks_the_wrong_event(results):
    verdict = results.implementations[0].rules[0]
    lines = story("Nobody ever shouts.", "my_agents:Shouting?volume=it's loud", verdict).splitlines()
    assert gist(verdict) == "fail: got a shout; expected an answer in a normal voice"
    assert lines[:2] == ["THR-05 (MUST): Nobody ever shouts.", "Status of its record: proposed, decision open"]
    assert lines[2:5] == ["", "Aspect: loud", ""]
    assert lines[5] == f"Scenario {verdict.counterexample.id}"
    run = lines.index("  2. run t with 'please shout'")
    assert "       … 2 events" in lines[:run]  # of another run
    assert ">>     5  run returned (messages: [assistant: 'HELLO'])" in lines[run:]
    assert lines[-4:-1] == ["Expected: an answer in a normal voice", "Got: a shout", ""]
    command = shlex.split(lines.pop().removeprefix("Replay: "))
    assert max(map(len, lines)) <= WIDTH
    assert decode(command[2]) == verdict.counterexample.scenario
    assert command[:2] + command[3:] == ["agent-tck", "replay", "my_agents:Shouting?volume=it's loud", "--rule", "THR-05"]
    narrow = story("Nobody ever shouts.", "x", verdict, 60).splitlines()[:-1]
    assert max(map(len, narrow)) <= 60


def test_steps_that_a_break_left_out_are_said_to_be():
    scenario = conversation("one", "two")
    events = (Broke(step=1, cause="exit", text="gone"),)
    lines = told(scenario, Trace(implementation="x", events=events), {0: WRONG})
    assert lines[3:] == [
        "  2. run t with 'one'",
        ">>     0  broke (cause: 'exit'; text: 'gone')",
        "  3. run t with 'two' (was not performed)",
    ]


def test_scenarios_and_events_read_in_plain_words():
    scenario = decode(
        json.dumps(
            {
                "agents": {
                    "a": {"history": "provider", "per_service_call": True, "tools": {"pay": {"approval": True}}},
                    "b": {"service": {"keeps": "new_ids"}, "on_conflict": {"throw": False}},
                },
                "workflows": {
                    "w": {"pattern": "group_chat", "participants": ["a", "b"], "intermediate_outputs": True},
                    "x": {
                        "pattern": "custom",
                        "stages": [["p", "q"]],
                        "executors": {"p": {"emits": ["1"]}, "q": {"completes": "2"}},
                    },
                },
                "steps": [
                    {"do": "create_thread", "thread": "t", "agent": "b", "kind": "hosted"},
                    {"do": "run", "thread": "t", "say": ["one"], "stream": True, "store": False, "conversation_id": "other"},
                    {
                        "do": "run_workflow",
                        "workflow": "w",
                        "say": ["two"],
                        "as_agent": True,
                        "replies": {"a": [{"calls": [{"tool": "pay", "arguments": {"to": "me"}}]}, {"error": "overloaded"}]},
                        "manager": {"picks": ["a"], "answer": "done"},
                    },
                    {"do": "respond", "approve": False},
                ],
            }
        )
    )
    assert list(cast_lines(scenario)) == [
        "agent a: a service that keeps nothing, tool pay returns 'done' and needs approval, a history provider, "
        "per-service-call persistence",
        "agent b: a service that keeps conversations under a new id with every reply, on a conflict not: throw",
        "workflow w: group chat of a, b, intermediate outputs on",
        "workflow x: custom, p beside q, p outputs '1', q completes with '2'",
    ]
    assert list(step_lines(scenario)) == [
        "create the hosted thread t on agent b",
        "run t with 'one', streaming, store=false, conversation_id: of another conversation",
        "run workflow w with 'two', as an agent; a replies call pay{to: 'me'}, then with the error 'overloaded'; "
        "the manager picks a and answers 'done'",
        "reject pending request 0",
    ]
    called = ServiceCalled(step=0, agent="a", call=0, messages=(Message(role="user", text="x\x1b[31m"),), store=False)
    assert event_line(called) == "service called (agent: 'a'; call: 0; messages: [user: 'x\\x1b[31m']; store: no)"


class Terminal(StringIO):
    """Somebody looks at it."""

    def isatty(self):
        return True


def shown(results, file, width, **more):
    show(results, Console(file=file, width=width, no_color=True, highlight=False, markup=False, emoji=False, **more))
    return Text.from_ansi(file.getvalue()).plain


@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_fit_a_terminal_and_only_those_are_cut_that_stand_elsewhere_too(results, width):
    text = shown(results, Terminal(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "PER-02 error: the rule itself raised KeyError: 'a bug in the rule' (on " in " ".join(text.split())
    assert [line.split()[0] for line in text.splitlines() if line.endswith("…")] == ["THR-05"] * (width == 60)


def test_no_line_is_cut_or_wrapped_where_nobody_looks(results):
    implementation = results.implementations[0]
    (first, *others), name = implementation.rules, "a-rather-long-name-of-an-implementation"
    long = msgspec.structs.replace(first.counterexample, got="very loud " * 50 + "indeed")
    violation = msgspec.structs.replace(first.violations[0], counterexample=long)
    verdicts = (msgspec.structs.replace(first, violations=(violation,)), *others)
    many = [msgspec.structs.replace(implementation, name=f"{name}-{number}", rules=verdicts) for number in range(4)]
    for more in ({}, {"force_terminal": True}):  # FORCE_COLOR makes no terminal of a file
        text = shown(msgspec.structs.replace(results, implementations=tuple(many)), StringIO(), WIDTH, **more)
        assert "very loud indeed; expected an answer in a normal voice\n" in text
        assert f"{name}-3" in next(line for line in text.splitlines() if line.lstrip().startswith("rule "))
        assert "…" not in text


def test_each_violation_and_each_error_has_its_story_once(results):
    text = StringIO()
    id = results.implementations[0].rules[0].counterexample.id
    outputs = {"shouting": {id: "one\n\x1b[31mtwo\x1b[0m\x1b[2J\n"}}
    titles = TITLES | {"PER-02": "A rule with a bug."}
    stories(results, titles, Console(file=text, width=WIDTH, no_color=True, highlight=False, markup=False), outputs)
    lines = text.getvalue().splitlines()
    headings = [line.rstrip(" ─") for line in lines if "───" in line]
    assert headings == ["THR-05 fail on shouting", "PER-02 error on shouting", "PER-02 error on reference"]
    assert lines.count("Output:") == 1
    assert lines[lines.index("Output:") + 1 :][:2] == ["  | one", "  | two"]
    assert sum(line.startswith("Replay: agent-tck replay '{") for line in lines) == 3
    assert any(line.endswith(" reference") for line in lines if line.startswith("Replay: "))  # an error is no rule's


def test_a_summary_shows_every_verdict(results):
    text = summary(results)
    assert "\x1b" not in text
    assert "THR-05 fail: got a shout; expected an answer in a normal voice" in text
    assert "THR-06 deviates: we like to <shout>" in text
    assert "PER-02 error: the rule itself raised KeyError" in text
    assert "ORC-02 stale: a deviation is declared in ORC-02/loud, but the rule needs capability magic" in text
    assert "the gate is broken: 2 errors, 1 violation, 1 stale deviation, 2 MUST rules not exercised" in text


def test_coverage_names_what_no_scenario_of_the_corpus_reached(results):
    text = StringIO()
    explain(results, Console(file=text, width=WIDTH, no_color=True))
    lines = [line.strip() for line in text.getvalue().splitlines()]
    of = results.implementations[1].verdict("THR-05").coverage
    assert of.explored > 1
    (row,) = [line.split() for line in lines[lines.index("what exercised the rules on reference:") :] if line.startswith("THR-05")]
    places = str(results.implementations[1].rules[0].exercised)
    assert row == ["THR-05", "1", "1", "0", "0", "0", "0", str(of.explored), str(of.of_explored), places]
    assert lines.count("supported rules that no scenario of the corpus reached: THR-05, THR-06, PER-01, PER-02, ORC-01") == 2
    assert lines.count("rules that do not apply: ORC-02") == 2
    assert max(map(len, lines)) <= WIDTH


def with_cells(results, *, broke=False, differing=0):
    """The results with a matrix in which something of everything came about, and with a comparison both ways."""
    gone = "exit in step 1 of fixture x: gone" if broke else "a run there raised an error of kind other: <b>"

    def outcome(cell):
        if cell.unsupported:
            return CellResult(cell=cell, outcome="refused")
        if cell.client_as_is and cell.per_service_call:
            return CellResult(cell=cell, outcome="not supported", reason="needs capability history.client_as_is")
        if cell.client_as_is:
            return CellResult(cell=cell, outcome="not reached", reason=gone, broke=broke)
        if cell.kind == "adaptive":
            return CellResult(cell=cell, outcome="violated", rules=("PER-01", "PER-09") if cell.streaming else ("PER-02",))
        return CellResult(cell=cell, outcome="held")

    cells = tuple(outcome(cell) for cell in CELLS)
    differences = [
        Difference(area="threads", scenario=conversation(f"turn {number}"), violated_flipped=("THR-05",))
        for number in range(differing)
    ]
    changed = msgspec.structs.replace(
        results.implementations[1], cells=cells, both_ways=BothWays(compared=1986, differing=tuple(differences))
    )
    return msgspec.structs.replace(results, implementations=(results.implementations[0], changed))


def test_the_terminal_counts_cells_and_lists_those_that_nothing_reached_with_what_to_do(results):
    text = summary(with_cells(results))
    lines = [line.rstrip() for line in text.splitlines()]
    assert "  matrix of reference: 28 held, 16 violated, 8 refused, 22 not supported, 22 not reached" in lines
    assert "  Cells that reference supports and nothing reached:" in lines
    flat = " ".join(text.split())
    assert "M3 stateless local, streaming or not; M3 stateless adaptive, streaming or not; M3 one_id local" in flat
    assert "M3 surprising adaptive, streaming or not: a run there raised an error of kind other: <b>" in flat
    assert "To do: where a run fails, make it work" in flat
    assert flat.endswith("22 cells not reached")
    assert "matrix of" not in summary(results)
    (one,) = [cell for cell in with_cells(results).implementations[1].cells if cell.cell.name == "M3 one_id local, streaming"]
    assert "    M3 one_id local, streaming: a run there" in "\n".join(gaps("x", [one]))


def test_a_matrix_in_an_area_that_broke_is_an_error(results):
    text = summary(with_cells(results, broke=True))
    assert "  The matrix of reference cannot be judged: exit in step 1 of fixture x: gone" in text.splitlines()
    assert "nothing reached" not in text
    assert "24 errors" in text


def test_the_report_has_the_matrix_and_names_the_violated_rules(results):
    text = report(with_cells(results), TITLES)
    lines = text.splitlines()
    assert "Configuration matrix: shouting" not in text
    start = lines.index("## Configuration matrix: reference")
    assert lines[start + 2] == "Cells: 28 held, 16 violated, 8 refused, 22 not supported, 22 not reached."
    rows = [line for line in lines[start:] if line.startswith("| M")]
    assert len(rows) == 16
    assert "|  | service | local | local, streaming | hosted | hosted, streaming | adaptive | adaptive, streaming |" in lines
    assert rows[0] == "| M1 | `stateless` | ✓ | ✓ | ⊘ | ⊘ | ✗ 1 | ✗ 2 |"
    assert rows[9] == "| M3 | `one_id` | **?** | **?** | **?** | **?** | **?** | **?** |"
    assert rows[15] == "| M4 | `surprising` | - | - | - | - | - | - |"
    assert lines[lines.index("- 1: PER-02") + 1] == "- 2: PER-01, PER-09"
    assert "%" not in text[text.index("## Configuration matrix") :].split("\n## ")[0]


def test_both_ways_are_told_only_where_they_were_compared(results):
    assert "oth ways" not in summary(results) + report(results, TITLES)
    same = with_cells(results)
    assert "  both ways on reference: 1986 generated scenarios compared with streaming flipped; none differs" in summary(same)
    assert "## Both ways of running: reference" in report(same, TITLES)
    differing = with_cells(results, differing=7)
    text = summary(differing)
    assert "compared with streaming flipped; 7 differ" in text
    assert "    2 steps, threads: as drawn it violates nothing; with streaming flipped THR-05" in text
    assert "    and 2 more" in text.splitlines()
    shown = report(differing, TITLES)
    assert "run t with 'turn 4'" in shown
    assert "run t with 'turn 5'" not in shown
    assert "And 2 more." in shown


def test_no_color_is_respected(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert console().no_color


def test_the_report_holds_what_it_must(results):
    text = report(results, TITLES)
    for line in (
        "| shouting | threads | MUST |  | 1 | 1 |  |  |  |  |  |  |",
        "Status of the decision record: proposed, decision open.",
        "Status of the decision record: accepted.",
        "| THR-05 | MUST | Nobody \\| ever shouts. | ✗ **fail** | ✓ pass |",
        "| ORC-01 | SHOULD | Nothing exercises this. | ? not exercised | ? not exercised |",
        "### THR-06 (MUST): deviates: bug",
        "> Status of its record: proposed, decision open.",
        "**loud** (bug): we like to \\<shout\\>",
        "- ORC-02: needs capability magic",
    ):
        assert line in text.splitlines()


def of_kinds(results, *kinds):
    """The results, with deviations of these kinds from THR-06."""
    first = results.implementations[0]
    verdict = first.verdict("THR-06")
    violations = tuple(msgspec.structs.replace(verdict.violations[0], kind=kind) for kind in kinds)
    changed = msgspec.structs.replace(verdict, violations=violations)
    rules = tuple(changed if each is verdict else each for each in first.rules)
    return msgspec.structs.replace(results, implementations=(msgspec.structs.replace(first, rules=rules),))


@pytest.mark.parametrize(
    ("kinds", "column", "row"),
    [
        (("by design",), "deviates: by design", "|  | 1 |  | 1 |  |  |  |  |  |"),
        (("by design", "disputed"), "deviates: disputed", "|  | 1 |  |  | 1 |  |  |  |  |"),
        (("by design", "disputed", "bug"), "deviates: bug", "|  | 1 | 1 |  |  |  |  |  |  |"),
    ],
)
def test_deviations_are_counted_by_their_kinds(results, kinds, column, row):
    changed = of_kinds(results, *kinds)
    text = report(changed, TITLES).splitlines()
    assert f"| shouting | threads | MUST {row}" in text
    assert f"### THR-06 (MUST): {column}" in text
    assert any(line.startswith("| THR-06 ") and line.endswith(f"| {column} |") for line in text)
    heads = summary(changed).partition("shouting")[0].split()
    assert heads.count("deviates:") == 1
    assert column.split()[-1] in heads


def following(results, **follows):
    """The results, with deviations from THR-06 in these aspects."""
    (first,) = of_kinds(results, "bug").implementations
    verdict = first.verdict("THR-06")
    violations = tuple(
        msgspec.structs.replace(verdict.violations[0], aspect=aspect, follows=cause) for aspect, cause in follows.items()
    )
    changed = msgspec.structs.replace(verdict, violations=violations)
    rules = tuple(changed if each is verdict else each for each in first.rules)
    return msgspec.structs.replace(results, implementations=(msgspec.structs.replace(first, rules=rules),))


def test_deviations_of_one_cause_stand_together(results):
    heading = "What comes down to one cause, by the deviation that shows it most directly:"
    assert heading not in report(results, TITLES)
    text = report(following(results, a="", b="THR-06/a", c="THR-06/b", d="PER-01/x"), TITLES).splitlines()
    start = text.index(heading)
    assert text[start + 2 : start + 5] == ["- **THR-06/a**: THR-06/b, THR-06/c", "- **PER-01/x**: THR-06/d", ""]
    assert heading in report(following(results, a="THR-06/b", b="THR-06/a"), TITLES)


def test_of_one_cause_the_smallest_counterexample_is_shown_and_the_others_are_named(results):
    one = of_kinds(results, "bug")
    (first,) = one.implementations
    verdict = first.verdict("THR-06")
    small = verdict.violations[0].counterexample
    longer = msgspec.structs.replace(
        small,
        scenario=conversation("hello", "please shout"),
        trace=msgspec.structs.replace(small.trace, events=small.trace.events * 2),
    )
    of_size = {
        "small": verdict.violations[0],
        "longer": msgspec.structs.replace(verdict.violations[0], counterexample=longer),
    }

    def shown(*violations):
        changed = msgspec.structs.replace(verdict, violations=violations)
        rules = tuple(changed if each is verdict else each for each in first.rules)
        text = report(msgspec.structs.replace(one, implementations=(msgspec.structs.replace(first, rules=rules),)), TITLES)
        return text.partition("### THR-06 (MUST)")[2]

    text = shown(of_size["longer"], of_size["small"])
    assert (text.count(f"Scenario {small.id}"), text.count(f"Scenario {longer.id}")) == (1, 0)
    assert f"Declared with the same cause, each in circumstances of its own: {longer.id}." in text
    of_size["small"] = msgspec.structs.replace(of_size["small"], reason="another cause")
    assert shown(*of_size.values()).count("Scenario ") == 2
    new = msgspec.structs.replace(of_size["longer"], declared=False, reason="")
    assert shown(new, new).count("Scenario ") == 2, "what is new is shown whole"


def test_the_report_shows_what_adapters_chose(results):
    assert "What was judged" not in report(results, TITLES)
    chosen = Choice(of="`a|b`", chosen="<b>", why="it's a [must]", default="none`")
    first, *others = results.implementations
    changed = msgspec.structs.replace(first, choices=(chosen,))
    text = report(msgspec.structs.replace(results, implementations=(changed, *others)), TITLES)
    section = text.partition("## What was judged\n")[2].partition("\n## ")[0].splitlines()
    assert [line for line in section if line.startswith("### ")] == ["### shouting 0.1.0"]
    assert "| `a\\|b` | \\<b\\> | it's a \\[must\\] | none\\` |" in section


def test_the_report_is_the_same_however_long_it_took(results):
    slower = msgspec.structs.replace(
        results, implementations=tuple(msgspec.structs.replace(each, seconds=99.0) for each in results.implementations)
    )
    assert report(results, TITLES) == report(slower, TITLES)


def test_text_of_an_implementation_cannot_leave_its_place(results):
    implementation = results.implementations[0]
    found = implementation.rules[0].counterexample
    noisy = msgspec.structs.replace(
        found,
        got="```\n# Heading <script>",
        trace=msgspec.structs.replace(found.trace, events=(Warned(step=0, text="```\n\n# Heading", source="```"),)),
        at=0,
        also=(),
    )
    violation = msgspec.structs.replace(implementation.rules[0].violations[0], counterexample=noisy)
    verdict = msgspec.structs.replace(implementation.rules[0], violations=(violation,))
    changed = msgspec.structs.replace(implementation, rules=(verdict,))
    text = report(msgspec.structs.replace(results, implementations=(changed,)), TITLES)
    assert "\n# Heading" not in text
    assert "<script>" not in text
    assert "\n````text\n" in text


def test_results_that_were_cut_short_say_so(results):
    cut = msgspec.structs.replace(results, complete=False)
    assert "the gate is broken: judging was cut short" in summary(cut)
    assert "judging was cut short" in report(cut, TITLES)
