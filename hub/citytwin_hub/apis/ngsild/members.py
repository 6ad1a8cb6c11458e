"""Members: names, types, scopes, moments and datasets, as documents write them.

ETSI GS CIM 009, clauses 4.5.5 (datasets), 4.6.2 (names), 4.6.3 (moments) and 4.18 (scopes). Every
function raises BadRequestData with a sentence that names the member.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final

from citytwin_hub.apis.ngsild.values import read_uri, shown
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.model import NULL
from citytwin_hub.entities.moments import parse_ns
from citytwin_hub.entities.uris import is_uri
from citytwin_hub.jsonld.names import Names

TYPES_MAX: Final = 100
SCOPES_MAX: Final = 100
NAME_CHARACTERS_MAX: Final = 2048
MOMENT_NS_MAX: Final = 2**63 - 1
TEXT_CHARACTERS_MAX: Final = 200
"""Of a unitCode or a valueType."""

# ``\w`` is letters, numbers and '_'; a number that is no digit, such as '²', is no letter either.
_NAME: Final = re.compile(r"[^\W\d_]\w*(?::[^\W\d_]\w*)?")
_SCOPE: Final = re.compile(r"/?[^\W\d_]\w*(?:/[^\W\d_]\w*)*")


@functools.lru_cache(maxsize=16_384)
def is_name(name: str) -> bool:
    """Return whether a term, a term with a prefix or an IRI may name a type or an attribute."""
    if len(name) > NAME_CHARACTERS_MAX:
        return False
    if _NAME.fullmatch(name) is not None:
        return all(part[0].isalpha() for part in name.split(":"))
    return ":" in name and is_uri(name)


def read_name(name: Any, names: Names, where: str) -> str:
    """Return the IRI of a type or an attribute."""
    if not isinstance(name, str) or not is_name(name):
        raise BadRequestData(
            f"{where} is named {shown(name)}; a name has letters, digits and '_', and begins with "
            "a letter (ETSI GS CIM 009, clause 4.6.2)"
        )
    iri = names.expand(name)
    if iri.startswith("@"):
        raise BadRequestData(f"{where} is named {name!r}, which is a keyword of JSON-LD")
    return iri


def read_types(value: Any, names: Names, where: str) -> tuple[str, ...]:
    """Return the IRIs of one or several types, each once."""
    several = value if isinstance(value, list) else [value]
    if not several or len(several) > TYPES_MAX:
        raise BadRequestData(f"{where} must be a name or an array of up to {TYPES_MAX} names")
    return tuple(dict.fromkeys(read_name(one, names, where) for one in several))


def _is_scope(value: Any) -> bool:
    if not isinstance(value, str) or not _SCOPE.fullmatch(value):
        return False
    return all(level[0].isalpha() for level in value.removeprefix("/").split("/"))


def read_scopes(value: Any) -> tuple[str, ...]:
    """Return one or several scopes, each once."""
    several = value if isinstance(value, list) else [value]
    if len(several) > SCOPES_MAX:
        raise BadRequestData(f"scope has over {SCOPES_MAX} paths")
    for one in several:
        if not _is_scope(one):
            raise BadRequestData(
                f"scope is {shown(one)}; it is a path such as '/Almaty/Medeu', whose levels have "
                "letters, digits and '_' and begin with a letter"
            )
    return tuple(dict.fromkeys(several))


@functools.lru_cache(maxsize=8192)
def _moment_ns(text: str) -> int:
    if not text.endswith("Z"):
        raise ValueError(f"{text!r} does not end with Z")
    return parse_ns(text)


def read_moment(value: Any, where: str, *, bounded: bool = False) -> int:
    """Return a DateTime in UTC (clause 4.6.3: with Z, not with an offset).

    Args:
        value: the text.
        where: the member, for the error's sentence.
        bounded: what lies beyond the years that nanoseconds of 64 bits reach is taken as their end:
            for ends and bounds, of which nobody is told that they were measured then.
    """
    try:
        moment_ns = _moment_ns(value if isinstance(value, str) else "")
    except ValueError:
        raise BadRequestData(
            f"{where} is {shown(value)}; it is a DateTime in UTC such as '2026-11-26T17:10:00Z'"
        ) from None
    if bounded:
        return max(-MOMENT_NS_MAX, min(moment_ns, MOMENT_NS_MAX))
    if abs(moment_ns) > MOMENT_NS_MAX:
        raise BadRequestData(f"{where} is {shown(value)}; moments lie between 1678 and 2262")
    return moment_ns


def read_dataset(value: Any, where: str) -> str:
    """Return a datasetId; empty for the default instance (``@none``)."""
    if value == "@none":
        return ""
    if value == NULL:
        raise BadRequestData(f"{where}.datasetId is {NULL!r}: a datasetId cannot be deleted")
    return read_uri(value, f"{where}.datasetId")


def read_text(value: Any, where: str) -> str:
    """Return a short text, not empty."""
    if not isinstance(value, str) or not value or len(value) > TEXT_CHARACTERS_MAX:
        raise BadRequestData(
            f"{where} is {shown(value)}; it is a text of up to {TEXT_CHARACTERS_MAX} characters"
        )
    return value
