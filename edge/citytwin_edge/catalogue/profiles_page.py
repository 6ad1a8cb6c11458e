"""Profiles pages: all profiles by their makers, and a page for each kind of device, as Markdown.

A technician looks for a device under its maker's name: the first page has all of them in that
order. What must be known of a device stands on the page of its nature, beside others of its kind.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

from citytwin_edge.catalogue.adapter_page import MADE, markdown_table
from citytwin_edge.catalogue.golden import proof
from citytwin_edge.catalogue.meanings import attributes, needed
from citytwin_edge.catalogue.natures import nature, natures
from citytwin_edge.catalogue.profile import Evidence, Profile
from citytwin_edge.catalogue.shelf import Shelf

INDEX: Final = "README.md"
_HEAD: Final = (
    "vendor", "model", "what", "kind", "profile", "adapter", "registers by", "order by",
    "frames", "scan",
)  # fmt: skip


def profiles_pages(shelf: Shelf) -> dict[str, str]:
    """Return the text of each page about the profiles of a shelf, by its name.

    Raises:
        ConfigError: a profile's file is wrong.
        CityTwinError: Python has left the docstrings out.
    """
    needed()
    profiles = [shelf.profile(name) for name in shelf.names()]
    kinds = {
        name: [one for one in profiles if one.file.nature == name]
        for name in natures()
        if any(one.file.nature == name for one in profiles)
    }
    pages = {INDEX: _index(profiles, kinds)}
    pages |= {f"{name}.md": _kind(name, those) for name, those in kinds.items()}
    return {name: "\n".join(lines) + "\n" for name, lines in pages.items()}


def anchor(profile: str) -> str:
    """Return where a profile's heading is on its page, as renderers of Markdown call it."""
    return profile.replace("/", "")


def _index(profiles: list[Profile], kinds: dict[str, list[Profile]]) -> Iterator[str]:
    yield from ("# Profiles", "", MADE, "")
    yield (
        f"{len(profiles)} device types that need no points to be written: "
        '`profile = "vendor/model"` in `[[device]]` is enough. `citytwin-edge profiles show NAME` '
        "lists the points of one; [the specification](../specs/profile.md) says what a profile is, "
        "[the adapters](../adapters/README.md) how each is connected."
    )
    yield from ("", "What must be known of each stands on the page of its kind:", "")
    yield from (
        f"- [{nature(name).title.en}]({name}.md): {len(those)}" for name, those in kinds.items()
    )
    yield from ("", "Who says so:", "")
    yield from (f"- {name} by: {meaning}" for name, meaning in attributes(Evidence).items())
    counted = Counter(map(proof, profiles))
    yield (
        "- frames: whose bytes prove it. `real`: of every point bytes that a device sent, or that "
        "stand in a manual or in somebody else's test suite "
        f"({counted['real']}); `partly real`: of some points ({counted['partly real']}); "
        "`worked out`: bytes that were made from the same sources as the profile itself: they "
        f"prove that it is read as it is written, no more ({counted['worked out']})"
    )
    yield from ("", "Which ones `citytwin-edge scan` knows, where it meets them, by adapter:", "")
    for adapter, those in sorted(_by_adapter(profiles).items()):
        known = sum(bool(one.file.identify) for one in those)
        yield f"- {adapter}: {known} of {len(those)}"
    yield from ("", "## By vendor", "")
    yield from markdown_table(_HEAD, [_row(one) for one in sorted(profiles, key=_by_vendor)])


def _by_adapter(profiles: list[Profile]) -> dict[str, list[Profile]]:
    found: dict[str, list[Profile]] = defaultdict(list)
    for one in profiles:
        found[one.adapter].append(one)
    return found


def _by_vendor(profile: Profile) -> tuple[str, str]:
    return profile.file.vendor.casefold(), profile.file.model.casefold()


def _row(profile: Profile) -> list[str]:
    file = profile.file
    return [
        file.vendor, file.model, file.title.en, profile.nature.title.en,
        f"[`{profile.name}`]({file.nature}.md#{anchor(profile.name)})",
        f"[{file.adapter}](../adapters/{file.adapter}.md)",
        file.evidence.registers, file.evidence.order, proof(profile),
        "knows it" if file.identify else "",
    ]  # fmt: skip


def _kind(name: str, profiles: list[Profile]) -> Iterator[str]:
    yield from (f"# Profiles: {nature(name).title.en}", "", MADE, "")
    yield "[All profiles](README.md) has them by vendor, and says what stands behind the words."
    for one in profiles:
        yield from ("", f"## `{one.name}`", "")
        yield from _profile(one)


def _profile(profile: Profile) -> Iterator[str]:
    file = profile.file
    commanded = _commanded([point for point in file.point if "writable" in point])
    points = "1 point" if len(file.point) == 1 else f"{len(file.point)} points"
    yield (
        f"**{profile.product}**: {file.title.en}. {points}{commanded}; "
        f"adapter [{file.adapter}](../adapters/{file.adapter}.md). Registers by: "
        f"{file.evidence.registers}; order by: {file.evidence.order}; "
        f"frames: {proof(profile)}."
    )
    if file.caveat:
        yield ""
        yield from (f"- {one.text} ([source]({one.link}))" for one in file.caveat)
    yield ""
    manuals = [
        f"[{one.title}]({one.url}){f', pages {one.pages}' if one.pages else ''}"
        for one in file.manual
    ]
    yield f"Made from {'; '.join(manuals)}."


def _commanded(points: list[dict[str, Any]]) -> str:
    """Say how many points can be commanded, and what becomes of them when the hub is gone."""
    if not points:
        return ""
    held = [one for one in points if one.get("write", {}).get("failsafe") == "hold"]
    safe = len(points) - len(held)
    alone = f"set to a safe value: {safe}" if safe else "what was commanded last stays"
    return f", {len(points)} of them can be commanded (when the hub is gone, {alone})"
