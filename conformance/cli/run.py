"""`agent-tck run`: judge implementations, show what holds, and say by the exit code whether the gate does."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from conformance.vocabulary import AREAS


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # pyright: ignore[reportPrivateUsage]
    """The arguments."""
    parser = commands.add_parser(
        "run",
        help="judge implementations by the rules",
        description="Judge implementations by the rules. Exit code 0: the gate holds; 1: a violation, a stale deviation, a "
        "supported MUST rule that was not exercised, or a supported cell of the configuration matrix that was not reached; "
        "2: usage or configuration; 3: something could not be judged.",
    )
    parser.add_argument(
        "implementations",
        nargs="*",
        metavar="IMPLEMENTATION",
        help="built-in name or package.module:Name, with @INTERPRETER of another environment, with ?key=value arguments; "
        "default: reference",
    )
    parser.add_argument("--area", action="append", default=[], metavar="|".join(AREAS), help="only this area; repeatable")
    parser.add_argument("--rule", action="extend", nargs="+", default=[], metavar="ID", help="only these rules")
    parser.add_argument("--profile", default="default", metavar="quick|default|thorough", help="how much is tried")
    parser.add_argument("--explore", type=int, metavar="N", help="draw N scenarios an area anew; 2,000 with the profile thorough")
    parser.add_argument("--seed", metavar="N|random", help="what they are drawn from; it is printed")
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        metavar="NAME",
        help="a capability that must be declared, or an area of which something must be exercised; repeatable",
    )
    baseline = parser.add_mutually_exclusive_group()
    baseline.add_argument("--baseline", type=Path, metavar="FILE", help="declared deviations, instead of the built-in ones")
    baseline.add_argument("--no-baseline", action="store_true", help="leave out all declared deviations")
    parser.add_argument("--baseline-update", action="store_true", help="accept new violations: write them into the baseline")
    parser.add_argument("--baseline-prune", action="store_true", help="take out of the baseline what is not so any more")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report as Markdown")
    parser.add_argument("--show-output", action="store_true", help="with each story, what was printed and logged")
    parser.add_argument("--explain-coverage", action="store_true", help="show what exercised each rule, and how often")
    parser.set_defaults(do=run)


def run(arguments: argparse.Namespace) -> int:
    """Judge, print, and return the exit code."""
    from conformance.cli.baselines import BaselineOptions
    from conformance.judging.plan import Request
    from conformance.judging.verdicts import exit_code
    from conformance.report.coverage import explain
    from conformance.report.files import check_folder
    from conformance.report.terminal import apart, console, show, stories
    from conformance.suite.embedded import judge_all

    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    # `--rule THR-01 reference` reads both as rules: what looks like an implementation is one
    rules = [word for word in arguments.rule if not _names_implementation(word)]
    implementations = arguments.implementations + [word for word in arguments.rule if _names_implementation(word)]
    request = Request(
        implementations=implementations or ["reference"],
        areas=arguments.area,
        rules=rules,
        profile=arguments.profile,
        explore=arguments.explore,
        seed=arguments.seed,
        required=arguments.require,
        baseline=arguments.baseline.absolute() if arguments.baseline else None,
        own_baselines=not arguments.no_baseline,
    )
    changes = BaselineOptions.of(arguments, request)
    request.judges()  # mistakes show here, before anything is started
    request.floor()
    json, report = (check_folder(path.absolute()) if path else None for path in (arguments.json, arguments.report))
    with apart(sys.stderr) as stderr, console(stderr).status("") as status:
        judged = judge_all(
            request,
            json=json,
            report=report,
            show_output=arguments.show_output,
            progress=lambda name, place, of: status.update(f"{place + 1}/{of} {name}"),
        )
    results = judged.results
    if results is None or not results.implementations:
        print("agent-tck: the run came to no end of its own; see above", file=sys.stderr)
        return 3
    to = console(sys.stdout)
    stories(results, {rule.id: rule.title for rule in request.selected()}, to, judged.outputs)
    show(results, to)
    if arguments.explain_coverage:
        explain(results, to)
    for path in (arguments.json, arguments.report):
        if path is not None:
            print(f"written: {path}")
    if not results.complete:
        return 3
    settled = changes.make(results)
    return exit_code(trouble for trouble in results.troubles if trouble not in settled)


def _names_implementation(word: str) -> bool:
    from conformance.implementation.loading import BUILT_IN, apart

    name, interpreter = apart(word)
    return ":" in word or interpreter is not None or name.partition("?")[0] in BUILT_IN
