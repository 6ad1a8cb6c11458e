"""Documents: the pages of docs/ about our own adapters, kernels, profiles: from code and files."""

from __future__ import annotations

import posixpath
from functools import cache, partial
from typing import Final

from citytwin_edge import plugins
from citytwin_edge.catalogue.adapter_page import overview, page
from citytwin_edge.catalogue.calculations import calculation
from citytwin_edge.catalogue.capabilities import described
from citytwin_edge.catalogue.fields import tables
from citytwin_edge.catalogue.installed import own
from citytwin_edge.catalogue.kernels_page import kernels_page
from citytwin_edge.catalogue.profiles_page import profiles_pages
from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.device_tables import DeviceSection, PointSection
from citytwin_edge.kernel_tables import KernelSection

ADAPTERS: Final = "adapters"
KERNELS: Final = "kernels.md"
PROFILES: Final = "profiles"


@cache
def documents() -> dict[str, str]:
    """Return the text of each page about adapters and profiles by its path below docs/.

    Raises:
        ConfigError: an adapter cannot be imported, or a profile's file is wrong.
    """
    shelf = Shelf([OURS])
    known = [described(name, shelf) for name in own(plugins.ADAPTERS)]
    made = {f"{ADAPTERS}/{one.name}.md": page(one, partial(_link, ADAPTERS)) for one in known}
    device, point = tables(DeviceSection, "device"), tables(PointSection, "device.point")
    made[f"{ADAPTERS}/README.md"] = overview(known, device, point)
    made |= {f"{PROFILES}/{name}": text for name, text in profiles_pages(shelf).items()}
    return made


@cache
def kernel_documents() -> dict[str, str]:
    """Return the text of the page about kernels by its path below docs/.

    Raises:
        ConfigError: a kernel cannot be imported.
    """
    known = [calculation(name) for name in own(plugins.KERNELS)]
    return {KERNELS: kernels_page(known, tables(KernelSection, "kernel")[0])}


def _link(folder: str, path: str) -> str:
    """Return a link to one of our documents from a page in a folder of docs/."""
    return path if "://" in path else posixpath.relpath(path, f"docs/{folder}")
