"""Personal: notes who was told an attribute that says something of a person, before he is.

Which attributes these are, the policy says. A note names attributes and entities, not their values;
what was asked stands in it as it was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from starlette.requests import HTTPConnection

from citytwin_hub.apis.door import Keeper, what
from citytwin_hub.entities.model import Entity
from citytwin_hub.jsonld.names import Names as Context
from citytwin_hub.policy.permit import Permit

READ: Final = "read personal"
IDS_MAX: Final = 50
"""Entities that one record names; of more it says how many there are."""


class Told:
    """The names of an @context; remembers which of those that it was asked for are personal."""

    def __init__(self, names: Context, permit: Permit) -> None:
        """Take what names mean, and who is told."""
        self._names, self._permit, self._personal = names, permit, permit.rights.personal
        self.iris: set[str] = set()

    def expand(self, name: str) -> str:
        """Return the IRI of a name."""
        return self._names.expand(name)

    def compact(self, iri: str) -> str:
        """Return the name of an IRI, which is written."""
        if iri in self._personal:
            self.iris.add(iri)
        return self._names.compact(iri)

    def asked(self, iris: Iterable[str]) -> None:
        """Remember what a query asks about: its answer tells of that, too."""
        self.iris.update(iri for iri in iris if iri in self._personal)

    def note(self, door: Keeper, connection: HTTPConnection, content: Any) -> None:
        """Write down that a document is about to be told, if it says something personal."""
        note(door, self._permit, what(connection), self.iris, ids_in(content))


def note(door: Keeper, permit: Permit, asked: str, iris: Iterable[str], ids: Iterable[str]) -> None:
    """Write down that somebody is told personal attributes; nothing where there are none.

    Args:
        door: where.
        permit: who.
        asked: by what: a path, or a subscription.
        iris: attributes.
        ids: of entities or points that are told.

    Raises:
        StoreError: it cannot be written, so nothing must be told.
    """
    names = sorted(iris)
    if not names:
        return
    every = list(ids)
    more = f" and {len(every) - IDS_MAX} more" if len(every) > IDS_MAX else ""
    told = f"{' '.join(names)} of {' '.join(every[:IDS_MAX]) or 'nothing'}{more}; {asked}"
    door.note(permit, READ, told)


def personal_of(permit: Permit, entity: Entity) -> list[str]:
    """Return the personal attributes that an entity has."""
    personal = permit.rights.personal
    return [iri for iri in entity.attributes if iri in personal] if personal else []


def ids_in(content: Any) -> Iterator[str]:
    """Yield the identifiers of the entities in a document."""
    if isinstance(content, list):
        for one in content:
            yield from ids_in(one)
    elif isinstance(content, dict):
        if isinstance(content.get("features"), list):
            yield from ids_in(content["features"])
        elif isinstance(content.get("id"), str):
            yield content["id"]
