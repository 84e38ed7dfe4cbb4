"""A process of our own at the other end of a pipe: asked by JSON-RPC, ended with everything that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import IO, Any, Literal

import msgspec

from conformance.harness.output import bounded
from conformance.harness.performers import json_rpc
from conformance.harness.performers.json_rpc import Error, Request, Response

CLOSING = 5.0
"""Seconds for a process to end by itself once its standard input is closed."""

LONGEST = 1 << 28
"""Bytes of a line; what is longer is no message."""

_GLANCE = 0.5
"""Seconds after which it is looked whether a silent process is still there: one that it started may hold the pipe open."""


class Gone(Exception):
    """No answer will come any more: the process is ended. cause: as of a `broke` event. The message says what is known."""

    def __init__(self, cause: Literal["exit", "timeout", "malformed"], text: str) -> None:
        super().__init__(text)
        self.cause: Literal["exit", "timeout", "malformed"] = cause


class Failed(Exception):
    """The process answered with an error."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.code = error.code


class Process:
    """One that runs, and answers requests. It ends with this object, at the latest with the interpreter.

    noise: what it printed since the request before the latest one, bounded.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Start it. Raises OSError."""
        self.noise = ""
        self._asked = 0
        self._noise: IO[bytes] = tempfile.TemporaryFile("ab+", buffering=0)  # noqa: SIM115 (appending: it can be emptied meanwhile)
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._noise, start_new_session=True
            )
        except OSError:
            self._noise.close()
            raise
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        assert self._process.stdout is not None
        threading.Thread(target=_pump, args=(self._process.stdout, self._lines), daemon=True, name="conformance-pipe").start()
        self._finalizer = weakref.finalize(self, _end, self._process, self._noise)

    def ask(self, method: str, params: Any, *, seconds: float) -> msgspec.Raw:
        """The result of a request. Raises Failed for an error, Gone where there is no answer within so many seconds."""
        self._asked += 1
        request = Request(id=self._asked, method=method, params=msgspec.Raw(msgspec.json.encode(params)))
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json_rpc.line(request))
            self._process.stdin.flush()
        except (OSError, ValueError):  # it ended, or was ended here
            raise self._dead() from None
        response = self._response(seconds)
        self.noise = bounded(self._noise)
        self._noise.truncate(0)
        if isinstance(response.error, Error):
            raise Failed(response.error)
        assert isinstance(response.result, msgspec.Raw)
        return response.result

    def close(self) -> None:
        """End it, at once where it does not end by itself."""
        self._finalizer()

    def _response(self, seconds: float) -> Response:
        line = self._line(seconds)
        try:
            response = msgspec.json.decode(line, type=Response)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise self._unreadable(line) from None
        if response.id != self._asked or (response.result is msgspec.UNSET) == (response.error is msgspec.UNSET):
            raise self._unreadable(line)
        return response

    def _line(self, seconds: float) -> bytes:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            over = self._process.poll() is not None
            try:
                line = self._lines.get(timeout=min(left, _GLANCE))
            except Empty:
                if over:
                    raise self._dead() from None
                continue
            if not line:
                raise self._dead()
            return line
        self._kill()
        raise Gone("timeout", f"the process gave no answer within {seconds:g} s{self._last_words()}")

    def _dead(self) -> Gone:
        try:
            code = self._process.wait(CLOSING)
        except subprocess.TimeoutExpired:
            self._kill()
            return Gone("exit", f"the process closed its end of the pipe{self._last_words()}")
        how = f"ended with exit code {code}" if code >= 0 else f"was ended by {_signal(-code)}"
        last_words = self._last_words()
        self._kill()
        return Gone("exit", f"the process {how}{last_words}")

    def _unreadable(self, line: bytes) -> Gone:
        self._kill()
        shown = line.decode(errors="replace").strip()
        return Gone("malformed", f"the process wrote {shown[:80]!r} into the pipe, expected a response of JSON-RPC")

    def _last_words(self) -> str:
        with suppress(OSError, ValueError):
            self.noise = bounded(self._noise)
            last = next((line.strip() for line in reversed(self.noise.split("\n")) if line.strip()), "")
            return f"; it printed last: {last[-300:]!r}" if last else ""
        return ""

    def _kill(self) -> None:
        _kill(self._process)
        self.close()


def _pump(source: IO[bytes], lines: SimpleQueue[bytes]) -> None:
    """Put every line of a pipe where it can be awaited; an empty one at its end."""
    with source, suppress(OSError):
        while line := source.readline(LONGEST):
            lines.put(line)
    lines.put(b"")


def _end(process: subprocess.Popen[bytes], noise: IO[bytes]) -> None:
    with suppress(OSError):
        assert process.stdin is not None
        process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(CLOSING)
    _kill(process)
    process.wait()
    noise.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started, which is in its session."""
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _signal(number: int) -> str:
    return signal.Signals(number).name if number in [each.value for each in signal.Signals] else f"signal {number}"
