"""`agent-tck replay`: perform one scenario, tell what happened, and what every rule says of it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.judging.replay import Replay


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # pyright: ignore[reportPrivateUsage]
    """The arguments."""
    parser = commands.add_parser(
        "replay",
        help="perform one scenario and show everything",
        description="Perform one scenario, show what happened, and what every rule says of it. Exit code 0: no rule is violated; "
        "1: a rule is violated, or, where one is named, this one; 2: usage, or a scenario that the implementation cannot be asked "
        "for; 3: something could not be judged.",
    )
    parser.add_argument(
        "scenario",
        metavar="SCENARIO",
        help="a scenario file or its JSON text, - for standard input, a file of results or a baseline (with --rule or --id), "
        "a rule that the implementation's own baseline has, or the id of a frozen scenario",
    )
    parser.add_argument("implementation", metavar="IMPLEMENTATION", help="as for `run`")
    parser.add_argument("--rule", metavar="ID[/ASPECT]", help="of several scenarios that of this rule, which alone decides")
    parser.add_argument("--id", metavar="ID", help="of several scenarios the one with this id")
    parser.add_argument("--show-output", action="store_true", help="show what the implementation prints and logs")
    parser.add_argument("--json", action="store_true", help="scenario, trace and findings as JSON")
    parser.set_defaults(do=replay)


def replay(arguments: argparse.Namespace) -> int:
    """Perform, print, and return the exit code."""
    from conformance.errors import UsageError
    from conformance.harness.output import kept_output
    from conformance.judging import replay as replays
    from conformance.judging.plan import subject_of
    from conformance.judging.recorded import checked_way, names_rule, recorded
    from conformance.vocabulary import plain

    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    way = arguments.scenario if names_rule(arguments.scenario) else arguments.rule
    rule = checked_way(way).partition("/")[0] if way else None
    words = sys.stdin.read() if arguments.scenario == "-" else arguments.scenario
    with kept_output():  # what a module prints when it is imported
        subject = subject_of(arguments.implementation)
    done = replays.replay(recorded(words, subject, way=way, id=arguments.id), subject)
    if rule in done.not_supported:
        raise UsageError(f"{subject.label} cannot be judged by {rule}, which {done.not_supported[rule]}")
    if arguments.json:
        print(json.dumps({**plain(done), "output": done.output if arguments.show_output else ""}, indent=1, ensure_ascii=False))
    else:
        _show(done, way, output=arguments.show_output)
    return done.exit_code(way)


def _show(done: Replay, way: str | None, *, output: bool) -> None:
    from conformance.report.counterexample import output_lines
    from conformance.report.replayed import replay_lines
    from conformance.report.terminal import WIDEST, console, story_lines
    from conformance.rules.catalogue import CATALOGUE

    to = console(sys.stdout)
    titles = {id: each.title for id, each in CATALOGUE.items()}
    story_lines(replay_lines(done, titles, way, min(to.width, WIDEST)), to)
    to.print()
    if output:
        story_lines(output_lines(done.output), to)
    elif done.output:
        to.print("It printed or logged something, which --show-output shows.")
