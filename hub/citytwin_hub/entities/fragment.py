"""Fragment: what a request gives of an entity, to be appended, updated, merged or replaced.

Complete attributes (``Attribute``) come with append, update and replace; partial ones (``Patch``)
with merge and partial attribute update, where what is not given stays and NGSI-LD Null deletes
(ETSI GS CIM 009, clauses 5.5.8, 5.5.12 and 5.6).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from citytwin_hub.entities.model import Attribute, AttributeKind


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """What is given of one instance of an attribute (immutable); ``UNSET`` is not given.

    Attributes:
        kind: None where the request does not say; then it stays what it is.
        value: as ``Attribute.value``; ``model.NULL`` deletes the instance. Members of an object
            that are ``model.NULL`` delete those members.
        dataset: which instance.
        unit_code, observed_ns, expires_ns, object_type, value_type: as in ``Attribute``; None
            deletes.
        parts: attributes of the attribute.
    """

    kind: AttributeKind | None = None
    value: Any = UNSET
    dataset: str = ""
    unit_code: str | UnsetType | None = UNSET
    observed_ns: int | UnsetType | None = UNSET
    expires_ns: int | UnsetType | None = UNSET
    object_type: tuple[str, ...] | UnsetType | None = UNSET
    value_type: str | UnsetType | None = UNSET
    parts: dict[str, tuple[Patch, ...]] = msgspec.field(default_factory=dict)


class Fragment(msgspec.Struct, frozen=True, kw_only=True):
    """What is given of an entity (immutable).

    Attributes:
        id: empty where the request does not say; else it must be the entity's own.
        types: IRIs to be added; empty where the request does not say.
        scopes: None where not given; empty: they are deleted.
        expires_ns: None deletes.
        attributes: complete instances by IRI (append, update, replace).
        patches: partial instances by IRI (merge); one and only one of both is filled.
    """

    id: str = ""
    types: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    expires_ns: int | UnsetType | None = UNSET
    attributes: dict[str, tuple[Attribute, ...]] = msgspec.field(default_factory=dict)
    patches: dict[str, tuple[Patch, ...]] = msgspec.field(default_factory=dict)
