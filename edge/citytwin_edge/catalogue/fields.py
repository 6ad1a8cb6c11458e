"""Fields: the tables that a technician may write, read off the structs that check them."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Iterator
from inspect import get_annotations
from typing import Any, Final

import msgspec
from msgspec import inspect

from citytwin_edge.catalogue.meanings import attributes, caption, plain

_UNITS: Final = {
    "s": "s", "ms": "ms", "h": "h", "m": "m", "bytes": "bytes", "bits": "bits",
    "chars": "characters", "registers": "registers",
}  # fmt: skip
"""Units by the last part of a field's name, before ``max`` and ``min``."""
_WRITTEN_OUT: Final = {"s": "seconds", "ms": "milliseconds", "h": "hours", "m": "metres"}
CHOICES_MAX: Final = 40


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a table.

    Attributes:
        name: as it is written.
        meaning: what it says; empty where its code does not tell.
        kind: what may stand there: "text", "whole number", "one of".
        allowed: range, choices or pattern; empty where there is no more to say.
        unit: of a number, as its name has it.
        default: what counts when it is left out, as TOML; None where it must be there or nothing
            counts.
        needed: whether it must be there.
    """

    name: str
    meaning: str
    kind: str
    allowed: str = ""
    unit: str = ""
    default: str | None = None
    needed: bool = False


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table of fields: ``[[device]]``, or a table in it.

    Attributes:
        name: how it is written: ``device``, ``device.point``, or the field that holds it.
        meaning: what its struct says of itself.
        fields: its own first, then those that several tables have in common.
        is_list: it is written as a list such as [low, high], its fields being the places.
    """

    name: str
    meaning: str
    fields: tuple[Field, ...]
    is_list: bool = False


def tables(struct: type[msgspec.Struct], name: str) -> list[Table]:
    """Return the table of a struct, then those that its fields hold, each once.

    Args:
        struct: what the gateway decodes the table into.
        name: how the table is written in a gateway's file.
    """
    found: dict[type, Table] = {}
    todo: list[tuple[str, type]] = [(name, struct)]
    while todo:
        path, one = todo.pop(0)
        if one in found:
            continue
        info = inspect.type_info(one)
        assert isinstance(info, inspect.StructType)
        said = attributes(one)
        found[one] = Table(
            name=path,
            meaning=caption(one),
            fields=tuple(_field(field, said) for field in _own_first(one, info)),
            is_list=info.array_like,
        )
        for field in info.fields:
            todo += [(f"{path}.{field.encode_name}", inner) for inner in _structs(field.type)]
    return list(found.values())


def structs_in(struct: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """Return a struct, then those that its fields hold, each once."""
    found = {struct: None}
    todo = [struct]
    while todo:
        info = inspect.type_info(todo.pop(0))
        assert isinstance(info, inspect.StructType)
        for inner in (one for field in info.fields for one in _structs(field.type)):
            if inner not in found:
                found[inner] = None
                todo.append(inner)
    return list(found)


def sentence(field: Field) -> str:
    """Return what a field says, its unit and what counts without it; empty for no meaning.

    >>> sentence(Field(name="wait_s", meaning="how long.", kind="number", unit="s", default="3"))
    'How long. In seconds. Left out: 3.'
    """
    if not field.meaning:
        return ""
    text = f"{field.meaning[0].upper()}{field.meaning[1:].rstrip('.')}."
    if field.unit:
        text += f" In {_WRITTEN_OUT.get(field.unit, field.unit)}."
    if field.default not in (None, '""', "[]", "{}"):
        text += f" Left out: {field.default}."
    return text


def _own_first(struct: type, info: inspect.StructType) -> list[inspect.Field]:
    if info.array_like:
        return list(info.fields)
    order = [name for one in struct.__mro__ for name in get_annotations(one)]
    return sorted(info.fields, key=lambda field: order.index(field.name))


def _field(field: inspect.Field, said: dict[str, str]) -> Field:
    kind, allowed = _kind(field.type)
    return Field(
        name=field.encode_name,
        meaning=_description(field.type) or said.get(field.name, ""),
        kind=kind,
        allowed=allowed,
        unit=_unit(field.name) if "number" in kind else "",
        default=_default(field),
        needed=field.required,
    )


def _description(kind: inspect.Type) -> str:
    """Return what ``msgspec.Meta(description=…)`` says."""
    if isinstance(kind, inspect.Metadata):
        return plain(str((kind.extra_json_schema or {}).get("description", "")))
    return ""


def _unit(name: str) -> str:
    words = [word for word in name.split("_") if word not in ("max", "min")]
    if len(words) < 2 or "per" in words:
        return ""
    return _UNITS.get(words[-1], "")


def _default(field: inspect.Field) -> str | None:
    if field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    else:
        value = field.default
    if value is msgspec.NODEFAULT or value is None or isinstance(value, msgspec.Struct):
        return None
    return toml(value)


def toml(value: Any) -> str:
    """Return a value as it is written in a gateway's file."""
    match value:
        case enum.Enum():
            return toml(value.value)
        case bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case float():
            return f"{value:g}"
        case dict():
            inner = ", ".join(f"{name} = {toml(one)}" for name, one in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case _:
            return str(value)


def _kind(kind: inspect.Type) -> tuple[str, str]:
    """Return what may stand there, and what of that is allowed."""
    match kind:
        case inspect.Metadata():
            return _kind(kind.type)
        case inspect.UnionType():
            parts = [_kind(one) for one in kind.types if not isinstance(one, inspect.NoneType)]
            if len(parts) > 1:  # a few words beside another kind stand for themselves
                parts = [(text, "") if name == "one of" else (name, text) for name, text in parts]
            names = " or ".join(dict.fromkeys(name for name, _ in parts))
            return names, "; ".join(dict.fromkeys(allowed for _, allowed in parts if allowed))
        case inspect.BoolType():
            return "true or false", ""
        case inspect.IntType():
            return "whole number", _range(kind)
        case inspect.FloatType():
            return "number", _range(kind)
        case inspect.StrType():
            return "text", _text(kind)
        case inspect.LiteralType():
            return "one of", _choices(kind.values)
        case inspect.EnumType():
            return "one of", _choices([one.value for one in kind.cls])
        case inspect.StructType() if kind.array_like:
            return f"list [{', '.join(one.encode_name for one in kind.fields)}]", ""
        case inspect.StructType():
            return "table", ""
        case inspect.DictType():
            name, allowed = _kind(kind.value_type)
            return f"table: {name} by name", allowed
        case inspect.VarTupleType() | inspect.ListType() | inspect.SetType():
            name, allowed = _kind(kind.item_type)
            return f"list of {name}", "; ".join(filter(None, (allowed, _length(kind))))
        case inspect.TupleType():
            return f"list [{', '.join(_kind(one)[0] for one in kind.item_types)}]", ""
        case _:
            return type(kind).__name__.removesuffix("Type").lower(), ""


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    low = kind.ge if kind.ge is not None else kind.gt
    high = kind.le if kind.le is not None else kind.lt
    low = None if low is not None and low <= -1e300 else low
    high = None if high is not None and high >= 1e300 else high
    if isinstance(kind, inspect.IntType):
        low = low if low is None or kind.ge is not None else low + 1
        high = high if high is None or kind.le is not None else high - 1
        if low is not None and high is not None:
            return f"{low:g} … {high}"
    above = kind.ge is None and isinstance(kind, inspect.FloatType)
    below = kind.le is None and isinstance(kind, inspect.FloatType)
    words = []
    if low is not None:
        words.append(f"{'above' if above else 'from'} {low:g}")
    if high is not None and math.isfinite(high):
        words.append(f"{'below' if below else 'up to'} {high:g}")
    return " ".join(words)


def _text(kind: inspect.StrType) -> str:
    pattern = "" if kind.pattern is None else f"pattern {kind.pattern}"
    return "; ".join(filter(None, (_length(kind, " characters"), pattern)))


def _length(kind: Any, unit: str = "") -> str:
    """Return how many characters or members there may be."""
    low, high = kind.min_length or 0, kind.max_length
    if high is None:
        return f"at least {low}{unit}" if low else ""
    if low == high:
        return f"{high}{unit or ' of them'}"
    return f"{low} to {high}{unit or ' of them'}" if low else f"at most {high}{unit or ' of them'}"


def _choices(values: Any) -> str:
    known = [toml(one) for one in values]
    more = ", …" if len(known) > CHOICES_MAX else ""
    return ", ".join(known[:CHOICES_MAX]) + more


def _structs(kind: inspect.Type) -> Iterator[type[msgspec.Struct]]:
    """Yield the structs that a field may hold."""
    match kind:
        case inspect.Metadata():
            yield from _structs(kind.type)
        case inspect.StructType():
            yield kind.cls
        case inspect.UnionType():
            for one in kind.types:
                yield from _structs(one)
        case inspect.DictType():
            yield from _structs(kind.value_type)
        case inspect.VarTupleType() | inspect.ListType() | inspect.SetType():
            yield from _structs(kind.item_type)
        case inspect.TupleType():
            for one in kind.item_types:
                yield from _structs(one)
        case _:
            return
