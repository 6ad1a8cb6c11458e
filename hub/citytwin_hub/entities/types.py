"""Type selection: which types an entity must have.

ETSI GS CIM 009, clause 4.17: ``Tank``, ``Tank,Pump`` (one of them), ``(Tank;Building)`` (both).

>>> class Plain:
...     def expand(self, name):
...         return f"https://example.org/{name}"
...
...     def compact(self, iri):
...         return iri
>>> parse("(Tank;Building),Pump", Plain()).matches(["https://example.org/Pump"])
True
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from citytwin_hub.entities.expressions import Expression
from citytwin_hub.jsonld.names import Names


@dataclass(frozen=True, slots=True)
class TypeSelection:
    """A selection by type (immutable)."""

    expression: Expression[str]

    def matches(self, types: Collection[str]) -> bool:
        """Tell whether an entity with some types (IRIs) is selected."""
        return self.expression.holds(types.__contains__)

    def needed(self) -> frozenset[str]:
        """Return types of which every selected entity has at least one."""
        return frozenset(self.expression.needed())

    @property
    def is_any(self) -> bool:
        """Whether each type that is named is enough."""
        return self.expression.is_any


def parse(text: str, names: Names, what: str = "type") -> TypeSelection:
    """Return what a selection by type means.

    Raises:
        BadRequestData: it is none; the text says where.
        TooComplexQuery: it is over a limit.
    """
    return TypeSelection(Expression.parse(text, names.expand, what))
