"""Where JSON data does not fit a type: the path of the first field that is wrong, what it holds and what was expected.

msgspec decides whether data fits; this only finds words for it, because msgspec's own name neither the key nor the value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import msgspec
import msgspec.inspect as shapes

from conformance.vocabulary import nearest

_NAMES: dict[type[shapes.Type], str] = {
    shapes.StrType: "a text",
    shapes.BoolType: "true or false",
    shapes.IntType: "a whole number",
    shapes.NoneType: "null",
    shapes.DictType: "an object",
    shapes.StructType: "an object",
    shapes.VarTupleType: "a list",
    shapes.ListType: "a list",
}

_PYTHON: dict[type[shapes.Type], type] = {
    shapes.StrType: str,
    shapes.BoolType: bool,
    shapes.NoneType: type(None),
    shapes.DictType: dict,
    shapes.StructType: dict,
    shapes.VarTupleType: list,
    shapes.ListType: list,
}


def misfit(value: object, kind: type | shapes.Type, path: str = "$") -> str | None:
    """`"$.steps[1].kind: got 'remote', expected …"` for the first field that does not fit; None where nothing is found."""
    shape = kind if isinstance(kind, shapes.Type) else _shape(kind)
    match shape:
        case shapes.UnionType():
            return _in_union(value, shape, path)
        case shapes.LiteralType() if value not in shape.values or isinstance(value, bool):
            return _unexpected(value, shape, path)
        case shapes.StructType() if isinstance(value, dict):
            return _in_struct(cast("dict[str, object]", value), shape, path)
        case shapes.DictType() if isinstance(value, dict):
            entries = cast("dict[str, object]", value).items()
            return _first(misfit(entry, shape.value_type, path_to(path, key)) for key, entry in entries)
        case shapes.VarTupleType() | shapes.ListType() if isinstance(value, list):
            items = enumerate(cast("list[object]", value))
            return _first(misfit(item, shape.item_type, f"{path}[{place}]") for place, item in items)
        case _:
            return None if _fits(value, shape) else _unexpected(value, shape, path)


@cache
def _shape(kind: type) -> shapes.Type:
    return shapes.type_info(kind)


def flaw(item: msgspec.Struct) -> str | None:
    """What a struct holds that its type does not allow, None where it is sound: nothing looked at it when it was made."""
    try:
        data: dict[str, object] = msgspec.json.decode(msgspec.json.encode(item))
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        return str(error)
    try:
        msgspec.convert(data, type(item))
    except msgspec.ValidationError as error:
        return misfit(data, type(item)) or str(error)
    return None


def path_to(path: str, key: str) -> str:
    """The path of a key under a path."""
    return f"{path}.{key}" if re.fullmatch(r"[\w-]+", key) else f"{path}[{key!r}]"


def shown(value: object) -> str:
    """A value in an error message: short, and as it stands in the file."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:59] + "…")
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else json.dumps(value)


def _in_union(value: object, shape: shapes.UnionType, path: str) -> str | None:
    structs = {each.tag: each for each in shape.types if isinstance(each, shapes.StructType) and each.tag is not None}
    if structs and isinstance(value, dict):
        entries = cast("dict[str, object]", value)
        field = next(iter(structs.values())).tag_field or "type"
        tags = [str(tag) for tag in structs]
        if field not in entries:
            return f"{path_to(path, field)}: missing, expected {_choice(tags)}"
        chosen = next((struct for tag, struct in structs.items() if tag == entries[field]), None)
        if chosen is None:
            return _unexpected_word(entries[field], tags, path_to(path, field))
        return _in_struct(entries, chosen, path)
    fitting = [each for each in shape.types if _fits(value, each)]
    if fitting:
        return _first(misfit(value, each, path) for each in fitting)
    words = [str(word) for each in shape.types if isinstance(each, shapes.LiteralType) for word in each.values]
    return _unexpected_word(value, words, path) if words else _unexpected(value, shape, path)


def _in_struct(value: dict[str, object], shape: shapes.StructType, path: str) -> str | None:
    fields = {field.encode_name: field for field in shape.fields}
    legal = [*fields, *([shape.tag_field] if shape.tag_field else [])]
    for key in value:
        if key not in legal:
            return f"{path_to(path, key)}: there is no such field{nearest(key, legal)}"
    for name, field in fields.items():
        if field.required and name not in value:
            return f"{path_to(path, name)}: missing, expected {_expected(field.type)}"
    return _first(misfit(value[name], field.type, path_to(path, name)) for name, field in fields.items() if name in value)


def _fits(value: object, shape: shapes.Type) -> bool:
    """Whether a value is of the right JSON type, not looking inside."""
    if isinstance(shape, shapes.LiteralType):
        return isinstance(value, str) and value in shape.values
    if isinstance(shape, shapes.IntType):
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, _PYTHON.get(type(shape), object))


def _unexpected(value: object, shape: shapes.Type, path: str) -> str:
    if isinstance(shape, shapes.LiteralType):
        return _unexpected_word(value, [str(word) for word in shape.values], path)
    return f"{path}: got {shown(value)}, expected {_expected(shape)}"


def _unexpected_word(value: object, legal: Iterable[str], path: str) -> str:
    """Like `_unexpected`, with the nearest legal word where there is one."""
    words = sorted(legal)
    hint = nearest(value, words) if isinstance(value, str) else ""
    return f"{path}: got {shown(value)}, expected {_choice(words)}" + (hint if "did you mean" in hint else "")


def _expected(shape: Any) -> str:
    if isinstance(shape, shapes.UnionType):
        return " or ".join(dict.fromkeys(_expected(each) for each in shape.types))
    if isinstance(shape, shapes.LiteralType):
        return _choice([str(word) for word in shape.values])
    return _NAMES.get(cast("type[shapes.Type]", type(shape)), "something else")


def _choice(words: Iterable[str]) -> str:
    quoted = [repr(word) for word in words]
    return f"one of {', '.join(quoted)}" if len(quoted) > 1 else quoted[0]


def _first(found: Iterable[str | None]) -> str | None:
    return next((words for words in found if words), None)
