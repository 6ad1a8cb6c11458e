"""Identity: one URN for each city object, its names in other systems, and what becomes of it.

A URN is ``urn:ngsi-ld:<Type>:<cell>:<number>``: the class, where it was first registered as a
geohash of six characters (about 1.2 km by 0.6 km; ``0`` where that is not known), and a number that
is never given twice. All three are history, not state: an object that moves or turns out to be
something else keeps its URN. A URN that was merged or split leads to its successors for ever.

>>> cell(76.95, 43.24)
'txwtzp'
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from citytwin_hub.entities.errors import BadRequestData

CELL_CHARACTERS: Final = 6
NOWHERE: Final = "0"
SUCCESSORS_MAX: Final = 1000
"""Of a split, and in one answer."""
_LETTERS: Final = "0123456789bcdefghjkmnpqrstuvwxyz"


class Alias(NamedTuple):
    """What a source system (``cadastre``, ``gis``, ``bim``, ``scada``) calls an object."""

    system: str
    name: str


class Resolved(NamedTuple):
    """What a URN or alias means today.

    Attributes:
        asked: the URN that was asked for, or to which the alias was given.
        urns: the identities that there are; several after a split.
        current: whether the URN that was asked for is itself one that there is.
    """

    asked: str
    urns: tuple[str, ...]
    current: bool


class Claim(NamedTuple):
    """An object of a source, as its importer names it.

    Attributes:
        urn: that the importer made.
        into: the object that it is; the same, unless it is known by another URN.
        own: what the source calls it, and how else where that means another of its objects: the
            first of these that is free or means it already counts.
        aliases: what other systems call it.
    """

    urn: str
    into: str
    own: tuple[Alias, ...] = ()
    aliases: tuple[Alias, ...] = ()


class Clash(NamedTuple):
    """A name that an object of a source shall have, and that means another object."""

    urn: str
    alias: Alias
    means: str


def cell(lon: float, lat: float, characters: int = CELL_CHARACTERS) -> str:
    """Return the geohash of a place in degrees, WGS 84 (G. Niemeyer, 2008).

    Raises:
        BadRequestData: it is not on the globe.
    """
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise BadRequestData(f"{lon}, {lat} is no longitude and latitude")
    spans = [[-180.0, 180.0], [-90.0, 90.0]]
    text, bits = "", 0
    for step in range(5 * characters):
        span, value = spans[step % 2], (lon, lat)[step % 2]
        middle = (span[0] + span[1]) / 2
        high = value >= middle
        span[0 if high else 1] = middle
        bits = bits << 1 | high
        if step % 5 == 4:
            text, bits = text + _LETTERS[bits], 0
    return text


def urn(kind: str, where: tuple[float, float] | None, number: int) -> str:
    """Return the URN of an object.

    Raises:
        BadRequestData: the class is no word of letters and digits.
    """
    if not (kind and kind.isascii() and kind.isalnum() and kind[0].isalpha() and len(kind) <= 80):
        raise BadRequestData(f"{kind[:80]!r} is no class: letters and digits, a letter first")
    return f"urn:ngsi-ld:{kind}:{cell(*where) if where else NOWHERE}:{number}"


def ends_of(begin: str, following: Callable[[str], Sequence[str]]) -> tuple[str, ...]:
    """Return the identities that there are at the end of a history of merges and splits.

    Raises:
        BadRequestData: there are more than an answer may have.
    """
    seen, queue, ends = {begin}, [begin], list[str]()
    for one in queue:
        others = following(one)
        if not others:
            ends.append(one)
        for other in others:
            if other not in seen:
                seen.add(other)
                queue.append(other)
        if len(queue) > SUCCESSORS_MAX * 10 or len(ends) > SUCCESSORS_MAX:
            raise BadRequestData(f"{begin} has become more than {SUCCESSORS_MAX} objects")
    return tuple(ends)


def check_merge(urns: Collection[str], retired: Mapping[str, bool]) -> None:
    """Refuse to merge what is not there, or only one.

    Raises:
        BadRequestData: fewer than two, one twice, or one that was merged or split before.
    """
    if len(urns) < 2 or len(set(urns)) != len(urns):
        raise BadRequestData("a merge needs two or more different URNs")
    for one in urns:
        if retired.get(one):
            raise BadRequestData(f"{one} was merged or split before; name its successors")
