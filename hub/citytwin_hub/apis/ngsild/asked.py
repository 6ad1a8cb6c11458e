"""Asked: the values of a request, by the names of their parameters, and readers for each sort.

The parameters of a query string and the members of a ``Query`` document (ETSI GS CIM 009, clause
5.2.23) come to the same terms here; each reader refuses what is not of its sort.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.jsonld.context import is_absolute
from citytwin_hub.jsonld.names import Names

LIST_MAX: Final = 1_000
"""Identifiers, names or datasets in one list."""

LISTS: Final = frozenset(
    {
        "id", "attrs", "datasetId", "containedBy", "expandValues", "jsonKeys", "orderBy",
        "options", "keep", "drop",
    }
)  # fmt: skip
"""Parameters whose value is a list, with commas."""

# What no name of an attribute may have (clause 4.6.2), and what stands between names.
_FORBIDDEN: Final = frozenset("<>\"'=;(){}[]|,!~ \t\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The values of one request (immutable).

    Attributes:
        values: by the name of their parameter; lists as lists.
        names: what names in them mean.
        media: the media type of the answer.
        is_document: whether they were in a JSON document, where texts may be percent-encoded.
    """

    values: Mapping[str, Any]
    names: Names
    media: str
    is_document: bool = False

    def __contains__(self, name: str) -> bool:
        """Tell whether a value is given."""
        return name in self.values

    def text(self, name: str) -> str | None:
        """Return a text; None where it is not given.

        Raises:
            BadRequestData: it is not a text.
        """
        value = self.values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise BadRequestData(f"{name} is not a text")

    def listed(self, name: str) -> list[str] | None:
        """Return a list of texts; None where it is not given.

        Raises:
            BadRequestData: it is not a list, or has none or too many.
        """
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise BadRequestData(f"{name} is not a list of texts")
        if not all(value) or not value:
            raise BadRequestData(f"{name} has an empty name in it, or none at all")
        if len(value) > LIST_MAX:
            raise BadRequestData(f"{name} has more than {LIST_MAX} values: ask in parts")
        return value

    def flag(self, name: str) -> bool:
        """Return a truth value; False where it is not given.

        Raises:
            BadRequestData: it is neither true nor false.
        """
        value = self.values.get(name, False)
        if value in (True, "true"):
            return True
        if value in (False, "false"):
            return False
        raise BadRequestData(f"{name} is {value!r}: it can be true or false")

    def number(self, name: str, default: int) -> int:
        """Return a whole number of 0 or more.

        Raises:
            BadRequestData: it is something else.
        """
        value = self.values.get(name, default)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            return int(value)
        if type(value) is not int or value < 0:
            raise BadRequestData(f"{name} is {value!r}: it can be a whole number, 0 or more")
        return value

    def uris(self, name: str, *besides: str) -> frozenset[str] | None:
        """Return a set of URIs; None where it is not given; ``besides``: words that may be too.

        Raises:
            BadRequestData: one is not a URI.
        """
        given = self.listed(name)
        for uri in given or ():
            if uri not in besides and not is_absolute(uri):
                raise BadRequestData(f"{name}: {uri!r} is not a URI")
        return None if given is None else frozenset(given)

    def attributes(self, name: str) -> frozenset[str] | None:
        """Return the IRIs of a list of attributes; None where it is not given.

        Raises:
            BadRequestData: a name is none of an attribute.
        """
        given = self.listed(name)
        if given is None:
            return None
        for each in given:
            if each in ("id", "type", "@context") or not _FORBIDDEN.isdisjoint(each):
                raise BadRequestData(f"{name}: {each!r} is not the name of an attribute")
        return frozenset(map(self.names.expand, given))
