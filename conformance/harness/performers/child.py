"""The process that performs scenarios for another one: `python -P -m conformance.harness.performers.child`.

It reads requests from its standard input and writes responses to its standard output. Both are taken away before anything of an
implementation is imported: what that prints goes to standard error, and what it reads is empty.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from conformance.errors import UsageError
from conformance.harness.execution import performed
from conformance.harness.performers import json_rpc
from conformance.harness.performers.json_rpc import Request, Response
from conformance.harness.performers.messages import Describe, Description, Initialize, Initialized, Perform, kit
from conformance.implementation.loading import resolve
from conformance.implementation.subject import Subject
from conformance.trace.trace import Trace
from conformance.world.captured_warnings import LogPrinter


class Child:
    """Answers requests, one after another."""

    def __init__(self) -> None:
        self._subject: Subject | None = None
        self._methods: Mapping[str, tuple[type, Callable[[Any], Any]]] = {
            "initialize": (Initialize, self._initialize),
            "describe": (Describe, self._describe),
            "perform": (Perform, self._perform),
        }

    def answer(self, line: bytes) -> Response:
        """The response to one line. Never raises for what is asked."""
        try:
            request = msgspec.json.decode(line, type=Request)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return json_rpc.refusal(None, json_rpc.PARSE_ERROR, f"no request: {error}")
        if request.method not in self._methods:
            text = f"there is no method {request.method!r}; one of: {', '.join(self._methods)}"
            return json_rpc.refusal(request.id, json_rpc.METHOD_NOT_FOUND, text)
        kind, method = self._methods[request.method]
        try:
            return json_rpc.result(request.id, method(msgspec.json.decode(request.params, type=kind)))
        except UsageError as error:
            return json_rpc.refusal(request.id, json_rpc.USAGE, str(error))
        except msgspec.MsgspecError as error:
            return json_rpc.refusal(request.id, json_rpc.INVALID_PARAMS, str(error))
        except Exception as error:
            return json_rpc.refusal(request.id, json_rpc.INTERNAL_ERROR, f"{type(error).__name__}: {error}")

    def _initialize(self, _: Initialize) -> Initialized:
        return Initialized(kit=kit())

    def _describe(self, asked: Describe) -> Description:
        sys.path += [folder for folder in asked.folders if folder not in sys.path]  # last: nothing installed is shadowed
        self._subject = found = resolve(asked.implementation)
        return Description(
            label=found.label,
            version=found.version,
            capabilities=tuple(sorted(found.capabilities)),
            policies=found.policies,
            choices=found.choices,
        )

    def _perform(self, asked: Perform) -> Trace:
        if self._subject is None:
            raise UsageError("no implementation is described yet; ask for that first")
        return performed(asked.scenario, self._subject, asked.timeout)


def main() -> None:
    """Answer until the other side closes its end."""
    child = Child()
    logging.getLogger().addHandler(LogPrinter(sys.stderr))
    with open(_taken(0, os.open(os.devnull, os.O_RDONLY)), "rb") as requests, open(_taken(1, 2), "wb") as responses:
        for line in requests:
            responses.write(json_rpc.line(child.answer(line)))
            responses.flush()


def _taken(number: int, instead: int) -> int:
    """Another number for a standard stream, which no process that is started here inherits. `instead` takes its place."""
    kept = os.dup(number)
    os.dup2(instead, number)
    return kept


if __name__ == "__main__":
    main()
