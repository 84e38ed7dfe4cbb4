"""Who is to blame for an exception: the adapter, the implementation under test, or the harness."""

from __future__ import annotations

import builtins
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

import conformance
from conformance.implementation.protocol import AnyImplementation
from conformance.trace.harness_events import Blame

_KIT = Path(conformance.__file__).parent
_JUDGED = tuple(_KIT / folder for folder in ("adapters", "reference", "mutants"))
"""Parts of the package that are under test themselves."""
_PACKAGES = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")]
_STANDARD = Path(sysconfig.get_path("stdlib"))


@dataclass(frozen=True)
class Culprit:
    """Whose code an exception came from. where: `file:line` of its innermost frame, None where that says nothing to anybody."""

    blame: Blame
    where: str | None


def culprit(error: BaseException, implementation: AnyImplementation) -> Culprit:
    """The innermost frame that belongs to the adapter or to what it drives; the harness's own and the standard library's do not.

    An exception with neither came up where the harness called the adapter: then it is the adapter's.
    """
    own = _files(type(implementation))
    for frame, line in _frames(error):
        file = _path(frame.f_code.co_filename)
        if file in own:
            return Culprit("adapter", f"{_shown(file)}:{line}")
        if not _passed_over(file):
            return Culprit("implementation", None if _KIT in file.parents else f"{_shown(file)}:{line}")
    return Culprit("adapter", None)


def is_mistake(error: BaseException) -> bool:
    """Whether an exception is one that Python itself raises where code is wrong: no implementation's own type."""
    return type(error).__module__.partition(".")[0] in sys.stdlib_module_names and not isinstance(error, NotImplementedError)


def place_of(implementation: AnyImplementation, method: str) -> str | None:
    """`file:line` of a method of the adapter."""
    code = getattr(inspect.unwrap(getattr(type(implementation), method)), "__code__", None)
    return f"{_shown(Path(code.co_filename))}:{code.co_firstlineno}" if code else None


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """The frames of a traceback, the innermost first."""
    frames: list[tuple[FrameType, int]] = []
    traceback = error.__traceback__
    while traceback is not None:
        frames.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    return reversed(frames)


@cache
def _path(name: str) -> Path:
    return Path(name)


@cache
def _files(kind: type[AnyImplementation]) -> frozenset[Path]:
    """The files of an adapter: those of its classes, and for a built-in one its whole folder."""
    found: set[Path] = set()
    for each in kind.__mro__:
        file = Path(inspect.getsourcefile(each) or "") if each.__module__ != builtins.__name__ else _KIT
        if _KIT / "adapters" in file.parents:
            found.update(file.parent.glob("*.py"))
        elif _KIT not in (file, *file.parents) and not _passed_over(file):
            found.add(file)
    return frozenset(found)


@cache
def _passed_over(file: Path) -> bool:
    """Whether a file is the harness's own, or of the standard library."""
    if _KIT in file.parents:
        return not any(folder in file.parents for folder in _JUDGED)
    installed = any(folder in file.parents for folder in _PACKAGES)
    return str(file).startswith("<") or (_STANDARD in file.parents and not installed)


@cache
def _shown(file: Path) -> str:
    """A file as it reads on every machine: below the folder of installed packages, or below the current one."""
    for folder in (*_PACKAGES, _KIT.parent, Path.cwd()):
        if folder in file.parents:
            return file.relative_to(folder).as_posix()
    return file.name
