"""Plug-ins: adapters by entry point; only those that a configuration names are imported."""

from __future__ import annotations

import functools
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from citytwin.adapter import AdapterType
from citytwin.errors import ConfigError

ADAPTERS: Final = "citytwin.adapters"
_IMPORT_ERRORS: Final = (
    ImportError, AttributeError, LookupError, OSError, RuntimeError, SyntaxError, TypeError,
    ValueError,
)  # fmt: skip
"""What other people's modules raise when they do not load."""


def adapter(name: str) -> AdapterType:
    """Return the adapter of a name.

    Raises:
        ConfigError: there is none, it cannot be imported, or it is no adapter type.
    """
    found = _installed()
    if name not in found:
        known = ", ".join(f'"{one}"' for one in sorted(found))
        raise ConfigError(f'there is no adapter "{name}"; installed are {known or "none"}')
    point = found[name]
    try:
        loaded: AdapterType = point.load()
    except _IMPORT_ERRORS as error:
        raise ConfigError(
            f'adapter "{name}" ({point.value}) cannot be imported: {type(error).__name__}: {error}'
        ) from None
    for part in ("device_settings", "point_settings", "build"):
        if not hasattr(loaded, part):
            raise ConfigError(f'adapter "{name}" ({point.value}) has no {part}; it is none')
    return loaded


@functools.cache
def _installed() -> dict[str, EntryPoint]:
    """Looked up once: it reads a file of every installed distribution."""
    return {point.name: point for point in entry_points(group=ADAPTERS)}
