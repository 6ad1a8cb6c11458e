"""Source: another broker that says which entities it has, and how it wants to be asked.

The data types are those of ETSI GS CIM 009, clauses 5.2.9 (CSourceRegistration), 5.2.10
(RegistrationInfo), 5.2.11 (TimeInterval) and 5.2.34 (RegistrationManagementInfo); modes are those
of clause 4.3.6, operations those of clause 4.20. Names of types and attributes are IRIs.

>>> wells = Source(
...     id="urn:ngsi-ld:ContextSourceRegistration:1",
...     endpoint="http://127.0.0.1:9090",
...     information=(Information(entities=(Known(types=("https://example.org/Well",)),)),),
... )
>>> sought = Sought(attributes=frozenset({"https://example.org/level"}))
>>> wells.information[0].may_have(sought)
True
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.patterns import compile_pattern
from citytwin_hub.entities.selection import Selector

TYPE: Final = "https://uri.etsi.org/ngsi-ld/ContextSourceRegistration"
CORE: Final = "https://uri.etsi.org/ngsi-ld/"


class Mode(StrEnum):
    """How what a source has goes together with what the hub itself has (``mode``)."""

    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"
    REDIRECT = "redirect"
    AUXILIARY = "auxiliary"

    @property
    def is_proxied(self) -> bool:
        """Whether the hub itself has nothing of what the source has."""
        return self in {Mode.EXCLUSIVE, Mode.REDIRECT}


RETRIEVE: Final = frozenset({"retrieveEntity", "queryEntity"})
UPDATE: Final = frozenset({"updateEntity", "updateAttrs", "replaceEntity", "replaceAttrs"})
FEDERATION: Final = RETRIEVE | {
    "queryBatch", "retrieveEntityTypes", "retrieveEntityTypeDetails", "retrieveEntityTypeInfo",
    "retrieveAttrTypes", "retrieveAttrTypeDetails", "retrieveAttrTypeInfo", "createSubscription",
    "updateSubscription", "retrieveSubscription", "querySubscription", "deleteSubscription",
}  # fmt: skip
REDIRECTION: Final = RETRIEVE | UPDATE | {
    "createEntity", "appendAttrs", "deleteAttrs", "deleteEntity", "mergeEntity",
    "retrieveEntityTypes", "retrieveEntityTypeDetails", "retrieveEntityTypeInfo",
    "retrieveAttrTypes", "retrieveAttrTypeDetails", "retrieveAttrTypeInfo",
}  # fmt: skip
GROUPS: Final = {
    "federationOps": FEDERATION,
    "updateOps": UPDATE,
    "retrieveOps": RETRIEVE,
    "redirectionOps": REDIRECTION,
}
"""Names of several operations together (clause 4.20)."""
READING: Final = FEDERATION | {
    "queryTemporal", "retrieveTemporal", "federationOps", "retrieveOps",
}  # fmt: skip
"""Operations and groups that change nothing: all that an auxiliary source may be asked."""
OPERATIONS: Final = (
    FEDERATION | REDIRECTION | GROUPS.keys() | READING | {
        "createBatch", "upsertBatch", "updateBatch", "deleteBatch", "mergeBatch", "purgeEntity",
        "upsertTemporal", "appendAttrsTemporal", "deleteAttrsTemporal", "updateAttrsTemporal",
        "deleteAttrInstanceTemporal", "deleteTemporal",
    }
)  # fmt: skip
"""All that a source may be asked for."""


class Sought(NamedTuple):
    """What is looked for at sources.

    Attributes:
        selectors: entities by identity and type, one of which a source must have; empty: any.
        attributes: IRIs, of which a source must have one; None: any.
    """

    selectors: tuple[Selector, ...] = ()
    attributes: Collection[str] | None = None


ANYTHING: Final = Sought()


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Entities that a source has (immutable).

    Attributes:
        types: IRIs, all of which they have.
        id: the only one; empty: any.
        pattern: their identifiers match it; empty: any. ``id`` wins.
    """

    types: tuple[str, ...] = ()
    id: str = ""
    pattern: str = ""

    def may_be(self, selector: Selector) -> bool:
        """Tell whether one of them may be selected."""
        if selector.types is not None and not selector.types.matches(self.types):
            return False
        if selector.ids is not None:
            return any(self.has(one) for one in selector.ids)
        if selector.id_pattern is not None and self.id:
            return selector.id_pattern.found_in(self.id)
        # Whether two patterns have a text in common is not to be told: perhaps.
        return True

    def has(self, entity_id: str) -> bool:
        """Tell whether an identifier may be one of theirs."""
        if self.id:
            return self.id == entity_id
        return not self.pattern or compile_pattern(self.pattern, "idPattern").found_in(entity_id)


class Information(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a source has: some attributes of some entities (immutable).

    Attributes:
        entities: empty: any entity.
        properties, relationships: IRIs; None: any. Both None: any attribute.
    """

    entities: tuple[Known, ...] = ()
    properties: tuple[str, ...] | None = None
    relationships: tuple[str, ...] | None = None

    @property
    def attributes(self) -> frozenset[str] | None:
        """Properties and relationships; None: any."""
        if self.properties is None and self.relationships is None:
            return None
        return frozenset((*(self.properties or ()), *(self.relationships or ())))

    def may_have(self, sought: Sought) -> bool:
        """Tell whether something of what is looked for may be here (clause 5.12)."""
        by_entity = (
            not sought.selectors
            or not self.entities
            or any(one.may_be(each) for one in self.entities for each in sought.selectors)
        )
        own = self.attributes
        by_attribute = (
            sought.attributes is None or own is None or not own.isdisjoint(sought.attributes)
        )
        return by_entity and by_attribute

    def overlaps(self, other: Information) -> bool:
        """Tell whether both have an attribute of an entity in common that they name."""
        ids = {one.id for one in self.entities} & {one.id for one in other.entities} - {""}
        own, others = self.attributes, other.attributes
        return bool(ids) and (own is None or others is None or not own.isdisjoint(others))


class Interval(msgspec.Struct, frozen=True):
    """A span of time, UTC nanoseconds (immutable); without an end it lasts."""

    start_ns: int
    end_ns: int | None = None

    def touches(self, start_ns: int | None, end_ns: int | None) -> bool:
        """Tell whether it has a moment in common with a span, whose end is excluded."""
        before = end_ns is None or self.start_ns < end_ns
        return before and (start_ns is None or self.end_ns is None or self.end_ns >= start_ns)


class Source(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A context source registration (immutable).

    Attributes:
        id: a URI.
        endpoint: where it is asked.
        information: what it has; a request concerns it when one element does.
        name, description: free text.
        tenant: which tenant it is asked about there; empty: the default one.
        mode: how its entities go together with ours; None where it was not given (inclusive).
        operations: what it may be asked for, or groups of that; empty: ``federationOps``.
        info: header fields that it wants, in their order.
        management: how it is to be asked, as it was given (clause 5.2.34).
        scopes: of its entities.
        places: ``location``, ``observationSpace``, ``operationSpace``: GeoJSON geometries.
        observed, managed: when its entities were observed, and changed in its base.
        expires_ns: after it, it is forgotten.
        refresh_rate: how often it wants to be asked for changes, a duration as it was given.
        properties: what else it says of itself: JSON by IRI.
        created_ns, modified_ns: when it was registered and last changed.
    """

    id: str
    endpoint: str
    information: tuple[Information, ...]
    name: str = ""
    description: str = ""
    tenant: str = ""
    mode: Mode | None = None
    operations: tuple[str, ...] = ()
    info: tuple[tuple[str, str], ...] = ()
    management: dict[str, Any] | None = None
    scopes: tuple[str, ...] = ()
    places: dict[str, Any] = msgspec.field(default_factory=dict)
    observed: Interval | None = None
    managed: Interval | None = None
    expires_ns: int | None = None
    refresh_rate: str = ""
    properties: dict[str, Any] = msgspec.field(default_factory=dict)
    created_ns: int = 0
    modified_ns: int = 0

    def has_ended(self, now_ns: int) -> bool:
        """Tell whether it is forgotten at a moment."""
        return self.expires_ns is not None and self.expires_ns <= now_ns

    def may_have(self, sought: Sought) -> bool:
        """Tell whether something of what is looked for may be there."""
        return any(one.may_have(sought) for one in self.information)

    def described(self) -> Entity:
        """Return what it says of itself as an entity, for queries over sources.

        Its own properties, ``endpoint``, and the geometries, whose names are the core's.
        """
        said: dict[str, tuple[Attribute, ...]] = {
            iri: (Attribute(kind=AttributeKind.PROPERTY, value=value),)
            for iri, value in {CORE + "endpoint": self.endpoint, **self.properties}.items()
        }
        for name, geometry in self.places.items():
            said[CORE + name] = (Attribute(kind=AttributeKind.GEO, value=geometry),)
        return Entity(id=self.id, types=(TYPE,), scopes=self.scopes, attributes=said)
