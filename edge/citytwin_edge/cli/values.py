"""Values on the command line: ``--set field=value`` as TOML would have them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from citytwin.errors import CityTwinError


def value_of(text: str) -> Any:
    """Return a value as TOML reads it; what is none of its values is a text."""
    if "\n" in text:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def fields_of(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of each field of ``field=value`` texts, in order.

    Raises:
        CityTwinError: a text is none.
    """
    fields: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise CityTwinError(f"--set {text}: write field=value, such as --set unit=3")
        fields.setdefault(name.strip(), []).append(value_of(value.strip()))
    return fields


def only(fields: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the one value of each field.

    Raises:
        CityTwinError: a field has several.
    """
    for name, values in fields.items():
        if len(values) > 1:
            raise CityTwinError(f"--set {name} was given {len(values)} times; a device has one")
    return {name: values[0] for name, values in fields.items()}
