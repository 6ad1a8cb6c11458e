"""Projections: which members of an entity, and of the entities that it links to, an answer has.

ETSI GS CIM 009, clause 4.21 (``pick`` and ``omit``). Members are separated by ``,`` or ``|``;
``locatedAt{name,isInCountry{name}}`` goes on to what a relationship links to.

>>> class Plain:
...     def expand(self, name):
...         return f"https://example.org/{name}"
...
...     def compact(self, iri):
...         return iri
>>> parse("id,locatedAt{id,name}", Plain(), "pick").depth
1
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.jsonld.names import Names

CORE: Final = frozenset(
    {"id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt"}
)
"""Members of every entity, which are no attributes."""

DEPTH_MAX: Final = 10
"""As many links as ``joinLevel`` may follow."""

SIZE_CHARS_MAX: Final = 8_192
"""A projection names members; longer ones are a mistake."""

_NAME: Final = re.compile(r"[^\s,|{}\[\]();=<>!~\"]+")


@dataclass(frozen=True, slots=True)
class Projection:
    """Members by name (``CORE``) or IRI, each with a projection of what it links to, or None."""

    members: Mapping[str, Projection | None]

    @property
    def depth(self) -> int:
        """How many links it follows."""
        return max((1 + inner.depth for inner in self.members.values() if inner), default=0)


def parse(given: str | Sequence[str], names: Names, what: str) -> Projection:
    """Return what ``pick`` or ``omit`` means.

    Args:
        given: the parameter, or in a body a list of such.
        names: what the names of attributes mean.
        what: how the parameter is called, for errors.

    Raises:
        BadRequestData: it is not a projection; the text says where.
    """
    text = given if isinstance(given, str) else ",".join(given)
    if len(text) > SIZE_CHARS_MAX:
        raise BadRequestData(f"{what} is longer than {SIZE_CHARS_MAX} characters: name fewer")
    parser = _Parser(text, names, what)
    projection = parser.members(depth=0)
    if parser.at < len(text):
        raise parser.error("a member, ',' or '|'")
    return projection


def refuse_both(pick: Projection, omit: Projection) -> None:
    """Refuse a member that is picked and omitted (clause 4.21).

    Raises:
        BadRequestData: there is one.
    """
    for member, omitted in omit.members.items():
        if member not in pick.members:
            continue
        picked = pick.members[member]
        if omitted is None:
            raise BadRequestData(f"{member} is both in pick and in omit: it can only be in one")
        if picked is not None:
            refuse_both(picked, omitted)


class _Parser:
    def __init__(self, text: str, names: Names, what: str) -> None:
        self._text, self._names, self._what = text, names, what
        self.at = 0

    def error(self, wanted: str) -> BadRequestData:
        found = repr(self._text[self.at]) if self.at < len(self._text) else "its end"
        return BadRequestData(
            f"{self._what}: {found} at character {self.at + 1} where {wanted} was expected"
        )

    def members(self, depth: int) -> Projection:
        if depth > DEPTH_MAX:
            raise BadRequestData(f"{self._what} follows more than {DEPTH_MAX} links: follow fewer")
        members: dict[str, Projection | None] = {}
        while True:
            match = _NAME.match(self._text, self.at)
            if match is None:
                raise self.error("the name of a member")
            self.at = match.end()
            name = match[0] if match[0] in CORE else self._names.expand(match[0])
            members[name] = self._linked(depth)
            if self._text[self.at : self.at + 1] not in (",", "|"):
                return Projection(members)
            self.at += 1

    def _linked(self, depth: int) -> Projection | None:
        if self._text[self.at : self.at + 1] != "{":
            return None
        self.at += 1
        inner = self.members(depth + 1)
        if self._text[self.at : self.at + 1] != "}":
            raise self.error("',', '|' or '}'")
        self.at += 1
        return inner
