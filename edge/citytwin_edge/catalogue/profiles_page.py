"""Profiles page: all profiles by what kind of device they are of, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from citytwin_edge.catalogue.adapter_page import MADE, markdown_table
from citytwin_edge.catalogue.natures import nature, natures
from citytwin_edge.catalogue.profile import Evidence, Profile
from citytwin_edge.catalogue.shelf import Shelf

_HEAD: Final = (
    "profile", "vendor", "model", "what", "adapter", "points", "writable", "registers by",
    "order by", "caveats",
)  # fmt: skip


def profiles_page(shelf: Shelf) -> str:
    """Return the page about all profiles of a shelf.

    Raises:
        ConfigError: a profile's file is wrong.
    """
    return "\n".join(_lines([shelf.profile(name) for name in shelf.names()])) + "\n"


def _lines(profiles: list[Profile]) -> Iterator[str]:
    yield from ("# Profiles", "", MADE, "")
    yield (
        f"{len(profiles)} device types that need no points to be written: "
        '`profile = "vendor/model"` in `[[device]]` is enough. `citytwin-edge profiles show NAME` '
        "lists the points of one; [the specification](specs/profile.md) says what a profile is, "
        "[the adapters](adapters/README.md) how each is connected."
    )
    yield from ("", "Who says so, of registers and of the order of their bytes:", "")
    yield " ".join((Evidence.__doc__ or "").partition("Attributes:")[2].replace("``", "`").split())
    for name in natures():
        those = [one for one in profiles if one.file.nature == name]
        if those:
            yield from ("", f"## {nature(name).title.en}", "")
            yield from markdown_table(_HEAD, [_row(one) for one in those])


def _row(profile: Profile) -> list[str]:
    file = profile.file
    writable = sum("writable" in point for point in file.point)
    caveats = [f"{one.text} ([source]({one.link}))" for one in file.caveat]
    return [
        f"`{profile.name}`", file.vendor, file.model, file.title.en,
        f"[{file.adapter}](adapters/{file.adapter}.md)", str(len(file.point)),
        str(writable or ""), file.evidence.registers, file.evidence.order, " ".join(caveats),
    ]  # fmt: skip
