"""Values on the command line: ``--set field=value`` as TOML would have them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from citytwin.errors import CityTwinError

if TYPE_CHECKING:
    import msgspec


def value_of(text: str) -> Any:
    """Return a value as TOML reads it; what is none of its values is a text."""
    if "\n" in text:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def suiting(text: str, kind: Any) -> Any:
    """Return the value that a field of this type wants: a number on a label may be a text.

    Raises:
        msgspec.ValidationError: neither the value nor the text is of that type.
    """
    import msgspec

    value = value_of(text)
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        if isinstance(value, str):
            raise
        try:
            return msgspec.convert(text, kind)
        except msgspec.ValidationError:
            pass
        raise
    return value


def types_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the type of each field of a struct, by the name that it has in TOML."""
    import msgspec

    return {one.encode_name: one.type for one in msgspec.structs.fields(struct)}


def fields_of(texts: Sequence[str], types: Mapping[str, Any] | None = None) -> dict[str, list[Any]]:
    """Return the values of each field of ``field=value`` texts, in order.

    Args:
        texts: what was typed.
        types: of fields that are known: a number where a text is wanted is one.

    Raises:
        CityTwinError: a text is none.
    """
    fields: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise CityTwinError(f"--set {text}: write field=value, such as --set unit=3")
        fields.setdefault(name.strip(), []).append(_value(value.strip(), name.strip(), types or {}))
    return fields


def _value(text: str, name: str, types: Mapping[str, Any]) -> Any:
    import msgspec

    try:
        return suiting(text, types[name]) if name in types else value_of(text)
    except msgspec.ValidationError:
        return value_of(text)  # whoever reads the file says what is wrong with it


def only(fields: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the one value of each field.

    Raises:
        CityTwinError: a field has several.
    """
    for name, values in fields.items():
        if len(values) > 1:
            raise CityTwinError(f"--set {name} was given {len(values)} times; a device has one")
    return {name: values[0] for name, values in fields.items()}
