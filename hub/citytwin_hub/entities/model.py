"""Entity and Attribute: a city object as the hub holds it, with every name expanded to its IRI.

The information model is NGSI-LD's (ETSI GS CIM 009, clause 4.2). Names of types and attributes are
IRIs here; terms of a client's @context exist only at the edge of the API. Moments are nanoseconds
since 1970-01-01 UTC as everywhere in CityTwin. A value stays the JSON that was given.

>>> level = Attribute(kind=AttributeKind.PROPERTY, value=3.2, unit_code="MTR")
>>> tank = Entity(
...     id="urn:ngsi-ld:Tank:1",
...     types=("https://example.org/Tank",),
...     attributes={"https://example.org/level": (level,)},
... )
>>> tank.attribute("https://example.org/level").value
3.2
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec

NULL: Final = "urn:ngsi-ld:null"
"""NGSI-LD Null: in a patch or merge, the attribute or member is to be deleted (clause 4.5.0)."""


class AttributeKind(StrEnum):
    """The subtypes of Property and Relationship (clause 4.5)."""

    PROPERTY = "Property"
    GEO = "GeoProperty"
    RELATIONSHIP = "Relationship"
    LANGUAGE = "LanguageProperty"
    VOCAB = "VocabProperty"
    JSON = "JsonProperty"
    LIST = "ListProperty"
    LIST_RELATIONSHIP = "ListRelationship"


MEMBER: Final[Mapping[AttributeKind, str]] = MappingProxyType(
    {
        AttributeKind.PROPERTY: "value",
        AttributeKind.GEO: "value",
        AttributeKind.RELATIONSHIP: "object",
        AttributeKind.LANGUAGE: "languageMap",
        AttributeKind.VOCAB: "vocab",
        AttributeKind.JSON: "json",
        AttributeKind.LIST: "valueList",
        AttributeKind.LIST_RELATIONSHIP: "objectList",
    }
)
"""The member that holds an attribute's value, by its kind."""

RELATIONSHIPS: Final = frozenset({AttributeKind.RELATIONSHIP, AttributeKind.LIST_RELATIONSHIP})


class Attribute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One instance of an attribute (immutable).

    Attributes:
        kind: Property, Relationship or another subtype.
        value: what its member holds (``MEMBER``): JSON; of relationships a URI or a list of
            URIs; of a ListRelationship's ``objectList`` the list of URIs; of a VocabProperty an
            IRI or a list of them; of a GeoProperty a GeoJSON geometry.
        dataset: ``datasetId``, a URI; empty for the default instance.
        unit_code: ``unitCode`` (UN/CEFACT); empty where there is none.
        observed_ns: ``observedAt``; None where not given.
        created_ns: when this instance was first given to the hub; ``modified_ns``: last.
        deleted_ns: when it was deleted; only in the temporal evolution.
        expires_ns: after it the instance is no more; None: never.
        object_type: types of a relationship's target, IRIs.
        value_type: ``valueType``, the IRI of the value's datatype; empty where there is none.
        sealed_id: ``entityIdSealed``, a URI; only in an ``ngsildproof`` (clause 4.5.2.2).
        sealed_type: ``entityTypeSealed``, IRIs; only in an ``ngsildproof``.
        instance: ``instanceId``, a URI; only in the temporal evolution.
        parts: attributes of this attribute, by IRI.
    """

    kind: AttributeKind = msgspec.field(name="k")
    value: Any = msgspec.field(default=None, name="v")
    dataset: str = msgspec.field(default="", name="d")
    unit_code: str = msgspec.field(default="", name="u")
    observed_ns: int | None = msgspec.field(default=None, name="o")
    created_ns: int = msgspec.field(default=0, name="c")
    modified_ns: int = msgspec.field(default=0, name="m")
    deleted_ns: int | None = msgspec.field(default=None, name="x")
    expires_ns: int | None = msgspec.field(default=None, name="e")
    object_type: tuple[str, ...] = msgspec.field(default=(), name="t")
    value_type: str = msgspec.field(default="", name="y")
    sealed_id: str = msgspec.field(default="", name="si")
    sealed_type: tuple[str, ...] = msgspec.field(default=(), name="st")
    instance: str = msgspec.field(default="", name="i")
    parts: dict[str, tuple[Attribute, ...]] = msgspec.field(default_factory=dict, name="p")


class Entity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A city object (immutable).

    Attributes:
        id: a URI.
        types: IRIs, at least one.
        scopes: paths such as ``/Almaty/Medeu``.
        created_ns: when the hub first had it; ``modified_ns``: last change of anything in it.
        deleted_ns: when it was deleted; only in the temporal evolution and notifications.
        expires_ns: after it the entity is no more (transient entities); None: never.
        attributes: instances by the attribute's IRI, one for each dataset.
    """

    id: str
    types: tuple[str, ...] = msgspec.field(name="t")
    scopes: tuple[str, ...] = msgspec.field(default=(), name="s")
    created_ns: int = msgspec.field(default=0, name="c")
    modified_ns: int = msgspec.field(default=0, name="m")
    deleted_ns: int | None = msgspec.field(default=None, name="x")
    expires_ns: int | None = msgspec.field(default=None, name="e")
    attributes: dict[str, tuple[Attribute, ...]] = msgspec.field(default_factory=dict, name="a")

    def attribute(self, name: str, dataset: str = "") -> Attribute | None:
        """Return the instance of an attribute that has a dataset, if there is one."""
        for instance in self.attributes.get(name, ()):
            if instance.dataset == dataset:
                return instance
        return None
