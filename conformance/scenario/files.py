"""Scenarios as files: strict decoding, with errors that name file and field, and the form in which they are written."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from conformance.json_errors import misfit
from conformance.scenario.scenario import Scenario
from conformance.scenario.validation import dangling
from conformance.vocabulary import Area

WIDTH = 110
"""How long a line of a scenario file may be before an object or a list is spread over several."""


class ScenarioError(Exception):
    """A scenario that cannot be read or performed; the message names file and field."""


def read(path: Path | str) -> Scenario:
    """The scenario in a file, decoded strictly and checked. Raises ScenarioError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from None
    return decode(text, name=str(path))


def decode(text: str, *, name: str = "scenario") -> Scenario:
    """The scenario in a JSON text, decoded strictly and checked. Raises ScenarioError that names the file as `name`."""
    try:
        data: Any = json.loads(text, object_pairs_hook=_without_repetition)
    except json.JSONDecodeError as error:
        raise ScenarioError(f"{name}: line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
    except _Repeated as error:
        raise ScenarioError(f"{name}: the field {error.args[0]!r} stands twice in one object") from None
    except RecursionError:
        raise ScenarioError(f"{name}: nested too deeply") from None
    try:
        scenario = msgspec.convert(data, Scenario)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{name}: {misfit(data, Scenario) or error}") from None
    check(scenario, name=name)
    return scenario


def check(scenario: Scenario, *, name: str | None = None) -> None:
    """Check the references that must hold within a scenario. Raises ScenarioError for the first one that does not."""
    wrong = next(dangling(scenario), None)
    if wrong is not None:
        raise ScenarioError(f"{name or scenario.title or 'scenario'}: {wrong}")


def encode(scenario: Scenario) -> str:
    """The JSON text of a scenario as a person reads and writes it: without defaults, short objects on one line."""
    return _pretty(sparse(scenario), 0) + "\n"


def compact(scenario: Scenario) -> str:
    """The JSON text of a scenario in one line of ASCII, without defaults: what a shell takes and a terminal shows."""
    return json.dumps(sparse(scenario), separators=(",", ":"))


def sparse(value: Any, *, ordered: bool = False) -> Any:
    """The JSON form of a scenario, or of a part of one, without what equals its default, also where that is a whole object.

    ordered: fields are sorted by name; mappings stay as they are.
    """
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        found: dict[str, Any] = {value.__struct_config__.tag_field or "type": tag} if tag is not None else {}
        for field in _fields(type(value)):
            held = getattr(value, field.name)
            if field.required or held != _default(field):
                found[field.encode_name] = sparse(held, ordered=ordered)
        return dict(sorted(found.items())) if ordered else found
    if isinstance(value, dict):
        return {key: sparse(held, ordered=ordered) for key, held in cast("dict[str, Any]", value).items()}
    return [sparse(held, ordered=ordered) for held in cast("tuple[Any, ...]", value)] if isinstance(value, tuple) else value


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)  # which reads annotations anew each time


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default


def _pretty(value: Any, indent: int, used: int = 0) -> str:
    """JSON in which whatever fits stands on one line. used: what already stands on the line."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or (indent and indent + used + len(flat) <= WIDTH):
        return flat
    inner, pad = indent + 2, " " * (indent + 2)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        lines = [pad + _pretty(item, inner) for item in items]
        return "[\n" + ",\n".join(lines) + "\n" + " " * indent + "]"
    fields = cast("dict[str, Any]", value).items()
    keys = [(json.dumps(key, ensure_ascii=False) + ": ", field) for key, field in fields]
    lines = [pad + key + _pretty(field, inner, len(key)) for key, field in keys]
    return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"


class _Repeated(Exception):
    """A field stands twice in one object: JSON allows it, and one of the two would be lost."""


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Repeated(next(key for key in keys if keys.count(key) > 1))
    return found


def load(area: Area) -> list[tuple[str, Scenario]]:
    """Every fixture of an area by its name, sorted. Raises ScenarioError for a file that is no scenario."""
    return [(path.stem, read(path)) for path in files("fixtures", area)]


PACKAGE = Path(__file__).parent.parent

Kind = Literal["fixtures", "snapshots"]


def folder(kind: Kind) -> Path:
    """The folder of one kind of data, with a folder an area in it. It may not exist."""
    shipped = PACKAGE / "_data" / kind
    return shipped if shipped.is_dir() else PACKAGE.parent / kind


def files(kind: Kind, area: Area) -> list[Path]:
    """The JSON files of an area, a folder a section, sorted by name."""
    return sorted((folder(kind) / area).glob("*/*.json"), key=lambda path: path.stem)
