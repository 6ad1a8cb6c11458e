"""Plug-ins: adapters by entry point; only those that a configuration names are imported."""

from __future__ import annotations

from importlib.metadata import entry_points

from citytwin.adapter import AdapterType
from citytwin.errors import ConfigError

ADAPTERS = "citytwin.adapters"


def adapter(name: str) -> AdapterType:
    """Return the adapter of a name.

    Raises:
        ConfigError: there is none, or it cannot be imported.
    """
    found = {point.name: point for point in entry_points(group=ADAPTERS)}
    if name not in found:
        known = ", ".join(sorted(found))
        raise ConfigError(f"there is no adapter {name!r}; installed are {known}")
    try:
        loaded: AdapterType = found[name].load()
    except ImportError as error:
        raise ConfigError(f"adapter {name!r} cannot be imported: {error}") from None
    return loaded
