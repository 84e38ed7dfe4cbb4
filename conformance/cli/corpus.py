"""`agent-tck corpus distill`: draw many scenarios and add to the frozen corpus those that tell something new."""

from __future__ import annotations

import argparse

from conformance.vocabulary import AREAS


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # pyright: ignore[reportPrivateUsage]
    """The arguments."""
    parser = commands.add_parser("corpus", help="extend the frozen corpus of drawn scenarios (for developers of the suite)")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    distill = actions.add_parser(
        "distill",
        help="draw scenarios and add those that tell something new",
        description="Draw scenarios and add to fixtures/corpus those that tell something new, on the reference and then on the "
        "mutants. What is in the corpus stays. Works in a checkout.",
    )
    distill.add_argument("--area", action="append", default=[], metavar="|".join(AREAS), help="only this area; repeatable")
    distill.add_argument("--draw", type=int, default=20_000, metavar="N", help="how many scenarios an area; default: 20,000")
    distill.add_argument("--most", type=int, metavar="N", help="add so many an area at most, the most telling ones; default: all")
    distill.add_argument("--seed", type=int, default=1, metavar="N", help="what they are drawn from; default: 1")
    distill.set_defaults(do=run)


def run(arguments: argparse.Namespace) -> int:
    """Distill each area and tell what came of it."""
    from conformance.errors import known
    from conformance.mutants.distillation import distill, lines
    from conformance.scenario import corpus

    known(arguments.area, AREAS, "area")
    for area in arguments.area or AREAS:
        before = corpus.load(area)
        after = distill(area, before, arguments.draw, arguments.seed, arguments.most)
        corpus.write(area, after)
        for line in lines(before, after):
            print(f"{area}: {line}", flush=True)
    return 0
