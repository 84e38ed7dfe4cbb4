"""The framework's `FileHistoryProvider` as a history provider under test: `agent-framework?history=<this module>:files`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from agent_framework import FileHistoryProvider


@contextmanager
def files() -> Generator[FileHistoryProvider]:
    """One that keeps its files in a temporary folder, which is removed when the scenario is over."""
    with TemporaryDirectory(prefix="conformance-history-") as folder:
        yield FileHistoryProvider(folder)
