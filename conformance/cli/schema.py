"""`agent-tck schema`: the JSON Schema of the data that goes in and comes out."""

from __future__ import annotations

import argparse
import json


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # pyright: ignore[reportPrivateUsage]
    """The arguments."""
    parser = commands.add_parser("schema", help="print a JSON Schema", description="Print the JSON Schema of a kind of data.")
    parser.add_argument("kind", choices=("scenario", "trace", "results"))
    parser.set_defaults(do=schema)


def schema(arguments: argparse.Namespace) -> int:
    """Print one schema."""
    import msgspec

    from conformance.judging.results import Results
    from conformance.scenario.scenario import Scenario
    from conformance.trace.trace import Trace

    kinds = {"scenario": Scenario, "trace": Trace, "results": Results}
    found = msgspec.json.schema(kinds[arguments.kind])
    print(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": arguments.kind, **found}, indent=1))
    return 0
