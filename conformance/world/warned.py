"""Warnings and log records of a step, caught where they are emitted: many frameworks warn through `logging`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from conformance.trace import Warned

if TYPE_CHECKING:
    from conformance.world import World


class _Handler(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        from conformance.world import stable

        self._world.record(Warned, text=stable(record.getMessage()), source=record.name)


@contextmanager
def catch_warnings(world: World) -> Generator[None]:
    """Record every warning and every log record of level warning or above while this is open."""
    from conformance.world import stable

    handler = _Handler(world)
    root = logging.getLogger()

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        world.record(Warned, text=stable(str(message)), source=category.__name__)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)
