"""Joining: an object of a source is one that the city has already, by a name that others gave it.

A source's row may say what other systems call its object. Where such a name, or the URN that the
importer made, leads to an object that there is, the row is about that one. Relations to it are led
there, too. Nothing is written until the objects themselves are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from citytwin_hub.entities.identity import Alias, Claim
from citytwin_hub.entities.importing import SOURCE_ID, Lacking, Refused
from citytwin_hub.entities.model import RELATIONSHIPS, Attribute, Entity
from citytwin_hub.entities.sqlite_identities import NAME_CHARACTERS_MAX, Identities

ALIASES_MAX: Final = 20
"""Of one object in one import."""


@dataclass(slots=True)
class Joined:
    """Entities of a source under the URNs that they have in the city.

    Attributes:
        entities: to be taken; their identifiers are those of the city.
        urns: of these, by the identifier that the importer made.
        refused: cannot be told which object they are.
        lacking: came without a name.
    """

    entities: list[Entity] = field(default_factory=list)
    urns: dict[str, str] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    lacking: list[Lacking] = field(default_factory=list)

    def others(self) -> dict[str, str]:
        """Return those that have another URN than the importer made."""
        return {one: urn for one, urn in self.urns.items() if one != urn}

    def drop(self, urn: str) -> None:
        """Forget an entity that was not taken."""
        self.entities = [one for one in self.entities if one.id != urn]
        self.urns = {one: into for one, into in self.urns.items() if into != urn}


def join(
    identities: Identities, given: Sequence[Entity], aliases: Mapping[str, Sequence[Alias]]
) -> Joined:
    """Return entities under the URNs that they have in the city; nothing is written.

    Args:
        identities: what its objects are called.
        given: entities of one source.
        aliases: what other systems call them, by the identifier that the importer made.
    """
    names = {alias for one in given for alias in aliases.get(one.id, ())}
    meant = identities.meant(names)
    urns = {one.id for one in given} | set(meant.values())
    urns |= {target for one in given for target in _targets(one)}
    ends = identities.ends(urns)
    joined, taken = Joined(), dict[str, str]()
    for entity in given:
        into, reason = _meaning(joined, entity, aliases.get(entity.id, ()), meant, ends)
        if not reason and taken.setdefault(into, entity.id) != entity.id:
            reason = f"it is {into}, as {taken[into]} of the same source is; correct one of them"
        if reason:
            joined.refused.append(Refused(entity.id, reason))
        else:
            joined.urns[entity.id] = into
            joined.entities.append(entity)
    led = {one: tuple(found) for one, found in ends.items() if found != (one,)}
    led |= {one: (urn,) for one, urn in joined.others().items()}
    joined.entities = [_led(one, joined.urns[one.id], led) for one in joined.entities]
    return joined


def _meaning(
    joined: Joined,
    entity: Entity,
    aliases: Sequence[Alias],
    meant: Mapping[Alias, str],
    ends: Mapping[str, tuple[str, ...]],
) -> tuple[str, str]:
    """Return which object an entity is, or why that cannot be told."""
    own = ends.get(entity.id)
    if own is not None and len(own) > 1:
        return "", f"it was split into {', '.join(own[:3])}; name one of them as its alias"
    known = {one: ends.get(meant[one], (meant[one],)) for one in aliases if one in meant}
    for alias, found in known.items():
        if len(found) > 1:
            return "", (
                f"{alias.name} of {alias.system} was split into {', '.join(found[:3])}; "
                "withdraw that name and give it to one of them"
            )
    others = dict.fromkeys(found[0] for found in known.values())
    if own is not None:
        itself = next(iter(own))
        for other in others:
            if other != itself:
                joined.lacking.append(Lacking(entity.id, "aliases", (
                    f"another system's name for it means {other}, but it is {itself} already; if "
                    f"both are one: citytwin-hub identity merge {other} {itself}"
                )))  # fmt: skip
        return itself, ""
    if len(others) > 1:
        return "", (
            f"its names mean different objects: {', '.join([*others][:3])}; merge these "
            "(citytwin-hub identity merge), or correct the names"
        )
    return next(iter(others), entity.id), ""


def _targets(entity: Entity) -> Iterator[str]:
    for instances in entity.attributes.values():
        for one in instances:
            if one.kind in RELATIONSHIPS:
                yield from [one.value] if isinstance(one.value, str) else one.value


def _led(entity: Entity, urn: str, led: Mapping[str, tuple[str, ...]]) -> Entity:
    """Return an entity under its URN, its relations led to the objects that their targets are."""

    def instance(one: Attribute) -> Attribute:
        if one.kind not in RELATIONSHIPS:
            return one
        before = [one.value] if isinstance(one.value, str) else one.value
        after = list(dict.fromkeys(end for each in before for end in led.get(each, (each,))))
        if after == list(before):
            return one
        return replace(one, value=after[0] if len(after) == 1 else after)

    attributes = {
        name: tuple(instance(one) for one in instances)
        for name, instances in entity.attributes.items()
    }
    return replace(entity, id=urn, attributes=attributes)


def claim(
    identities: Identities,
    source: str,
    joined: Joined,
    aliases: Mapping[str, Sequence[Alias]],
    by: str,
    now_ns: int,
) -> list[Lacking]:
    """Register the URNs and names of entities that were taken; return the names that clash.

    Raises:
        StoreError: they cannot be kept.
    """
    made = {urn: one for one, urn in joined.urns.items()}
    claims, lacking = [], []
    for entity in joined.entities:
        one = made[entity.id]
        told = [each.value for each in entity.attributes.get(SOURCE_ID, ())]
        name = str(told[0]) if told else ""
        own: tuple[Alias, ...] = (Alias(source, name), Alias(source, f"{one.split(':')[2]}/{name}"))
        if not 0 < len(own[1].name) <= NAME_CHARACTERS_MAX:
            reason = f"its id has over {NAME_CHARACTERS_MAX} characters, so it is no name"
            lacking.append(Lacking(one, "aliases", reason))
            own = ()
        claims.append(Claim(one, entity.id, own, tuple(aliases.get(one, ()))))
    for clash in identities.claim(claims, by, now_ns):
        reason = f"{clash.alias.name} of {clash.alias.system} means {clash.means} already"
        if not any(one.id == clash.urn for one in joined.lacking):
            lacking.append(Lacking(clash.urn, "aliases", reason))
    return lacking
