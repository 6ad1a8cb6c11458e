"""Configuration words: what a field may hold and what it holds, in words for people.

``info`` is what :func:`msgspec.inspect.type_info` says of a type.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

TEXT_CHARS_MAX: Final = 40


def fields(info: Any) -> list[str]:
    """Return the names that a struct knows; none for anything else."""
    return [field.encode_name for field in getattr(_inner(info), "fields", ())]


def below(info: Any, part: str | int) -> Any:
    """Return what stands at a field of a struct, a key of a table or an index of a list."""
    info = _inner(info)
    if isinstance(part, int) and hasattr(info, "item_types"):
        return info.item_types[part] if part < len(info.item_types) else None
    if isinstance(part, int) and not hasattr(info, "fields"):
        return getattr(info, "item_type", None)
    for index, field in enumerate(getattr(info, "fields", ())):
        if part in (field.encode_name, index):
            return field.type
    return getattr(info, "value_type", None)


def allowed(info: Any) -> str:
    """Return what may stand there, such as "a whole number from 1 to 65535"."""
    if isinstance(info, msgspec.inspect.UnionType):
        some = [one for one in info.types if not isinstance(one, msgspec.inspect.NoneType)]
        return " or ".join(allowed(one) for one in some)
    if isinstance(info, msgspec.inspect.EnumType):
        return _one_of(member.value for member in info.cls)
    if isinstance(info, msgspec.inspect.LiteralType):
        return _one_of(info.values)
    if isinstance(info, msgspec.inspect.BoolType):
        return "true or false"
    if isinstance(info, msgspec.inspect.IntType):
        return "a whole number" + _bounds(info)
    if isinstance(info, msgspec.inspect.FloatType):
        return "a number" + _bounds(info)
    if isinstance(info, msgspec.inspect.StrType):
        most = info.max_length
        words = "a text" if most is None else f"a text of at most {most} characters"
        return f"{words} that matches {info.pattern}" if info.pattern else words
    if isinstance(info, msgspec.inspect.StructType | msgspec.inspect.DictType):
        if getattr(info, "array_like", False):
            return f"a list [{', '.join(fields(info))}]"
        if isinstance(info, msgspec.inspect.DictType):
            return f"a table {{ name = {allowed(info.value_type)}, … }}"
        return "a table { … }"
    return _list(info)


def in_words(value: Any) -> str:
    """Return a value as it stands in the file, in words."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        cut = value if len(value) <= TEXT_CHARS_MAX else value[:TEXT_CHARS_MAX] + "…"
        return f'the text "{cut}"'
    if isinstance(value, int | float):
        return f"{value}"
    if isinstance(value, list):
        return f"a list of {len(value)} value{'' if len(value) == 1 else 's'}"
    if isinstance(value, dict):
        return "a table"
    return f"the date or time {value}"


def _inner(info: Any) -> Any:
    """Return the one alternative of a union that has fields or items."""
    for option in getattr(info, "types", ()):
        if any(hasattr(option, name) for name in ("fields", "item_type", "item_types")):
            return option
    return info


def _one_of(values: Iterable[Any]) -> str:
    return "one of " + ", ".join(
        f'"{value}"' if isinstance(value, str) else str(value) for value in values
    )


def _bounds(info: Any) -> str:
    if info.ge is not None and info.le is not None:
        return f" from {info.ge} to {info.le}"
    low = f"above {info.gt}" if info.gt is not None else ""
    low = f"of at least {info.ge}" if info.ge is not None else low
    high = f"below {info.lt}" if info.lt is not None else ""
    high = f"of at most {info.le}" if info.le is not None else high
    bounds = " and ".join(filter(None, (low, high)))
    return f" {bounds}" if bounds else ""


def _list(info: Any) -> str:
    if hasattr(info, "item_types"):
        return f"a list of {len(info.item_types)} values"
    if not hasattr(info, "item_type"):
        return "something else"
    most = info.max_length
    return "a list [ … ]" if most is None else f"a list of at most {most} values"
