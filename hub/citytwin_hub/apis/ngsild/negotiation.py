"""Negotiation: which media type an Accept header wants, and what a Prefer header asks for.

ETSI GS CIM 009, clauses 6.3.4 and 6.3.6; RFC 9110, clause 12.5.1 (Accept); RFC 7240 (Prefer).

>>> choose("application/json;q=0, */*", ["application/json", "application/ld+json"])
'application/ld+json'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

RANGES_MAX: Final = 100
"""Ranges of an Accept header that are looked at."""

_QUALITY: Final = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z", re.ASCII)
_VERSION: Final = re.compile(r"(\d{1,3})\.(\d{1,3})(?:\.\d{1,3})?\Z", re.ASCII)


def choose(accept: str, gives: Sequence[str]) -> str | None:
    """Return the media type that is wanted most; None where none will do.

    Of those wanted as much the first of ``gives`` is taken. The most special range that fits a
    media type gives its weight, so ``*/*`` does not bring back what has weight 0.

    Args:
        accept: the Accept header; empty: anything.
        gives: media types that there are, in their order.
    """
    ranges = [_read(part) for part in accept.split(",")[:RANGES_MAX] if part.strip()]
    if not ranges:
        return gives[0]
    best, chosen = 0.0, None
    for media in gives:
        weight = _weight(media, ranges)
        if weight > best:
            best, chosen = weight, media
    return chosen


def _read(part: str) -> tuple[str, float]:
    """Return a media range and its weight; one that cannot be read is as if there were none."""
    media, *parameters = (each.strip().lower() for each in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q" and _QUALITY.match(value.strip()):
            return media, float(value)
    return media, 1.0


def _weight(media: str, ranges: Sequence[tuple[str, float]]) -> float:
    kind = media.partition("/")[0]
    for wanted in (media, f"{kind}/*", "*/*"):
        weights = [weight for given, weight in ranges if given == wanted]
        if weights:
            return max(weights)
    return 0.0


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a Prefer header asks for (immutable).

    Attributes:
        body: ``json``: GeoJSON without an @context; ``ld+json``: with it; empty: not said.
        version: the version of NGSI-LD that is understood; None: this one.
    """

    body: str = ""
    version: tuple[int, int] | None = None


def preferences(prefer: str) -> Preferences:
    """Return what a Prefer header asks for; what is not known is passed over, as RFC 7240 wants."""
    body, version = "", None
    for part in prefer.split(","):
        name, _, value = part.partition(";")[0].partition("=")
        name, value = name.strip().lower(), value.strip().strip('"').lower()
        if name == "body" and value in ("json", "ld+json"):
            body = value
        elif name == "ngsi-ld" and (match := _VERSION.match(value)):
            version = int(match[1]), int(match[2])
    return Preferences(body, version)
