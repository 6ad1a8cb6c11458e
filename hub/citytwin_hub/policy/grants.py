"""Grants: what a role may do, on which types, attributes, places and points (decision 0028).

>>> grant = Grant(acts=frozenset({Act.READ}), types=Names({"Pump"}))
>>> grant.takes_types(("https://example.org/Pump",)), grant.takes_types(("https://example.org/X",))
(True, False)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import shapely

from citytwin.point import Place
from citytwin_hub.entities.geo import shape
from citytwin_hub.entities.model import AttributeKind, Entity
from citytwin_hub.entities.relations import local_name

LOCATION: Final = "https://uri.etsi.org/ngsi-ld/location"
"""The attribute that says where an entity is."""
NAMES_KNOWN_MAX: Final = 20_000
"""IRIs of which is remembered whether a list of names has them."""


class Act(StrEnum):
    """What can be done."""

    READ = "read"
    WRITE = "write"
    COMMAND = "command"
    PLAN = "plan"
    SUBSCRIBE = "subscribe"
    CONFIGURE = "configure"
    ADMINISTER = "administer"


_ON_ENTITIES: Final = frozenset({Act.READ, Act.WRITE, Act.PLAN})


class Names:
    """A list of names: an IRI, or the last part that any IRI may have."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Take the names."""
        self.names = frozenset(names)
        self._known: dict[str, bool] = {}

    def __contains__(self, iri: object) -> bool:
        """Tell whether an IRI is meant."""
        if not isinstance(iri, str) or not self.names:
            return False
        known = self._known.get(iri)
        if known is None:
            if len(self._known) >= NAMES_KNOWN_MAX:
                self._known.clear()
            known = self._known[iri] = iri in self.names or local_name(iri) in self.names
        return known

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.names)

    def among(self, iris: Iterable[str]) -> bool:
        """Tell whether one of some IRIs is meant."""
        return any(one in self for one in iris)


NONE: Final = Names()


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A part of the city (immutable): its name, and a shapely geometry in degrees, WGS 84."""

    name: str
    geometry: Any

    def has(self, entity: Entity) -> bool:
        """Tell whether an entity is at least partly in it; one without a location is not."""
        return any(
            one.kind is AttributeKind.GEO
            and (there := shape(one.value)) is not None
            and self.geometry.intersects(there)
            for one in entity.attributes.get(LOCATION, ())
        )

    def has_place(self, place: Place | None) -> bool:
        """Tell whether a point's place is in it; no place is not."""
        return place is not None and bool(
            shapely.intersects_xy(self.geometry, place.lon, place.lat)
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Grant:
    """What may be done (immutable); what is None does not matter.

    Attributes:
        acts: what.
        types: only on entities of one of these types; ``without_types``: of none of these.
        attributes: only these attributes; ``without``: none of these, nor as parts of others.
        area: only what is in it.
        points: only these points, and then no entities: patterns of identifiers.
    """

    acts: frozenset[Act]
    types: Names | None = None
    without_types: Names = NONE
    attributes: Names | None = None
    without: Names = NONE
    area: Area | None = None
    points: tuple[re.Pattern[str], ...] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing limits it."""
        return self.is_of_all_entities and self.shows_all

    @property
    def is_of_all_entities(self) -> bool:
        """Whether it is about every entity and point."""
        return (
            self.types is None
            and not self.without_types
            and self.area is None
            and self.points is None
        )

    @property
    def shows_all(self) -> bool:
        """Whether it is about every attribute."""
        return self.attributes is None and not self.without

    def takes_types(self, types: Collection[str]) -> bool:
        """Tell whether it is about entities of some types, as far as these say."""
        if self.points is not None or self.without_types.among(types):
            return False
        return self.types is None or self.types.among(types)

    def takes(self, entity: Entity) -> bool:
        """Tell whether it is about an entity."""
        return self.takes_types(entity.types) and (self.area is None or self.area.has(entity))

    def takes_attribute(self, iri: str) -> bool:
        """Tell whether it is about an attribute of the entities that it is about."""
        return iri not in self.without and (self.attributes is None or iri in self.attributes)

    def takes_id(self, point_id: str) -> bool:
        """Tell whether one of its patterns is that of a point; True without patterns."""
        return self.points is None or any(one.fullmatch(point_id) for one in self.points)


def pattern(text: str) -> re.Pattern[str]:
    """Return a pattern of points' identifiers: ``*`` is anything without a slash.

    >>> bool(pattern("medeu-*/pump-?/*").fullmatch("medeu-1/pump-3/speed"))
    True
    """
    parts = {"*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(parts.get(one) or re.escape(one) for one in text))


class Rights:
    """What some roles may do together; made once for each set of roles. Immutable.

    Attributes:
        roles: their names.
        grants: what they may; any of them suffices.
        delay_ns: how old what they see is at least; 0: it is of now.
        mean_ns: over how long measured values are averaged; 0: they are not.
        rounding: to multiples of what the numbers of attributes are rounded, by name.
        personal: attributes that say something of a person: reading them is written down.
    """

    def __init__(
        self,
        roles: tuple[str, ...],
        grants: tuple[Grant, ...],
        *,
        delay_ns: int = 0,
        mean_ns: int = 0,
        rounding: Mapping[str, float] | None = None,
        personal: Names = NONE,
    ) -> None:
        """Take what the policy says."""
        self.roles, self.grants, self.personal = roles, grants, personal
        self.delay_ns, self.mean_ns, self.rounding = delay_ns, mean_ns, dict(rounding or {})
        self.is_coarse = bool(delay_ns or mean_ns or self.rounding)
        self._whole = frozenset(
            act for one in grants if one.is_whole and not self.is_coarse for act in one.acts
        )
        self.acts = frozenset(act for one in grants for act in one.acts)

    def of(self, *acts: Act) -> tuple[Grant, ...]:
        """Return the grants of one of some acts."""
        return tuple(one for one in self.grants if not one.acts.isdisjoint(acts))

    def is_whole(self, *acts: Act) -> bool:
        """Tell whether one of some acts may be done without any limit."""
        return not self._whole.isdisjoint(acts)

    def step(self, iri: str) -> float:
        """Return to multiples of what an attribute's numbers are rounded; 0: they are not."""
        found = self.rounding.get(iri)
        return self.rounding.get(local_name(iri), 0.0) if found is None else found

    @property
    def is_unlimited(self) -> bool:
        """Whether what may be done with entities at all may be done with all of them."""
        return self.acts & _ON_ENTITIES <= self._whole
