"""Plug-ins: adapters and kernels by entry point; only what a configuration names is imported."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from citytwin.adapter import AdapterType
from citytwin.errors import ConfigError
from citytwin.kernel import KernelType
from citytwin_edge.foreign import FOREIGN_ERRORS, blamed

ADAPTERS: Final = "citytwin.adapters"
KERNELS: Final = "citytwin.kernels"


def adapter(name: str) -> AdapterType:
    """Return the adapter of a name.

    Raises:
        ConfigError: there is none, it cannot be imported, or it is no adapter type.
    """
    loaded: AdapterType = _loaded(
        ADAPTERS, "adapter", name, ("device_settings", "point_settings", "build")
    )
    return loaded


def kernel(name: str) -> KernelType:
    """Return the kernel of a name that a distribution brings.

    Raises:
        ConfigError: there is none, it cannot be imported, or it is no kernel type.
    """
    loaded: KernelType = _loaded(KERNELS, "kernel", name, ("settings", "build"))
    return loaded


def _loaded(group: str, what: str, name: str, parts: tuple[str, ...]) -> Any:
    """Return what stands behind an entry point, which has these parts (ConfigError)."""
    found = installed(group)
    if name not in found:
        raise unknown(what, name, sorted(found))
    place = found[name]
    module, _, attribute = place.partition(":")
    try:
        loaded = getattr(importlib.import_module(module), attribute)
    except FOREIGN_ERRORS as error:
        raise ConfigError(
            f'{what} "{name}" ({place}) cannot be imported: {blamed(error)}'
        ) from None
    for part in parts:
        if not hasattr(loaded, part):
            raise ConfigError(f'{what} "{name}" ({place}) has no {part}; it is none')
    return loaded


def unknown(what: str, name: str, known: Sequence[str]) -> ConfigError:
    """Return what is to be said when a name is none of those that are installed."""
    import difflib  # who makes no mistake does not load it

    close = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.6)
    listed = ", ".join(f'"{one}"' for one in known) or "none"
    hint = f'did you mean "{close[0]}"?' if close else f"installed are {listed};"
    return ConfigError(f'there is no {what} "{name}"; {hint} see: citytwin-edge {what}s list')


@functools.cache
def installed(group: str = ADAPTERS) -> dict[str, str]:
    """Return the place of each entry point of a group, by name; of two, the first counts.

    Reads what installers write (PyPA's entry points specification) without importlib.metadata,
    which would take 2.4 MiB for as long as the agent runs.
    """
    found: dict[str, str] = {}
    for folder in map(Path, sys.path):
        for file in sorted(folder.glob("*.*-info/entry_points.txt")):
            for name, place in _entries(file.read_text(encoding="utf-8"), group):
                found.setdefault(name, place)
    return found


def _entries(text: str, wanted: str) -> Iterator[tuple[str, str]]:
    """Yield name and ``module:attribute`` of one group's entries in an ``entry_points.txt``."""
    group = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            group = line.strip("[] ")
        elif group == wanted and "=" in line and not line.startswith(("#", ";")):
            name, _, place = line.partition("=")
            yield name.strip(), place.partition("[")[0].strip()
