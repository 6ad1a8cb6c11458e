"""Naming: what types and attributes are called among features: their IRIs' last parts.

A name in NGSI-LD depends on a client's @context; a GIS has none. So a collection is called by the
last part of its type's IRI. Where two types of a tenant have the same last part, both have eight
digits of their IRI's SHA-256 behind it; by that longer name a collection is always found.

>>> short("https://uri.etsi.org/ngsi-ld/default-context/Pump"), short("urn:x:types#Tank")
('Pump', 'Tank')
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Collection, Mapping

from citytwin_hub.entities.errors import ResourceNotFound

_PART = re.compile(r"[^/#:?]+(?=[/#:?]*\Z)")
_UNSAFE = re.compile(r"[^\w.~-]")


@functools.lru_cache(maxsize=20_000)
def short(iri: str) -> str:
    """Return the last part of an IRI; the IRI itself where it has none."""
    found = _PART.search(iri)
    return found[0] if found else iri


def long(iri: str) -> str:
    """Return the name by which a type is found whatever others there are."""
    digest = hashlib.sha256(iri.encode()).hexdigest()[:8]
    return f"{_UNSAFE.sub('_', short(iri))}-{digest}"


def collections(types: Collection[str]) -> Mapping[str, str]:
    """Return the types of a tenant by the names of their collections."""
    by_name: dict[str, list[str]] = {}
    for iri in types:
        by_name.setdefault(_UNSAFE.sub("_", short(iri)), []).append(iri)
    named: dict[str, str] = {}
    for name, iris in sorted(by_name.items()):
        named |= {name: iris[0]} if len(iris) == 1 else {long(iri): iri for iri in sorted(iris)}
    return named


def type_of(name: str, types: Collection[str]) -> str:
    """Return the type (IRI) that a collection's name stands for.

    Raises:
        ResourceNotFound: there is no such collection.
    """
    iri = collections(types).get(name)
    if iri is None:
        iri = next((one for one in types if long(one) == name), None)
    if iri is None:
        raise ResourceNotFound(f"there is no collection {name[:80]!r}")
    return iri
