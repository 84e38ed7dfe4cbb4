"""What an implementation prints and logs while a scenario is performed, kept apart from everything that the kit says itself."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, TextIO

from conformance.world.captured_warnings import LogPrinter

LIMIT = 8_000
"""Bytes that are kept: half of them from the beginning, half from the end."""


@dataclass
class Output:
    """The text, once the context that keeps it is left."""

    text: str = ""


@contextmanager
def kept_output() -> Generator[Output]:
    """Keep what is printed, and what is logged at the levels that the loggers have.

    Kept is what reaches the descriptors of stdout and stderr: also from a child process, or by a stream that somebody took before.
    """
    found = Output()
    with TemporaryFile() as file:
        with _into(file):
            yield found
        found.text = bounded(file)


@contextmanager
def _into(file: IO[bytes]) -> Generator[None]:
    saved: list[tuple[int, int]] = []
    root = logging.getLogger()
    with ExitStack() as undone:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        for descriptor in (1, 2):
            with suppress(OSError):  # a process may have closed it
                saved.append((descriptor, os.dup(descriptor)))
                os.dup2(file.fileno(), descriptor)
                own = _writer(descriptor)
                undone.enter_context(redirect_stdout(own) if descriptor == 1 else redirect_stderr(own))
        printer = LogPrinter(sys.stderr)
        root.addHandler(printer)
        try:
            yield
        finally:
            root.removeHandler(printer)
            for descriptor, kept in saved:
                os.dup2(kept, descriptor)
                os.close(kept)


def _writer(descriptor: int) -> TextIO:
    """A stream to a descriptor that stays open: whoever takes it while it stands for stdout can go on writing to it."""
    buffer = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", write_through=True)


def bounded(file: IO[bytes]) -> str:
    """What a file holds as text, without its middle where that is more than LIMIT bytes."""
    size, half = file.seek(0, os.SEEK_END), LIMIT // 2
    file.seek(0)
    if size <= LIMIT:
        return file.read().decode(errors="replace")
    beginning = file.read(half).decode(errors="replace")
    file.seek(size - half)
    return f"{beginning}\n… {size - LIMIT} more bytes …\n{file.read().decode(errors='replace')}"
