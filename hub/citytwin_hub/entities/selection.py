"""Selection: which entities an operation is about.

ETSI GS CIM 009, clause 5.7.2 and the data types EntitySelector (5.2.33) and Query (5.2.23).
Everything that is given must hold. Its hints let a store leave out what cannot match;
``matches`` is asked of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

from citytwin_hub.entities.geo import GeoQuery
from citytwin_hub.entities.links import Find
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.patterns import Pattern
from citytwin_hub.entities.q import Query
from citytwin_hub.entities.scopes import ScopeQuery
from citytwin_hub.entities.store import Box, Hints
from citytwin_hub.entities.types import TypeSelection
from citytwin_hub.entities.value_keys import needs

NEEDS_MAX = 8
"""Terms of a query by which a store looks; the others are asked of what it finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Some entities by identity (immutable); ``ids`` before ``id_pattern``.

    Attributes:
        ids: these; None: any.
        id_pattern: those whose identifier has it; only without ids.
        types: those of some types; None: any.
    """

    ids: frozenset[str] | None = None
    id_pattern: Pattern | None = None
    types: TypeSelection | None = None

    def matches(self, entity: Entity) -> bool:
        """Tell whether an entity is one of them."""
        if self.ids is not None:
            if entity.id not in self.ids:
                return False
        elif self.id_pattern is not None and not self.id_pattern.found_in(entity.id):
            return False
        return self.types is None or self.types.matches(entity.types)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which entities (immutable, safe on any thread); what is not given does not matter.

    Attributes:
        selectors: one of these must match; empty: any entity.
        attrs: at least one of these attributes, IRIs.
        q: a query over attributes.
        geo: a geo query.
        scope: a scope query.
    """

    selectors: tuple[Selector, ...] = ()
    attrs: frozenset[str] | None = None
    q: Query | None = None
    geo: GeoQuery | None = None
    scope: ScopeQuery | None = None

    def matches(self, entity: Entity, find: Find | None = None) -> bool:
        """Tell whether an entity is selected; ``find`` looks up what it links to."""
        if self.selectors and not any(each.matches(entity) for each in self.selectors):
            return False
        if self.attrs is not None and self.attrs.isdisjoint(entity.attributes):
            return False
        if self.scope is not None and not self.scope.matches(entity.scopes):
            return False
        if self.q is not None and not self.q.matches(entity, find):
            return False
        return self.geo is None or self.geo.matches(entity)

    def attributes(self) -> frozenset[str]:
        """Return the attributes of an entity itself whose values it asks about."""
        asked = self.q.attributes() if self.q is not None else frozenset[str]()
        return asked | {self.geo.attribute} if self.geo is not None else asked

    @property
    def ids(self) -> frozenset[str] | None:
        """The only identifiers that can match; None: any."""
        if not self.selectors or any(each.ids is None for each in self.selectors):
            return None
        return frozenset(given for each in self.selectors for given in each.ids or ())

    def types_any(self) -> frozenset[str] | None:
        """Return types of which every selected entity has at least one; None: any type."""
        if not self.selectors or any(each.types is None for each in self.selectors):
            return None
        needs = [each.types.needed() for each in self.selectors if each.types is not None]
        return frozenset().union(*needs)

    def attributes_any(self) -> frozenset[str] | None:
        """Return attributes of which every selected entity has at least one; None: any."""
        needs = [
            need
            for need in (
                self.attrs,
                self.q.needed() if self.q is not None else None,
                frozenset({self.geo.attribute}) if self.geo is not None else None,
            )
            if need is not None
        ]
        return min(needs, key=len, default=None)

    def box(self) -> Box | None:
        """Return where a GeoProperty of every selected entity must touch; None: anywhere."""
        box = self.geo.box() if self.geo is not None else None
        return None if self.geo is None or box is None else Box(self.geo.attribute, *box)

    def hints(self) -> Hints:
        """Return what a store may leave out."""
        values = needs(self.q.root)[:NEEDS_MAX] if self.q is not None else ()
        return Hints(self.ids, self.types_any(), self.attributes_any(), self.box(), values=values)

    @property
    def is_exact(self) -> bool:
        """Whether the hints say it all: an entity that they do not rule out is selected."""
        if self.q is not None or self.geo is not None or self.scope is not None:
            return False
        if not self.selectors:
            return True
        only = self.selectors[0]
        by_types = only.types is None or only.types.is_any
        by_ids = only.ids is not None or only.id_pattern is None
        return len(self.selectors) == 1 and by_types and by_ids


EVERYTHING = Selection()
"""Every entity."""
