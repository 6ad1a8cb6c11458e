"""Changes: what an entity becomes when something is appended, updated, merged or deleted.

Pure functions over the model; nothing here reads a clock or a store. Each returns the entity as it
becomes and what happened to each attribute that was named (ETSI GS CIM 009, clauses 5.5.8, 5.5.12
and 5.6).

>>> from citytwin_hub.entities.model import AttributeKind
>>> speed = Attribute(kind=AttributeKind.PROPERTY, value=50)
>>> car = Entity(id="urn:ngsi-ld:Car:1", types=("https://example.org/Car",))
>>> fragment = Fragment(attributes={"https://example.org/speed": (speed,)})
>>> append(car, fragment, now_ns=7).entity.attribute("https://example.org/speed").created_ns
7
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from citytwin_hub.entities.errors import BadRequestData, ResourceNotFound
from citytwin_hub.entities.fragment import Fragment, Patch
from citytwin_hub.entities.model import NULL, RELATIONSHIPS, Attribute, AttributeKind, Entity

Instances = tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation made of an entity.

    Attributes:
        entity: as it is now.
        updated: IRIs of attributes that were changed (also ``type`` and ``scope``).
        not_updated: IRIs of those that were not, with the reason as a sentence.
    """

    entity: Entity
    updated: tuple[str, ...] = ()
    not_updated: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Draft:
    """An entity while it is changed."""

    entity: Entity
    now_ns: int
    attributes: dict[str, Instances] = field(default_factory=dict)
    updated: list[str] = field(default_factory=list)
    not_updated: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.attributes = dict(self.entity.attributes)

    def put(self, name: str, instance: Attribute) -> None:
        """Set the instance of its dataset; a new one goes behind the others."""
        before = self.attributes.get(name, ())
        at = next((n for n, one in enumerate(before) if one.dataset == instance.dataset), None)
        if at is None:
            self.attributes[name] = (*before, instance)
        else:
            self.attributes[name] = (*before[:at], instance, *before[at + 1 :])
        self._done(name)

    def drop(self, name: str, dataset: str) -> bool:
        """Delete the instance of a dataset; return whether there was one."""
        before = self.attributes.get(name, ())
        after = tuple(one for one in before if one.dataset != dataset)
        if len(after) == len(before):
            return False
        if after:
            self.attributes[name] = after
        else:
            del self.attributes[name]
        self._done(name)
        return True

    def refuse(self, name: str, reason: str) -> None:
        """Say that an attribute was not changed."""
        if all(name != other for other, _ in self.not_updated):
            self.not_updated.append((name, reason))

    def head(self, fragment: Fragment, *, scopes: tuple[str, ...] | None) -> None:
        """Take types (added to those there are), scopes and the moment of expiry."""
        types = tuple(dict.fromkeys((*self.entity.types, *fragment.types)))
        if types != self.entity.types:
            self.entity = replace(self.entity, types=types)
            self.updated.append("type")
        if scopes is not None:
            self.entity = replace(self.entity, scopes=scopes)
            self.updated.append("scope")
        if fragment.expires_ns is not UNSET:
            self.entity = replace(self.entity, expires_ns=fragment.expires_ns)
            self.updated.append("expiresAt")

    def outcome(self) -> Outcome:
        """Return what has become of it."""
        entity = self.entity
        if self.updated:
            entity = replace(entity, attributes=self.attributes, modified_ns=self.now_ns)
        return Outcome(entity, tuple(self.updated), tuple(self.not_updated))

    def _done(self, name: str) -> None:
        if name not in self.updated:
            self.updated.append(name)


def created(entity: Entity, now_ns: int) -> Entity:
    """Return a new entity with everything in it stamped as created now."""
    attributes = {
        name: tuple(_stamped(one, None, now_ns) for one in instances)
        for name, instances in entity.attributes.items()
    }
    return replace(entity, created_ns=now_ns, modified_ns=now_ns, attributes=attributes)


def append(entity: Entity, fragment: Fragment, now_ns: int, *, overwrite: bool = True) -> Outcome:
    """Append attributes; those that are there are overwritten, or left if so wanted (5.6.3)."""
    draft = _Draft(entity, now_ns)
    scopes = fragment.scopes
    if scopes is not None and not overwrite:
        scopes = tuple(dict.fromkeys((*entity.scopes, *scopes)))
    draft.head(fragment, scopes=scopes)
    for name, instances in fragment.attributes.items():
        for instance in instances:
            before = entity.attribute(name, instance.dataset)
            if before is not None and not overwrite:
                draft.refuse(name, "it exists, and nothing was to be overwritten")
            elif instance.value == NULL:
                _drop(draft, name, instance.dataset)
            else:
                draft.put(name, _stamped(instance, before, now_ns))
    return draft.outcome()


def update(entity: Entity, fragment: Fragment, now_ns: int) -> Outcome:
    """Replace attributes that are there, append others; NGSI-LD Null deletes (5.6.2).

    A scope is replaced, never added: an entity without one stays without.
    """
    if not fragment.scopes or entity.scopes:
        return append(entity, fragment, now_ns)
    outcome = append(entity, replace(fragment, scopes=None), now_ns)
    refused = ("scope", "the entity has no scope that could be updated")
    return dataclasses.replace(outcome, not_updated=(*outcome.not_updated, refused))


def merge(
    entity: Entity, fragment: Fragment, now_ns: int, *, observed_ns: int | None = None
) -> Outcome:
    """Merge into an entity what is given and leave the rest; NGSI-LD Null deletes (5.6.17).

    Args:
        entity: as it is.
        fragment: what is given, as patches.
        now_ns: the moment.
        observed_ns: ``observedAt`` of each changed attribute that has had one and is given none.
    """
    draft = _Draft(entity, now_ns)
    draft.head(fragment, scopes=fragment.scopes)
    for name, patches in fragment.patches.items():
        for patch in patches:
            before = entity.attribute(name, patch.dataset)
            if patch.value == NULL:
                _drop(draft, name, patch.dataset)
                continue
            after = merged(before, patch, now_ns, name)
            if (
                observed_ns is not None
                and patch.observed_ns is UNSET
                and (before is None or before.observed_ns is not None)
            ):
                after = replace(after, observed_ns=observed_ns)
            draft.put(name, after)
    return draft.outcome()


def patch_attribute(entity: Entity, name: str, patch: Patch, now_ns: int) -> Outcome:
    """Change parts of one instance of an attribute (5.6.4).

    Raises:
        ResourceNotFound: there is no such instance.
        BadRequestData: the attribute is of another kind.
    """
    before = entity.attribute(name, patch.dataset)
    if before is None:
        raise ResourceNotFound(_no_instance(entity, name, patch.dataset))
    draft = _Draft(entity, now_ns)
    if patch.value == NULL:
        draft.drop(name, patch.dataset)
        return draft.outcome()
    if patch.kind is not None and patch.kind is not before.kind:
        raise BadRequestData(f"{name} is a {before.kind}; a partial update cannot change that")
    draft.put(name, patched(before, patch, now_ns))
    return draft.outcome()


def replace_attribute(
    entity: Entity, name: str, instances: Sequence[Attribute], now_ns: int
) -> Outcome:
    """Replace an attribute, or the instances of it that are given a dataset (5.6.19).

    Raises:
        ResourceNotFound: the attribute, or an instance with that dataset, is not there.
    """
    if name not in entity.attributes:
        raise ResourceNotFound(f"{entity.id} has no attribute {name}")
    draft = _Draft(entity, now_ns)
    for instance in instances:
        before = entity.attribute(name, instance.dataset)
        if before is None:
            raise ResourceNotFound(_no_instance(entity, name, instance.dataset))
        draft.put(name, _stamped(instance, before, now_ns))
    return draft.outcome()


def delete_attribute(
    entity: Entity, name: str, now_ns: int, *, dataset: str = "", every: bool = False
) -> Outcome:
    """Delete one instance of an attribute, or all of them; or, named ``scope``, the scopes (5.6.5).

    Raises:
        ResourceNotFound: it is not there.
    """
    draft = _Draft(entity, now_ns)
    if name == "scope" and entity.scopes:
        draft.head(Fragment(), scopes=())
    for instance in entity.attributes.get(name, ()):
        if every or instance.dataset == dataset:
            draft.drop(name, instance.dataset)
    if not draft.updated:
        raise ResourceNotFound(_no_instance(entity, name, dataset))
    return draft.outcome()


def keep_only(entity: Entity, names: Iterable[str], now_ns: int, *, drop: bool) -> Outcome:
    """Delete the named attributes, or all others (purge, 5.6.21)."""
    chosen = set(names)
    draft = _Draft(entity, now_ns)
    for name, instances in entity.attributes.items():
        if (name in chosen) == drop:
            for instance in instances:
                draft.drop(name, instance.dataset)
    return draft.outcome()


def replaced(entity: Entity, after: Entity, now_ns: int) -> Entity:
    """Return an entity in another's place; it keeps the moment of creation (5.6.18)."""
    attributes = {
        name: tuple(_stamped(one, entity.attribute(name, one.dataset), now_ns) for one in instances)
        for name, instances in after.attributes.items()
    }
    return replace(after, created_ns=entity.created_ns, modified_ns=now_ns, attributes=attributes)


def living(entity: Entity, now_ns: int) -> Entity | None:
    """Return an entity without what has expired; None if it has expired itself (4.24)."""
    if entity.expires_ns is not None and entity.expires_ns <= now_ns:
        return None
    if not any(one.expires_ns is not None for many in entity.attributes.values() for one in many):
        return entity
    kept = {}
    for name, instances in entity.attributes.items():
        left = tuple(one for one in instances if one.expires_ns is None or one.expires_ns > now_ns)
        if left:
            kept[name] = left
    return replace(entity, attributes=kept)


def _drop(draft: _Draft, name: str, dataset: str) -> None:
    if not draft.drop(name, dataset):
        draft.refuse(name, "there is nothing to delete")


def _stamped(given: Attribute, before: Attribute | None, now_ns: int) -> Attribute:
    parts = {
        name: tuple(_stamped(one, _part(before, name, one.dataset), now_ns) for one in instances)
        for name, instances in given.parts.items()
    }
    created_ns = now_ns if before is None else before.created_ns
    return replace(given, created_ns=created_ns, modified_ns=now_ns, parts=parts)


def _part(attribute: Attribute | None, name: str, dataset: str) -> Attribute | None:
    if attribute is None:
        return None
    return next((one for one in attribute.parts.get(name, ()) if one.dataset == dataset), None)


def merged(before: Attribute | None, patch: Patch, now_ns: int, name: str) -> Attribute:
    """Return an attribute with a patch merged into it, or a new one made of the patch.

    Raises:
        BadRequestData: a new attribute is given without a value.
    """
    if before is None or (patch.kind is not None and patch.kind is not before.kind):
        if patch.value is UNSET:
            raise BadRequestData(f"{name} is new, so it needs a value")
        start = Attribute(
            kind=patch.kind or AttributeKind.PROPERTY,
            dataset=patch.dataset,
            created_ns=now_ns if before is None else before.created_ns,
        )
        return patched(start, patch, now_ns)
    value = patch.value
    if value is not UNSET and before.kind not in {*RELATIONSHIPS, AttributeKind.GEO}:
        value = _merged_value(before.value, value)
    return patched(before, replace(patch, value=value), now_ns)


def _merged_value(before: Any, given: Any) -> Any:
    """Return objects merged member by member, as RFC 7396 does with null (5.5.12)."""
    if not isinstance(given, dict):
        return given
    kept = dict(before) if isinstance(before, dict) else {}
    for name, value in given.items():
        if value == NULL:
            kept.pop(name, None)
        else:
            kept[name] = _merged_value(kept.get(name), value)
    return kept


def patched(before: Attribute, patch: Patch, now_ns: int) -> Attribute:
    """Return an attribute with what a patch gives of it in the place of what it was."""
    changed: dict[str, Any] = {"modified_ns": now_ns}
    if patch.value is not UNSET:
        changed["value"] = patch.value
    if patch.unit_code is not UNSET:
        changed["unit_code"] = patch.unit_code or ""
    if patch.value_type is not UNSET:
        changed["value_type"] = patch.value_type or ""
    if patch.observed_ns is not UNSET:
        changed["observed_ns"] = patch.observed_ns
    if patch.expires_ns is not UNSET:
        changed["expires_ns"] = patch.expires_ns
    if patch.object_type is not UNSET:
        changed["object_type"] = patch.object_type or ()
    if patch.parts:
        changed["parts"] = _patched_parts(before.parts, patch.parts, now_ns)
    return replace(before, **changed)


def _patched_parts(
    before: Mapping[str, Instances], patches: Mapping[str, tuple[Patch, ...]], now_ns: int
) -> dict[str, Instances]:
    parts = dict(before)
    for name, given in patches.items():
        for patch in given:
            old = parts.get(name, ())
            match = next((one for one in old if one.dataset == patch.dataset), None)
            rest = tuple(one for one in old if one is not match)
            if patch.value == NULL:
                kept = rest
            else:
                kept = (*rest, merged(match, patch, now_ns, name))
            if kept:
                parts[name] = kept
            else:
                parts.pop(name, None)
    return parts


def _no_instance(entity: Entity, name: str, dataset: str) -> str:
    which = f" with datasetId {dataset}" if dataset else ""
    return f"{entity.id} has no attribute {name}{which}"
