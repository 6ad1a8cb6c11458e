"""Attributes: one attribute as documents write it, in any representation, to the model.

ETSI GS CIM 009, clauses 4.5.2 to 4.5.5 and 4.5.18 to 4.5.24. What belongs to the entity around it
is in ``reading.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from citytwin_hub.apis.ngsild.members import (
    read_dataset,
    read_moment,
    read_name,
    read_text,
    read_types,
)
from citytwin_hub.apis.ngsild.values import Nulls, is_null, read_uri, read_value, shown
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.fragment import Patch
from citytwin_hub.entities.geojson import is_geometry_like
from citytwin_hub.entities.model import MEMBER, NULL, RELATIONSHIPS, Attribute, AttributeKind
from citytwin_hub.jsonld.names import Names

ATTRIBUTES_MAX: Final = 2_000
"""Of one entity, or of one attribute."""
INSTANCES_MAX: Final = 1_000
"""Of one attribute, each of another dataset."""
TEMPORAL_INSTANCES_MAX: Final = 100_000
"""Of one attribute's evolution in one document."""
PARTS_DEPTH_MAX: Final = 8
"""Attributes of attributes of attributes."""

_CORE: Final = "https://uri.etsi.org/ngsi-ld/"
_GEO_ONLY: Final = frozenset(
    _CORE + name for name in ("location", "observationSpace", "operationSpace")
)
_PROOF: Final = _CORE + "ngsildproof"
_KINDS: Final[Mapping[str, AttributeKind]] = {
    **{kind.value: kind for kind in AttributeKind},
    **{_CORE + kind.value: kind for kind in AttributeKind},
}
_HOLDERS: Final[Mapping[str, tuple[AttributeKind, ...]]] = {
    member: tuple(kind for kind in AttributeKind if MEMBER[kind] == member)
    for member in MEMBER.values()
}
_WITH_UNIT: Final = frozenset({AttributeKind.PROPERTY, AttributeKind.LIST})
_SYSTEM: Final = frozenset({"type", "@type", "createdAt", "modifiedAt", "deletedAt"})
_ABOUT: Final = frozenset(
    {"datasetId", "observedAt", "unitCode", "expiresAt", "objectType", "valueType", "instanceId"}
)
_SEALED: Final = frozenset({"entityIdSealed", "entityTypeSealed"})
_OUTPUT: Final = frozenset(
    {"entity", "entityList", "previousValue", "previousObject", "previousLanguageMap"}
    | {"previousJson", "previousVocab", "previousValueList", "previousObjectList"}
)
MEMBERS: Final = _SYSTEM | _ABOUT | _SEALED | _OUTPUT | _HOLDERS.keys() | {"@context"}
"""Members of an attribute that are no attributes of it; none can name an attribute."""


class AttributeReader:
    """Reads the attributes of one document."""

    __slots__ = ("_kinds", "_lang", "_names", "_nulls", "_temporal")

    def __init__(
        self,
        names: Names,
        nulls: Nulls,
        *,
        temporal: bool = False,
        lang: str = "",
        kinds: Mapping[str, AttributeKind] | None = None,
    ) -> None:
        self._names, self._nulls, self._temporal = names, nulls, temporal
        self._lang, self._kinds = lang, kinds or {}

    def attributes(self, iri: str, where: str, given: Any, depth: int = 0) -> tuple[Attribute, ...]:
        """Return the complete instances of an attribute."""
        if isinstance(given, dict) and "dataset" not in given:
            return (self._attribute(iri, where, given, "", depth),)
        found = tuple(
            [self._attribute(iri, where, one, dataset, depth) for one, dataset in _split(given)]
        )
        if self._temporal and depth == 0:
            if len(found) > TEMPORAL_INSTANCES_MAX:
                raise BadRequestData(f"{where} has over {TEMPORAL_INSTANCES_MAX} instances")
        elif len(found) > 1:
            _check_datasets([one.dataset for one in found], where)
        return found

    def patches(self, iri: str, where: str, given: Any, depth: int = 0) -> tuple[Patch, ...]:
        """Return the partial instances of an attribute."""
        found = []
        for one, dataset in _split(given):
            if isinstance(one, dict) and (_is_reified(one) or one.keys() & _ABOUT):
                found.append(self.patch(iri, where, one, depth=depth))
            else:
                kind, value = self._bare(iri, one)
                deletes = is_null(value, kind)
                value = NULL if deletes else self._value(kind, value, where)
                found.append(Patch(kind=None if deletes else kind, value=value, dataset=dataset))
        if len(found) > 1:
            _check_datasets([one.dataset for one in found], where)
        return tuple(found)

    def patch(
        self, iri: str, where: str, given: dict[str, Any], *, depth: int = 0, whole: bool = False
    ) -> Patch:
        """Return a partial instance; ``whole``: at least something of it must be said."""
        kind, member = _kind_of(given, where)
        fields: dict[str, Any] = {}
        said = kind
        if member:
            raw = given[member]
            if is_null(raw, kind) or (kind is AttributeKind.GEO and raw == NULL):
                said = kind if "type" in given or "@type" in given else None
                fields["value"] = NULL
            else:
                self._check_place(iri, kind, where)
                fields["value"] = self._value(kind or AttributeKind.PROPERTY, raw, where)
        parts = self._about(iri, given, kind, member, fields, where)
        fields = {
            name: None if value == NULL and name != "value" else value
            for name, value in fields.items()
        }
        for name in ("instance", "sealed_id", "sealed_type"):
            fields.pop(name, None)
        if parts:
            self._check_depth(depth, where)
            fields["parts"] = {
                part: self.patches(part, f"{where}.{key}", one, depth + 1)
                for part, key, one in parts
            }
        if whole and not fields and said is None:
            raise BadRequestData(f"the fragment says nothing of {where}")
        return Patch(kind=said, **fields)

    def _attribute(self, iri: str, where: str, given: Any, dataset: str, depth: int) -> Attribute:
        if not isinstance(given, dict) or not _is_reified(given):
            kind, value = self._bare(iri, given)
            if depth == 0:
                self._check_place(iri, kind, where, value)
            return Attribute(kind=kind, value=self._value(kind, value, where), dataset=dataset)
        known, member = _kind_of(given, where)
        kind = known or AttributeKind.PROPERTY
        if not member:
            raise BadRequestData(f"{where} has no {MEMBER[kind]!r}, which a {kind} needs")
        if depth == 0:
            self._check_place(iri, kind, where, given[member])
        fields: dict[str, Any] = {"kind": kind, "dataset": dataset}
        fields["value"] = self._value(kind, given[member], where)
        parts = self._about(iri, given, kind, member, fields, where)
        if parts:
            self._check_depth(depth, where)
            # What is inside an attribute that is replaced cannot be deleted: it goes anyhow.
            reader = (
                AttributeReader(self._names, Nulls.REFUSED)
                if self._nulls or self._temporal
                else self
            )
            fields["parts"] = {
                part: reader.attributes(part, f"{where}.{key}", one, depth + 1)
                for part, key, one in parts
            }
        return Attribute(**fields)

    def _about(
        self,
        iri: str,
        given: dict[str, Any],
        kind: AttributeKind | None,
        member: str,
        fields: dict[str, Any],
        where: str,
    ) -> list[tuple[str, str, Any]]:
        """Add to an instance what is said of its value; return the attributes of the attribute."""
        parts: list[tuple[str, str, Any]] = []
        for key, value in given.items():
            if key == member or key in _SYSTEM:
                continue  # read before
            if key not in MEMBERS:
                part = read_name(key, self._names, f"an attribute of {where}")
                parts.append((part, key, value))
            elif key in _ABOUT:
                self._add(key, value, kind, fields, where)
            elif key in _SEALED and iri == _PROOF:
                self._add_sealed(key, value, fields, where)
            elif key == "@context":
                raise BadRequestData(f"{where} has an @context; only the whole document may")
            elif key in _HOLDERS and kind is not None:
                raise BadRequestData(f"{where} has {key!r}, but a {kind} has {MEMBER[kind]!r}")
            else:
                raise BadRequestData(f"{where} has {key!r}, which cannot be given there")
        if iri == _PROOF and not isinstance(fields.get("value", {}), dict):
            raise BadRequestData(f"{where}.value must be an object with the proof")
        if len(parts) > ATTRIBUTES_MAX:
            raise BadRequestData(f"{where} has over {ATTRIBUTES_MAX} attributes")
        if len(parts) > 1 and len({part for part, _, _ in parts}) < len(parts):
            raise BadRequestData(f"{where} has an attribute twice, by two names of the same IRI")
        return parts

    def _add(
        self,
        key: str,
        value: Any,
        kind: AttributeKind | None,
        fields: dict[str, Any],
        where: str,
    ) -> None:
        """Add one member that says something of the value."""
        at = f"{where}.{key}"
        deletes = value == NULL and self._nulls is not Nulls.REFUSED
        if key == "observedAt":
            fields["observed_ns"] = NULL if deletes else read_moment(value, at)
        elif key == "expiresAt":
            fields["expires_ns"] = NULL if deletes else read_moment(value, at, bounded=True)
        elif key == "datasetId":
            fields["dataset"] = read_dataset(value, where)
        elif key == "instanceId":
            if self._temporal:
                fields["instance"] = read_uri(value, at)
        elif key == "unitCode":
            if kind is not None and kind not in _WITH_UNIT:
                raise BadRequestData(f"{at} cannot be given: a {kind} has no unit")
            fields["unit_code"] = NULL if deletes else read_text(value, at)
        elif key == "objectType":
            if kind is not None and kind not in RELATIONSHIPS:
                raise BadRequestData(f"{at} cannot be given: a {kind} leads nowhere")
            fields["object_type"] = NULL if deletes else read_types(value, self._names, at)
        else:
            text = NULL if deletes else read_text(value, at)
            if kind is AttributeKind.LANGUAGE and text not in {"langString", NULL}:
                raise BadRequestData(f"{at} is {text!r}; of a {kind} it is 'langString'")
            fields["value_type"] = text if deletes else self._names.expand(text)

    def _add_sealed(self, key: str, value: Any, fields: dict[str, Any], where: str) -> None:
        if key == "entityIdSealed":
            fields["sealed_id"] = read_uri(value, f"{where}.{key}")
        else:
            fields["sealed_type"] = read_types(value, self._names, f"{where}.{key}")

    def _bare(self, iri: str, value: Any) -> tuple[AttributeKind, Any]:
        """Return kind and value of what is given without members (clauses 4.5.2.3 and 4.5.4)."""
        if is_geometry_like(value):
            return AttributeKind.GEO, value
        known = self._kinds.get(iri)
        if known is AttributeKind.LANGUAGE and self._lang and isinstance(value, str):
            return known, value if value == NULL else {self._lang: value}
        if (
            known is not None
            and known is not AttributeKind.LANGUAGE
            and known is not AttributeKind.GEO
        ):
            return known, value
        return AttributeKind.PROPERTY, value

    def _value(self, kind: AttributeKind, value: Any, where: str) -> Any:
        return read_value(kind, value, self._names, where, self._nulls)

    def _check_place(
        self, iri: str, kind: AttributeKind | None, where: str, value: Any = None
    ) -> None:
        """Refuse another kind than GeoProperty where the standard says it is one (4.7.1)."""
        if iri in _GEO_ONLY and kind is not AttributeKind.GEO and value != NULL:
            raise BadRequestData(f"{where} is always a GeoProperty (ETSI GS CIM 009, clause 4.7.1)")

    @staticmethod
    def _check_depth(depth: int, where: str) -> None:
        if depth >= PARTS_DEPTH_MAX:
            raise BadRequestData(f"{where} has attributes over {PARTS_DEPTH_MAX} deep")


def _is_reified(given: dict[str, Any]) -> bool:
    """Return whether an object is an attribute with members, not a bare value."""
    kind = given.get("type")
    if isinstance(kind, str) and kind in _KINDS:
        return True
    if is_geometry_like(given) or "@value" in given:
        return False
    return (
        "type" in given
        or not given.keys().isdisjoint(_HOLDERS)
        or ("@type" in given and given["@type"] in _KINDS)
    )


def _kind_of(given: dict[str, Any], where: str) -> tuple[AttributeKind | None, str]:
    """Return an attribute's kind, None where nothing says it, and its member; '' without one."""
    said = given.get("type", given.get("@type"))
    known = _KINDS.get(said) if isinstance(said, str) else None
    if known is not None:
        member = MEMBER[known]
        return known, member if member in given else ""
    held = [member for member in _HOLDERS if member in given]
    if said is None:
        if len(held) > 1:
            raise BadRequestData(f"{where} has both {held[0]!r} and {held[1]!r}")
        if not held:
            return None, ""
        kind = _HOLDERS[held[0]][0]
        if kind is AttributeKind.PROPERTY and is_geometry_like(given[held[0]]):
            kind = AttributeKind.GEO
        return kind, held[0]
    raise BadRequestData(
        f"{where} has the type {shown(said)}; an attribute is a {', a '.join(AttributeKind)}; "
        "an object with a type of its own goes into 'value'"
    )


def _split(given: Any) -> Iterator[tuple[Any, str]]:
    """Yield the instances of an attribute; bare ones with their dataset (clause 4.5.5)."""
    if isinstance(given, list):
        instances = [one for one in given if isinstance(one, dict) and _is_reified(one)]
        if instances:
            if len(instances) < len(given):
                raise BadRequestData("an array of instances has something else in it")
            yield from ((one, "") for one in given)
            return
    elif isinstance(given, dict) and given.keys() == {"dataset"}:
        several = given["dataset"]
        if isinstance(several, dict):
            for dataset, one in several.items():
                yield one, read_dataset(dataset, "dataset")
            return
    yield given, ""


def _check_datasets(datasets: list[str], where: str) -> None:
    if len(datasets) > INSTANCES_MAX:
        raise BadRequestData(f"{where} has over {INSTANCES_MAX} instances")
    seen: set[str] = set()
    for dataset in datasets:
        if dataset in seen:
            which = f"the datasetId {dataset!r}" if dataset else "no datasetId"
            raise BadRequestData(f"{where} has two instances with {which}")
        seen.add(dataset)
