"""Vendors: a folder of profiles is one vendor's, and a vendor has one folder and one spelling.

A technician looks for a device under its maker's name. Two folders, or two spellings, hide half of
what there is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping


def disorder(vendors: Mapping[str, str]) -> dict[str, str]:
    """Return what is out of order, a sentence by profile; an ordered shelf gives nothing.

    Args:
        vendors: what each profile calls its vendor, by the profile's name (``folder/model``).
    """
    spellings: dict[str, dict[str, str]] = defaultdict(dict)
    homes: dict[str, str] = {}
    wrong = {}
    for name in sorted(vendors):
        folder, vendor = name.partition("/")[0], vendors[name]
        spellings[folder].setdefault(vendor, name)
        first, one = next(iter(spellings[folder].items()))
        home = homes.setdefault(_folded(vendor), folder)
        if vendor != first:
            wrong[name] = (
                f'{name}: vendor "{vendor}" is "{first}" in {one}; write it alike in one folder, '
                "or give another vendor a folder of its own"
            )
        elif home != folder:
            wrong[name] = (
                f'{name}: "{vendor}" has the folder {home}/ already; put the profile there'
            )
    return wrong


def _folded(vendor: str) -> str:
    """Return letters and digits only: "Landis+Gyr" and "Landis & Gyr" are one vendor."""
    return "".join(letter for letter in vendor.casefold() if letter.isalnum())
