"""Python objects that somebody names, as `package.module:Name`."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from conformance.errors import UsageError
from conformance.vocabulary import nearest


def named(path: str, fits: Callable[[object], bool], *, what: str, name: str = "Name") -> Any:
    """The object of that name. Raises UsageError that says what is wrong with it.

    fits: which objects of the module could have been meant, where there is none of that name; what: how all of them are called.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise UsageError(f"got {path!r}, expected package.module:{name}")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise UsageError(_missing_module(path, module_name, error.name or module_name)) from error
    except UsageError as error:  # what it needs is not here
        raise UsageError(f"{path}: {error}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"{path}: importing {module_name} raised {shown(error)}") from error
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            inside = cast("dict[str, object]", vars(found))
            home = getattr(found, "__module__", module_name)
            names = [name for name, value in inside.items() if fits(value) and _is_of(value, home) and not name.startswith("_")]
            hint = nearest(part, names) if names else f"; it defines no {what}"
            raise UsageError(f"{path}: {getattr(found, '__name__', found)} has no {part!r}{hint}")
        found = getattr(found, part)
    return found


def _is_of(value: object, module: str) -> bool:
    """Whether a class or a function stands in a module or below it, and was not only imported there."""
    home = getattr(value, "__module__", None)
    return not isinstance(home, str) or home == module or home.startswith(f"{module}.")


def shown(error: BaseException) -> str:
    """The exception in one line, with the place in the user's code where it came from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    text = " ".join(str(error).split())
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{place}"


def _missing_module(path: str, wanted: str, missing: str) -> str:
    if wanted == missing or wanted.startswith(f"{missing}."):
        return f"{path}: there is no module {missing!r} here; is it installed, or the current directory the right one?"
    return f"{path}: {wanted} imports {missing!r}, which is not installed; install what it needs"
