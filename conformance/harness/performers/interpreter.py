"""An implementation in another Python environment, such as another version of a framework: performed there, judged here."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

import conformance
from conformance.errors import UsageError
from conformance.harness.performers.messages import PROTOCOL, Describe, Description, Initialize, Initialized, Perform, kit
from conformance.harness.performers.process import Failed, Gone, Process
from conformance.implementation.subject import Performer, Subject
from conformance.scenario.scenario import Scenario
from conformance.trace.harness_events import Broke
from conformance.trace.trace import Trace
from conformance.world.event_log import stable

_STARTING = 120.0
"""Seconds for an interpreter to import a framework, on a loaded machine."""

_SPARE = 30.0
"""Seconds above what the other side itself allows a scenario: only where its harness cannot end it any more."""


def subject_in(interpreter: str, name: str, asked: str = "") -> Subject:
    """The implementation of this name in the environment of an interpreter. Raises UsageError that says what to do.

    interpreter: its path or command, or the folder of a virtual environment. name: as `loading.resolve` understands it. asked: all
    of that, as the user wrote it. Its label names the version that it reports; where it reports none, the environment.
    """
    named = asked or f"{name}@{interpreter}"
    performer = Interpreter(_executable(interpreter, named), name, named)
    told = performer.description
    own, mark, arguments = told.label.partition("?")
    return Subject(
        label=f"{own}@{told.version or _environment(performer.executable)}{mark}{arguments}",
        origin=performer,
        version=told.version,
        capabilities=frozenset(told.capabilities),
        policies=told.policies,
        choices=told.choices,
        asked=named,
    )


class Interpreter(Performer):
    """Performs scenarios in a process of another interpreter: one process for all of them, until it breaks.

    description: what the implementation declares there.
    """

    def __init__(self, executable: Path, text: str, named: str) -> None:
        """Start it and load the implementation. named: as the user wrote it all. Raises UsageError."""
        self.executable = executable
        self._text = text
        self._named = named
        self._folders = tuple(_folders())
        self._process: Process | None
        self._process, self.description = self._start()

    def perform(self, scenario: Scenario, timeout: float) -> Trace:
        """The trace of a scenario. Where the process is lost with it, a `broke` event says so, and the next gets a new process."""
        try:
            if self._process is None:
                self._process, _ = self._start()
            seconds = (len(scenario.steps) + 2) * (timeout + 1) + _SPARE  # opening and closing take a step's time each
            told = self._process.ask("perform", Perform(scenario=scenario, timeout=timeout), seconds=seconds)
            self.output = self._process.noise
            trace = msgspec.json.decode(told, type=Trace)
        except Gone as gone:
            self.output = self._process.noise if self._process else ""
            return self._lost(Broke(step=0, cause=gone.cause, text=stable(str(gone))))
        except (Failed, UsageError, msgspec.MsgspecError) as error:
            return self._lost(Broke(step=0, cause="crash", text=stable(str(error)), blame="harness"))
        if trace.broken and trace.broken.cause == "timeout":
            self.close()  # what hangs is left behind in there
        return trace

    def close(self) -> None:
        """End the process. The next scenario gets a new one."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def _lost(self, broke: Broke) -> Trace:
        self.close()
        told = self.description
        return Trace(
            implementation=told.label.partition("?")[0],
            version=told.version,
            capabilities=told.capabilities,
            policies=told.policies,
            events=(broke,),
        )

    def _start(self) -> tuple[Process, Description]:
        try:
            process = Process([str(self.executable), "-P", "-m", "conformance.harness.performers.child"])
        except OSError as error:
            raise UsageError(f"{self._named}: {self.executable} cannot be started: {error.strerror}") from None
        try:
            self._check(process)
            return process, self._described(process)
        except UsageError:
            process.close()
            raise

    def _check(self, process: Process) -> None:
        """Raise UsageError where the other side is not the same agent-tck: then not only the framework would differ."""
        install = f"install it there: {self.executable} -m pip install {_requirement()}"
        try:
            told = msgspec.json.decode(process.ask("initialize", Initialize(), seconds=_STARTING), type=Initialized)
        except (Gone, Failed, msgspec.MsgspecError) as error:
            text = f"expected a Python interpreter from 3.11 on that has agent-tck {kit().version}, but {error}"
            raise UsageError(f"{self._named}: {text}; {install}") from None
        if told.protocol != PROTOCOL or told.kit is None or told.kit.version != kit().version:
            there = f"agent-tck {told.kit.version}" if told.kit else "another kit"
            raise UsageError(f"{self._named}: got {there} there, expected {kit().version}, which is here; {install}")
        if told.kit.digest != kit().digest:
            text = f"the code of agent-tck {kit().version} there is not the same as here"
            raise UsageError(f"{self._named}: {text}; {install}")

    def _described(self, process: Process) -> Description:
        asked = Describe(implementation=self._text, folders=self._folders)
        try:
            return msgspec.json.decode(process.ask("describe", asked, seconds=_STARTING), type=Description)
        except Failed as failed:
            raise UsageError(f"in the environment of {self.executable}: {failed}") from None
        except (Gone, msgspec.MsgspecError) as error:
            raise UsageError(f"{self._named}: while it was loaded there, {error}") from None


def _executable(interpreter: str, named: str) -> Path:
    """The path of an interpreter. A symbolic link stays one: by it an environment is known."""
    given = Path(interpreter).expanduser()
    for folder in (Path.cwd(), *_folders()):
        path = Path(os.path.normpath(folder / given))
        for candidate in (path / "bin" / "python", path / "Scripts" / "python.exe") if path.is_dir() else (path,):
            if candidate.is_file() and os.access(candidate, os.X_OK):
                return candidate
    found = shutil.which(interpreter)
    if found is None:
        raise UsageError(
            f"{named}: there is no Python interpreter {interpreter!r}; expected its path, or the folder of a virtual environment"
        )
    return Path(found)


def _folders() -> Iterator[str]:
    """The folders of the project that are on our path: the current one and those around it. What is installed here stays here."""
    here = Path.cwd()
    for entry in sys.path:
        folder = here / entry
        if folder == here or folder in here.parents:
            yield str(folder)


def _environment(executable: Path) -> str:
    """A name of an environment that says nothing of where it is."""
    return executable.parent.parent.name if executable.parent.name in ("bin", "Scripts") else executable.name


def _requirement() -> str:
    """What pip has to be told to install this agent-tck."""
    root = Path(conformance.__file__).parent.parent
    return f"-e {root}" if (root / "pyproject.toml").is_file() else f"agent-tck=={kit().version}"
