"""Installed: which plug-in a name means, and which distribution brought it."""

from __future__ import annotations

import difflib
import importlib.metadata
from typing import Final

from citytwin.errors import ConfigError
from citytwin_edge import plugins

OURS: Final = "citytwin_edge."
_WORDS: Final = {plugins.ADAPTERS: "adapter", plugins.KERNELS: "kernel"}


def nearest(name: str, group: str = plugins.ADAPTERS) -> str:
    """Return the name of an installed plug-in of a group.

    Raises:
        ConfigError: there is none of that name; the text names the nearest one.
    """
    known, what = sorted(plugins.installed(group)), _WORDS[group]
    if name in known:
        return name
    close = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.5)
    listed = ", ".join(known) or "none"
    hint = f'did you mean "{close[0]}"?' if close else f"installed are {listed}"
    raise ConfigError(f'there is no {what} "{name}"; {hint} See: citytwin-edge {what}s list')


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
