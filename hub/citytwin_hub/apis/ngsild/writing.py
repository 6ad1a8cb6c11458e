"""Writing: entities as NGSI-LD says it, in each of its representations.

ETSI GS CIM 009: normalized (clause 4.5.1), concise (4.5.1 and 4.5.2.3), simplified (4.5.4),
multi-attributes (4.5.5), GeoJSON (4.5.16, 4.5.17) and linked entities (4.5.23). The ``@context``
is added by the caller, who knows how it is asked for.

>>> from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
>>> class Plain:
...     def expand(self, name):
...         return name
...
...     def compact(self, iri):
...         return iri.rpartition("/")[2]
>>> level = Attribute(kind=AttributeKind.PROPERTY, value=3.2, unit_code="MTR")
>>> tank = Entity(
...     id="urn:ngsi-ld:Tank:1",
...     types=("https://example.org/Tank",),
...     attributes={"https://example.org/level": (level,)},
... )
>>> Writer(Plain()).entity(tank)["level"]
{'type': 'Property', 'value': 3.2, 'unitCode': 'MTR'}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from citytwin_hub.apis.ngsild.linking import Linked, Shown, beyond, gather, shows
from citytwin_hub.apis.ngsild.projections import CORE, Projection
from citytwin_hub.apis.ngsild.view import NONE, PLAIN, Form, Join, View
from citytwin_hub.entities.errors import TooManyResults
from citytwin_hub.entities.links import Find, targets
from citytwin_hub.entities.model import MEMBER, RELATIONSHIPS, Attribute, AttributeKind, Entity
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.jsonld.names import Names

INLINED_MAX: Final = 20_000
"""Linked entities written into an answer; the same one counts each time."""

_WRAPPED: Final = frozenset({AttributeKind.LANGUAGE, AttributeKind.JSON, AttributeKind.VOCAB})
"""Kinds whose simplified representation keeps the member's name (clause 4.5.4)."""

_GEOMETRIES: Final = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}
)


def geometry_of(value: Any) -> Any:
    """Return a value if it is a GeoJSON geometry, else None."""
    if not isinstance(value, dict):
        return None
    kind = value.get("type")
    if kind in _GEOMETRIES:
        return value if isinstance(value.get("coordinates"), list) else None
    if kind == "GeometryCollection":
        return value if isinstance(value.get("geometries"), list) else None
    return None


class Writer:
    """Writes entities with the names of one @context, for one request. Not for two threads."""

    def __init__(self, names: Names, view: View = PLAIN, find: Find | None = None) -> None:
        """Take how to write.

        Args:
            names: turns IRIs to names.
            view: which representation.
            find: looks up linked entities; without it none are joined.
        """
        self._compact = names.compact
        self._view = view
        self._find = find
        self._linked: Mapping[str, Entity] = {}
        self._inlined = 0
        self._write = {
            Form.NORMALIZED: self._normalized,
            Form.CONCISE: self._concise,
            Form.SIMPLIFIED: self._simplified,
        }[view.form]

    def one(self, entity: Entity) -> Any:
        """Return one entity: an object, or where linked ones go beside it an array.

        The object is empty when its projection leaves nothing of it.
        """
        linked = self._gather([entity])
        document = self.entity(entity)
        if not document or not linked.met or self._view.join is not Join.FLAT:
            return document
        return self._collection([document, *self._beside(linked)])

    def many(self, entities: Sequence[Entity]) -> Any:
        """Return entities as an array, or as a FeatureCollection.

        Those of which a projection leaves nothing are left out.
        """
        linked = self._gather(entities)
        documents = [self.entity(entity) for entity in entities]
        if self._view.join is Join.FLAT:
            documents += self._beside(linked)
        return self._collection([document for document in documents if document])

    def entity(self, entity: Entity) -> dict[str, Any]:
        """Return an entity; what it links to is in it only where ``one`` or ``many`` asked."""
        view = self._view
        shown = Shown(entity, view.pick, view.omit)
        return self._document(shown, self._members_of(shown, view.attrs, ()))

    def attribute(self, instances: Sequence[Attribute]) -> Any:
        """Return an attribute: one instance, or several of different datasets (clause 4.5.5)."""
        form = self._view.form
        if form is Form.SIMPLIFIED and (len(instances) > 1 or instances[0].dataset):
            return {"dataset": {each.dataset or NONE: self._simplified(each) for each in instances}}
        if len(instances) == 1:
            return self._write(instances[0])
        if form is Form.CONCISE:
            return [self._reified(each) for each in instances]
        return [self._write(each) for each in instances]

    def _gather(self, roots: Sequence[Entity]) -> Linked:
        self._inlined = 0
        if self._view.join is None or self._find is None:
            return Linked()
        linked = gather(roots, self._view, self._find)
        if self._view.join is Join.INLINE:
            self._linked = linked.by_id
        return linked

    def _beside(self, linked: Linked) -> list[dict[str, Any]]:
        return [self._document(shown, self._members_of(shown, None, ())) for shown in linked.met]

    def _collection(self, documents: list[dict[str, Any]]) -> Any:
        if self._view.geometry is None:
            return documents
        return {"type": "FeatureCollection", "features": documents}

    def _document(self, shown: Shown, members: dict[str, Any]) -> dict[str, Any]:
        if self._view.geometry is None or not members:
            return members
        feature = {"id": members.pop("id")} if "id" in members else {}
        feature["type"] = "Feature"
        feature["geometry"] = self._geometry(shown.entity)
        feature["properties"] = members
        return feature

    def _geometry(self, entity: Entity) -> Any:
        """Return the geometry of a Feature: of the default instance, where there is one."""
        instances = self._kept(entity.attributes.get(self._view.geometry or "", ()))
        for each in sorted(instances, key=lambda each: bool(each.dataset)):
            return geometry_of(each.value)
        return None

    def _kept(self, instances: Sequence[Attribute]) -> Sequence[Attribute]:
        datasets = self._view.datasets
        if datasets is None:
            return instances
        return [each for each in instances if each.dataset in datasets]

    def _members_of(
        self, shown: Shown, attrs: frozenset[str] | None, way: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return the members of an entity; ``way``: the entities that led to it."""
        entity, pick, omit = shown.entity, shown.pick, shown.omit
        projected = pick is not None or omit is not None
        document = self._core(entity, pick)
        if projected:
            document = {each: value for each, value in document.items() if shows(pick, omit, each)}
        compact, datasets = self._compact, self._view.datasets
        linking = bool(self._linked) and len(way) < self._view.join_level
        for name, instances in entity.attributes.items():
            if attrs is not None and name not in attrs:
                continue
            if projected and not shows(pick, omit, name):
                continue
            kept = instances if datasets is None else self._kept(instances)
            if not kept:
                continue
            if linking and kept[0].kind in RELATIONSHIPS:
                beyond_it = beyond(pick, name), beyond(omit, name)
                document[compact(name)] = self._inline(kept, *beyond_it, (*way, entity.id))
            else:
                document[compact(name)] = self.attribute(kept)
        return document

    def _core(self, entity: Entity, pick: Projection | None) -> dict[str, Any]:
        compact = self._compact
        types, scopes = entity.types, entity.scopes
        document: dict[str, Any] = {
            "id": entity.id,
            "type": compact(types[0]) if len(types) == 1 else [compact(each) for each in types],
        }
        if scopes:
            document["scope"] = scopes[0] if len(scopes) == 1 else list(scopes)
        if self._view.sys_attrs or (pick is not None and not pick.members.keys().isdisjoint(CORE)):
            _add_system(entity, document)
        if entity.deleted_ns is not None:
            document["deletedAt"] = format_ns(entity.deleted_ns)
        return document

    def _inline(
        self,
        instances: Sequence[Attribute],
        pick: Projection | None,
        omit: Projection | None,
        way: tuple[str, ...],
    ) -> Any:
        """Return relationships with what they link to in them (clause 4.5.23.2)."""
        written = [self._joined(each, pick, omit, way) for each in instances]
        if self._view.form is Form.SIMPLIFIED and (len(instances) > 1 or instances[0].dataset):
            names = [each.dataset or NONE for each in instances]
            return {"dataset": dict(zip(names, written, strict=True))}
        return written[0] if len(written) == 1 else written

    def _joined(
        self,
        attribute: Attribute,
        pick: Projection | None,
        omit: Projection | None,
        way: tuple[str, ...],
    ) -> Any:
        found: dict[str, dict[str, Any]] = {}
        for target in targets(attribute):
            if target in self._linked and target not in way:
                self._inlined += 1
                if self._inlined > INLINED_MAX:
                    raise TooManyResults(
                        f"the answer would have more than {INLINED_MAX} linked entities in it: "
                        "ask for fewer entities, or with join=flat"
                    )
                shown = Shown(self._linked[target], pick, omit)
                found[target] = self._members_of(shown, None, way)
        if self._view.form is Form.SIMPLIFIED:
            values = [found.get(target) or target for target in targets(attribute)]
            return values[0] if isinstance(attribute.value, str) else values
        document = self._normalized(attribute)
        if self._view.form is Form.CONCISE:
            document = self._reified(attribute)
        entities = [members for members in found.values() if members]
        if entities and attribute.kind is AttributeKind.LIST_RELATIONSHIP:
            document["entityList"] = entities
        elif entities:
            document["entity"] = entities[0] if isinstance(attribute.value, str) else entities
        return document

    def _normalized(self, attribute: Attribute) -> dict[str, Any]:
        kind = attribute.kind
        if kind is AttributeKind.LANGUAGE and self._view.languages is not None:
            return self._reified(attribute, {"type": AttributeKind.PROPERTY.value})
        return self._reified(attribute, {"type": kind.value})

    def _concise(self, attribute: Attribute) -> Any:
        document = self._reified(attribute)
        if len(document) > 1 or "value" not in document:
            return document
        value = document["value"]
        if attribute.kind is AttributeKind.GEO or not _is_compound(value):
            return value
        return document

    def _simplified(self, attribute: Attribute) -> Any:
        kind = attribute.kind
        if kind is AttributeKind.PROPERTY:
            return attribute.value
        if kind is AttributeKind.LIST_RELATIONSHIP:
            return list(targets(attribute))
        if kind is AttributeKind.LANGUAGE and self._view.languages is not None:
            return self._spoken(attribute)[1]
        value = self._value(attribute)
        return {MEMBER[kind]: value} if kind in _WRAPPED else value

    def _reified(
        self, attribute: Attribute, document: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the members of an attribute, added to a document."""
        document = {} if document is None else document
        if attribute.kind is AttributeKind.LANGUAGE and self._view.languages is not None:
            document["lang"], document["value"] = self._spoken(attribute)
        else:
            document[MEMBER[attribute.kind]] = self._value(attribute)
        if attribute.observed_ns is not None:
            document["observedAt"] = format_ns(attribute.observed_ns)
        if attribute.unit_code:
            document["unitCode"] = attribute.unit_code
        if attribute.dataset:
            document["datasetId"] = attribute.dataset
        if attribute.object_type:
            names = [self._compact(each) for each in attribute.object_type]
            document["objectType"] = names[0] if len(names) == 1 else names
        if attribute.value_type:
            document["valueType"] = self._compact(attribute.value_type)
        if attribute.sealed_id:
            document["entityIdSealed"] = attribute.sealed_id
        if attribute.sealed_type:
            names = [self._compact(each) for each in attribute.sealed_type]
            document["entityTypeSealed"] = names[0] if len(names) == 1 else names
        if attribute.instance:
            document["instanceId"] = attribute.instance
        if self._view.sys_attrs:
            _add_system(attribute, document)
        if attribute.deleted_ns is not None:
            document["deletedAt"] = format_ns(attribute.deleted_ns)
        for name, instances in attribute.parts.items():
            document[self._compact(name)] = self.attribute(instances)
        return document

    def _spoken(self, attribute: Attribute) -> tuple[str, Any]:
        """Return the tag and the text of a LanguageProperty that serve best (clause 4.15)."""
        languages = self._view.languages
        chosen = languages.choose(attribute.value) if languages is not None else None
        return ("", None) if chosen is None else chosen

    def _value(self, attribute: Attribute) -> Any:
        kind, value = attribute.kind, attribute.value
        if kind is AttributeKind.VOCAB:
            if isinstance(value, str):
                return self._compact(value)
            return [self._compact(each) for each in value]
        if kind is AttributeKind.LIST_RELATIONSHIP:
            return [{"object": each} for each in value]
        return value


def _add_system(what: Entity | Attribute, document: dict[str, Any]) -> None:
    """Add what the hub knows by itself of an entity or an attribute (clause 4.8)."""
    if what.created_ns:
        document["createdAt"] = format_ns(what.created_ns)
    if what.modified_ns:
        document["modifiedAt"] = format_ns(what.modified_ns)
    if what.expires_ns is not None:
        document["expiresAt"] = format_ns(what.expires_ns)


def _is_compound(value: Any) -> bool:
    """Tell whether a bare value would be taken for something else when it is read again."""
    if isinstance(value, list):
        return any(map(_is_compound, value))
    return isinstance(value, dict)
