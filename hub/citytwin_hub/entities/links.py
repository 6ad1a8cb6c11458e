"""Links: where an attribute leads to, and how what is there is looked up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from citytwin_hub.entities.model import RELATIONSHIPS, Attribute, Entity

Find: TypeAlias = Callable[[Collection[str]], Mapping[str, Entity]]
"""Looks up entities by identifier; those that are not known are not in the answer."""


def targets(attribute: Attribute) -> tuple[str, ...]:
    """Return the identifiers that an attribute links to; none for what is no relationship.

    >>> from citytwin_hub.entities.model import AttributeKind
    >>> targets(Attribute(kind=AttributeKind.RELATIONSHIP, value="urn:ngsi-ld:Tank:1"))
    ('urn:ngsi-ld:Tank:1',)
    """
    if attribute.kind not in RELATIONSHIPS:
        return ()
    value = attribute.value
    return (value,) if isinstance(value, str) else tuple(value)
