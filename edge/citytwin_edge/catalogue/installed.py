"""Installed: which plug-in a name means, and which distribution brought it."""

from __future__ import annotations

import importlib.metadata
from typing import Final

from citytwin_edge import plugins

OURS: Final = "citytwin_edge."
_WORDS: Final = {plugins.ADAPTERS: "adapter", plugins.KERNELS: "kernel"}


def nearest(name: str, group: str = plugins.ADAPTERS) -> str:
    """Return the name of an installed plug-in of a group.

    Raises:
        ConfigError: there is none of that name; the text names the nearest one.
    """
    known = sorted(plugins.installed(group))
    if name not in known:
        raise plugins.unknown(_WORDS[group], name, known)
    return name


def distribution(name: str, group: str = plugins.ADAPTERS) -> str:
    """Return the package that brought a plug-in, with its version; empty where it is not known."""
    place = plugins.installed(group)[name]
    for one in importlib.metadata.entry_points(group=group, name=name):
        if one.value.partition("[")[0].strip() == place and one.dist is not None:
            return f"{one.dist.name} {one.dist.version}"
    return ""


def own(group: str) -> list[str]:
    """Return the plug-ins of this distribution; a vendor's has its page at the vendor's."""
    places = plugins.installed(group)
    return sorted(name for name in places if places[name].startswith(OURS))
