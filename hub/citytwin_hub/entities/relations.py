"""Relations: what ties city objects together, and what each tie means for what flows.

Every Relationship of an entity is a relation. Seven kinds have a meaning here; they are known by
the last part of the attribute's IRI, so they mean the same in every vocabulary: a client needs no
@context of ours, and ``startsAt`` and ``endsAt`` of Smart Data Models' pipes are ``connects``.

>>> reading("https://uri.etsi.org/ngsi-ld/default-context/isFedBy")
('feeds', True)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from citytwin.point import Label
from citytwin_hub.entities.links import targets
from citytwin_hub.entities.model import Attribute, Entity
from citytwin_hub.entities.store import Change

VOCABULARY: Final = "https://uri.etsi.org/ngsi-ld/default-context/"
"""Where a name lies that no @context defines (ETSI GS CIM 009, clause 5.5.7)."""
TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
"""The name under which an entity is tied to each of its types."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of relation (immutable).

    Attributes:
        name: how it is called; its IRI is that of a name without an @context.
        inverse: the name of the same tie seen from its other end.
        label: for people.
        directed: whether the two ends differ.
        flows: whether water, heat or power goes along it, from source to target.
        also: other names of it; ``also_inverse``: of its inverse.
    """

    name: str
    inverse: str
    label: Label
    directed: bool = True
    flows: bool = False
    also: tuple[str, ...] = ()
    also_inverse: tuple[str, ...] = field(default=())

    @property
    def iri(self) -> str:
        """The IRI by which the hub writes it."""
        return VOCABULARY + self.name


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        one.name: one
        for one in (
            Kind(
                "connects",
                "connects",
                Label(kk="жалғайды", ru="соединяет", en="connects"),
                directed=False,
                flows=True,
                also=("connectsTo", "isConnectedTo", "startsAt", "endsAt"),
            ),
            Kind(
                "feeds",
                "isFedBy",
                Label(kk="қоректендіреді", ru="питает", en="feeds"),
                flows=True,
            ),
            Kind("contains", "isContainedIn", Label(kk="қамтиды", ru="содержит", en="contains")),
            Kind(
                "controls",
                "isControlledBy",
                Label(kk="басқарады", ru="управляет", en="controls"),
            ),
            Kind(
                "drainsTo",
                "receivesFrom",
                Label(kk="ағып құяды", ru="стекает в", en="drains to"),
                flows=True,
            ),
            Kind(
                "supplies",
                "isSuppliedBy",
                Label(kk="жабдықтайды", ru="снабжает", en="supplies"),
                flows=True,
            ),
            Kind(
                "isBackupOf",
                "hasBackup",
                Label(kk="резерві болып табылады", ru="является резервом для", en="is backup of"),
                also=("backupOf",),
            ),
        )
    }
)
_READINGS: Final = {
    **{
        name: (one.name, True)
        for one in KINDS.values()
        for name in (one.inverse, *one.also_inverse)
    },
    **{name: (one.name, False) for one in KINDS.values() for name in (one.name, *one.also)},
}


def local_name(iri: str) -> str:
    """Return the last part of an IRI."""
    return re.split(r"[/#:]", iri)[-1]


def reading(iri: str) -> tuple[str, bool] | None:
    """Return the kind of an attribute and whether it is its inverse; None if it has no meaning."""
    return _READINGS.get(local_name(iri))


class Step(NamedTuple):
    """A relation that begins or ends: who is tied by which attribute to whom, and since when."""

    source: str
    name: str
    target: str
    moment_ns: int
    begins: bool


def steps(change: Change, now_ns: int) -> Iterator[Step]:
    """Yield what a change of an entity begins and ends; what ends comes first.

    A relation begins at its ``observedAt`` where that is given and not ahead, else now; what it
    replaces (the same attribute and dataset) ends then. An entity's types are relations, too.
    """
    before, after = change.before, change.after
    if before is not None and after is not None and before.attributes == after.attributes:
        names: set[str] = set()
    else:
        names = {*(before.attributes if before else ()), *(after.attributes if after else ())}
    began: list[Step] = []
    for name in names:
        old, new = _instances(before, name), _instances(after, name)
        if old is new or not (old or new):
            continue
        kept = {target for one in new for target in targets(one)}
        had = {target for one in old for target in targets(one)}
        moments = {one.dataset: _moment(one, now_ns) for one in new if targets(one)}
        for one in old:
            ends_ns = moments.get(one.dataset, now_ns)
            for target in targets(one):
                if target not in kept:
                    yield Step(change.id, name, target, ends_ns, begins=False)
        began += (
            Step(change.id, name, target, moments[one.dataset], begins=True)
            for one in new
            for target in dict.fromkeys(targets(one))
            if target not in had
        )
    old_types, new_types = before.types if before else (), after.types if after else ()
    for kind in old_types:
        if kind not in new_types:
            yield Step(change.id, TYPE, kind, now_ns, begins=False)
    for kind in new_types:
        if kind not in old_types:
            yield Step(change.id, TYPE, kind, now_ns, begins=True)
    yield from began


def _instances(entity: Entity | None, name: str) -> tuple[Attribute, ...]:
    return entity.attributes.get(name, ()) if entity else ()


def _moment(attribute: Attribute, now_ns: int) -> int:
    observed_ns = attribute.observed_ns
    return now_ns if observed_ns is None else min(observed_ns, now_ns)
