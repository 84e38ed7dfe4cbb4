"""Warnings and log records of a step, caught where they are emitted: many frameworks warn through `logging`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO

from conformance.trace.harness_events import Warned
from conformance.world.event_log import EventLog, stable


class _Handler(logging.Handler):
    def __init__(self, log: EventLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # arguments that do not fit the message: `logging` itself never lets that reach whoever logs
            text = str(record.msg)
        self._log.record(Warned, text=stable(text), source=record.name)


class LogPrinter(logging.StreamHandler[TextIO]):
    """Writes log records to a stream, also those that are caught."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))


@contextmanager
def catch_warnings(log: EventLog) -> Generator[None]:
    """Record every warning and every log record of level warning or above while this is open."""
    handler: logging.Handler = _Handler(log)
    root = logging.getLogger()

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        log.record(Warned, text=stable(str(message)), source=category.__name__)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        others = root.handlers
        # of the others only what prints: pytest's own raises what `getMessage` does into the framework
        root.handlers = [handler, *(each for each in others if isinstance(each, LogPrinter))]
        try:
            yield
        finally:
            root.handlers = others
