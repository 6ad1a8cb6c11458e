"""Fields: simple members of documents: texts, flags, whole numbers, pairs and lists of names.

Every function raises BadRequestData with a sentence that names the member.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from citytwin_hub.entities.errors import BadRequestData

PAIRS_MAX: Final = 50
"""Header fields for a receiver."""
PAIR_CHARS_MAX: Final = 8192
MEMBERS_MAX: Final = 1000


def pairs(given: Mapping[str, Any], what: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs of a member, each a key and a value (5.2.22)."""
    value = given.get(what, [])
    if not isinstance(value, list) or len(value) > PAIRS_MAX:
        raise BadRequestData(f"{what} is not an array of up to {PAIRS_MAX} pairs")
    found = list[tuple[str, str]]()
    for one in value:
        pair = object_in(one, f"a pair of {what}")
        key, content = pair.get("key"), pair.get("value")
        if not isinstance(key, str) or not isinstance(content, str) or not key:
            raise BadRequestData(f"a pair of {what} needs a key and a value, both texts")
        if len(key) + len(content) > PAIR_CHARS_MAX:
            raise BadRequestData(f"{what} {key[:80]!r} is longer than {PAIR_CHARS_MAX} characters")
        found.append((key, content))
    return tuple(found)


def one_of(given: Mapping[str, Any], what: str, allowed: Any) -> str | None:
    """Return a member that is one of some texts; None where it is not given."""
    value = given.get(what)
    if value is None:
        return None
    if not isinstance(value, str) or value not in allowed:
        raise BadRequestData(f"{what} is {str(value)[:80]!r}; it is one of {', '.join(allowed)}")
    return value


def whole(given: Mapping[str, Any], what: str, low: int, high: int) -> int | None:
    """Return a member that is a whole number; None where it is not given."""
    value = given.get(what)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadRequestData(f"{what} is {str(value)[:40]}; it is {low} to {high}")
    return value


def flag(given: Mapping[str, Any], what: str) -> bool | None:
    """Return a member that is true or false; None where it is not given."""
    value = given.get(what)
    if value is not None and not isinstance(value, bool):
        raise BadRequestData(f"{what} is neither true nor false")
    return value


def texts(given: Mapping[str, Any], what: str) -> list[str] | None:
    """Return a member that is an array of names; None where it is not given."""
    value = given.get(what)
    if value is None:
        return None
    named = isinstance(value, list) and all(isinstance(one, str) and one for one in value)
    if not named or not 0 < len(value) <= MEMBERS_MAX:
        raise BadRequestData(f"{what} is not an array of 1 to {MEMBERS_MAX} names")
    return list(value)


def object_in(value: Any, what: str) -> Mapping[str, Any]:
    """Return a value that must be an object."""
    if not isinstance(value, dict):
        raise BadRequestData(f"{what} is not there, or not a JSON object")
    return value
