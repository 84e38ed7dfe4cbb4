"""The command `agent-tck`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from conformance import __version__
from conformance.cli import corpus, mutants, replay, rules, run, schema
from conformance.errors import UsageError


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(prog="agent-tck", description="The conformance kit for agent frameworks.")
    made.add_argument("--version", action="version", version=f"agent-tck {__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for command in (run, replay, rules, mutants, corpus, schema):
        command.add(commands)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code; 2 for a mistake in what was asked for."""
    arguments = parser().parse_args(argv)
    try:
        return arguments.do(arguments)
    except UsageError as error:
        print(f"agent-tck: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("agent-tck: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains once more at its end
        return 1
