"""Reading: documents of NGSI-LD to the model: whole entities, fragments, attributes and patches.

ETSI GS CIM 009, clauses 4.5.1 to 4.5.24: normalized, concise and simplified representations are
told apart attribute by attribute. What is not allowed is refused with BadRequestData (clause 5.5.4)
and a sentence that names the member. What the hub says by itself (``createdAt``, ``modifiedAt``,
``deletedAt``) is passed over. The document's @context is read by the caller.

>>> from citytwin_hub.jsonld.processing import CORE
>>> tank = read_entity({"id": "urn:ngsi-ld:Tank:1", "type": "Tank", "level": 3.2}, CORE, 0)
>>> tank.attribute(CORE.expand("level")).value
3.2
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from citytwin_hub.apis.ngsild.attributes import ATTRIBUTES_MAX, MEMBERS, AttributeReader
from citytwin_hub.apis.ngsild.members import read_moment, read_name, read_scopes, read_types
from citytwin_hub.apis.ngsild.values import Nulls, read_uri, shown
from citytwin_hub.entities.errors import BadRequestData, InvalidRequest
from citytwin_hub.entities.fragment import Fragment, Patch
from citytwin_hub.entities.model import NULL, Attribute, AttributeKind, Entity
from citytwin_hub.jsonld.names import Names

_HEAD: Final = frozenset(
    {"id", "@id", "type", "@type", "scope", "expiresAt", "@context"}
    | {"createdAt", "modifiedAt", "deletedAt"}
)
"""Members of an entity that are no attributes."""


def read_entity(document: Any, names: Names, now_ns: int, *, temporal: bool = False) -> Entity:
    """Return a whole entity.

    Args:
        document: as decoded from JSON.
        names: its @context.
        now_ns: when it came (UTC).
        temporal: its attributes are arrays of what they were, one moment each (clause 4.5.6).

    Raises:
        InvalidRequest: it is not an object.
        BadRequestData: it is not an entity.
    """
    document = _object(document, "an entity")
    if "id" not in document and "@id" not in document:
        raise BadRequestData("the entity has no id")
    types = document.get("type", document.get("@type"))
    if types is None:
        raise BadRequestData("the entity has no type")
    fragment = read_fragment(document, names, temporal=temporal)
    return Entity(
        id=fragment.id,
        types=fragment.types,
        scopes=fragment.scopes or (),
        created_ns=now_ns,
        modified_ns=now_ns,
        expires_ns=fragment.expires_ns if isinstance(fragment.expires_ns, int) else None,
        attributes=fragment.attributes,
    )


def read_fragment(
    document: Any, names: Names, *, nulls: bool = False, temporal: bool = False
) -> Fragment:
    """Return what is appended to an entity, or updated in it: complete attributes.

    Args:
        document: as decoded from JSON.
        names: its @context.
        nulls: whether NGSI-LD Null deletes an attribute; then its ``value`` is ``model.NULL``.
        temporal: as in ``read_entity``.

    Raises:
        BadRequestData: it is not such a fragment.
    """
    document = _object(document, "a fragment of an entity")
    reader = AttributeReader(names, Nulls.DELETE if nulls else Nulls.REFUSED, temporal=temporal)
    attributes = {
        iri: reader.attributes(iri, key, given)
        for iri, key, given in _attributes(document, names, _HEAD)
    }
    return Fragment(attributes=attributes, **_head(document, names, nulls=nulls))


def read_patches(
    document: Any,
    names: Names,
    *,
    lang: str = "",
    kinds: Mapping[str, AttributeKind] | None = None,
) -> Fragment:
    """Return what is merged into an entity: partial attributes (clause 5.5.12).

    Args:
        document: as decoded from JSON.
        names: its @context.
        lang: the language of bare texts that are given for LanguageProperties (clause 5.6.17).
        kinds: what the entity's attributes are, by IRI: bare values are read as of this kind.

    Raises:
        BadRequestData: it is not such a fragment.
    """
    document = _object(document, "a fragment of an entity")
    reader = AttributeReader(names, Nulls.MERGE, lang=lang, kinds=kinds or {})
    patches = {
        iri: reader.patches(iri, key, given)
        for iri, key, given in _attributes(document, names, _HEAD)
    }
    return Fragment(patches=patches, **_head(document, names, nulls=True))


def read_attribute(
    document: Any, names: Names, name: str, *, temporal: bool = False
) -> tuple[Attribute, ...]:
    """Return the instances of one attribute that is given as a document of its own.

    Raises:
        BadRequestData: it is not an attribute, or cannot have this name.
    """
    iri = attribute_iri(name, names)
    return AttributeReader(names, Nulls.REFUSED, temporal=temporal).attributes(
        iri, name, _without_context(document)
    )


def read_patch(document: Any, names: Names, name: str = "") -> Patch:
    """Return what is given of one instance of an attribute (clause 5.5.8).

    Args:
        document: as decoded from JSON.
        names: its @context.
        name: of the attribute, for what only some may be; empty where that is checked elsewhere.

    Raises:
        BadRequestData: it is not such a fragment, or empty.
    """
    iri = attribute_iri(name, names) if name else ""
    given = _object(_without_context(document), "a fragment of an attribute")
    if not given:
        raise BadRequestData("the fragment of the attribute is empty")
    return AttributeReader(names, Nulls.DELETE).patch(
        iri, name or "the attribute", given, whole=True
    )


def attribute_iri(name: str, names: Names) -> str:
    """Return the IRI of an attribute that a path or a parameter names.

    Raises:
        BadRequestData: nothing can be named so, or what is named is no attribute (``scope``).
    """
    if name in _HEAD or name in MEMBERS:
        raise BadRequestData(f"{name!r} is not an attribute")
    return read_name(name, names, "an attribute")


def _object(document: Any, what: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise InvalidRequest(f"{what} is an object, not {shown(document)}")
    return document


def _without_context(document: Any) -> Any:
    if isinstance(document, dict) and "@context" in document:
        return {key: value for key, value in document.items() if key != "@context"}
    return document


def _head(document: dict[str, Any], names: Names, *, nulls: bool) -> dict[str, Any]:
    """Return what a document says of the entity itself, as fields of a ``Fragment``."""
    fields: dict[str, Any] = {}
    for keys in (("id", "@id"), ("type", "@type")):
        if document.keys() >= set(keys):
            raise BadRequestData(f"the entity has both {keys[0]!r} and {keys[1]!r}")
    if "id" in document or "@id" in document:
        fields["id"] = read_uri(document.get("id", document.get("@id")), "the entity's id")
    if "type" in document or "@type" in document:
        types = document.get("type", document.get("@type"))
        fields["types"] = read_types(types, names, "the entity's type")
    if "scope" in document:
        scope = document["scope"]
        deletes = nulls and scope in (NULL, [NULL])
        fields["scopes"] = () if deletes else read_scopes(scope)
    if "expiresAt" in document:
        expires = document["expiresAt"]
        deletes = nulls and expires == NULL
        fields["expires_ns"] = (
            None if deletes else read_moment(expires, "the entity's expiresAt", bounded=True)
        )
    return fields


def _attributes(
    document: dict[str, Any], names: Names, head: frozenset[str]
) -> Iterator[tuple[str, str, Any]]:
    """Yield IRI, name and value of each attribute."""
    if len(document) > ATTRIBUTES_MAX:
        raise BadRequestData(f"the entity has over {ATTRIBUTES_MAX} members")
    seen: set[str] = set()
    for key, given in document.items():
        if key in head:
            continue
        if key in MEMBERS:
            raise BadRequestData(f"{key!r} cannot name an attribute of an entity (clause 4.5.1)")
        iri = read_name(key, names, "an attribute")
        if iri in seen:
            raise BadRequestData(f"{key!r} names an attribute that is given already: {iri}")
        seen.add(iri)
        yield iri, key, given
