"""The NGSI-LD query language: terms over the attributes of an entity, and whether it matches.

ETSI GS CIM 009, clause 4.9. A comparison with an attribute that is not there does not match, not
even ``!=``. Where an attribute has several instances, or a value is a list, one that matches is
enough; for ``!=`` and ``!~=`` each element of the list must differ. ``parse`` is in
``q_parser.py``.

>>> from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
>>> from citytwin_hub.entities.q_paths import Path
>>> from citytwin_hub.entities.q_values import Number
>>> high = Query(Compare(Path(("https://example.org/level",)), Operator.MORE, Number(3)))
>>> level = Attribute(kind=AttributeKind.PROPERTY, value=3.2)
>>> high.matches(
...     Entity(id="urn:x:1", types=("T",), attributes={"https://example.org/level": (level,)})
... )
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from citytwin_hub.entities.links import Find
from citytwin_hub.entities.model import RELATIONSHIPS, AttributeKind, Entity
from citytwin_hub.entities.patterns import Pattern
from citytwin_hub.entities.q_paths import Path
from citytwin_hub.entities.q_values import Comparable, Literal, OneOf, Range


class Operator(Enum):
    """How a term compares."""

    EQUAL = "=="
    UNEQUAL = "!="
    MORE = ">"
    LESS = "<"
    AT_LEAST = ">="
    AT_MOST = "<="
    LIKE = "~="
    UNLIKE = "!~="


ORDERS: Final[Mapping[Operator, Callable[[int], bool]]] = {
    Operator.MORE: lambda order: order > 0,
    Operator.LESS: lambda order: order < 0,
    Operator.AT_LEAST: lambda order: order >= 0,
    Operator.AT_MOST: lambda order: order <= 0,
}
_NEGATIONS: Final = frozenset({Operator.UNEQUAL, Operator.UNLIKE})

Value: TypeAlias = Literal | Range | OneOf | Pattern


@dataclass(frozen=True, slots=True)
class Exists:
    """There is something where a path leads."""

    path: Path

    def matches(self, entity: Entity, find: Find | None) -> bool:
        """Tell whether there is."""
        return any(True for _ in self.path.targets(entity, find))


@dataclass(frozen=True, slots=True)
class Absent:
    """There is nothing where a path leads."""

    path: Path

    def matches(self, entity: Entity, find: Find | None) -> bool:
        """Tell whether there is nothing."""
        return not any(True for _ in self.path.targets(entity, find))


@dataclass(frozen=True, slots=True)
class Compare:
    """What a path leads to compares with a value."""

    path: Path
    operator: Operator
    value: Value

    def matches(self, entity: Entity, find: Find | None) -> bool:
        """Tell whether one of the values where the path leads compares so."""
        for target in self.path.targets(entity, find):
            if self._holds(target.kind, target.value):
                return True
        return False

    def _holds(self, kind: AttributeKind | None, value: Any) -> bool:
        operator = self.operator
        if kind is AttributeKind.LANGUAGE:
            # Which language is not said; the clause knows name[kk] and name[*] only.
            return False
        if kind in RELATIONSHIPS and operator not in (Operator.EQUAL, Operator.UNEQUAL):
            return False
        if type(value) is dict:
            value = value.get("@value", value)
        test = self._test
        if type(value) is not list:
            return test(value) is not (operator in _NEGATIONS)
        found = test(value) or any(map(test, value))
        return found is not (operator in _NEGATIONS)

    def _test(self, value: Any) -> bool:
        """Tell whether a value is as the positive operator wants it."""
        against = self.value
        if isinstance(against, Pattern):
            return isinstance(value, str) and against.found_in(value)
        order = ORDERS.get(self.operator)
        if order is None:
            return against.equals(value)
        if not isinstance(against, Comparable):
            return False
        compared = against.compare(value)
        return compared is not None and order(compared)


@dataclass(frozen=True, slots=True)
class And:
    """Every one of some terms (``;``)."""

    terms: tuple[Node, ...]

    def matches(self, entity: Entity, find: Find | None) -> bool:
        """Tell whether every one matches."""
        return all(term.matches(entity, find) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Or:
    """One of some terms (``|``)."""

    terms: tuple[Node, ...]

    def matches(self, entity: Entity, find: Find | None) -> bool:
        """Tell whether one matches."""
        return any(term.matches(entity, find) for term in self.terms)


Node: TypeAlias = Exists | Absent | Compare | And | Or


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query (immutable, safe on any thread)."""

    root: Node

    def matches(self, entity: Entity, find: Find | None = None) -> bool:
        """Tell whether an entity matches; without ``find``, linked entities are not known."""
        return self.root.matches(entity, find)

    def attributes(self) -> frozenset[str]:
        """Return the attributes of the entity itself that it asks about, IRIs."""
        return frozenset(path.steps[0] for path in _paths(self.root) if path.steps)

    def needed(self) -> frozenset[str] | None:
        """Return attributes of which a matching entity has at least one; None: it may have none."""
        return _needed(self.root)

    @property
    def depth(self) -> int:
        """How many links it follows."""
        return max((path.depth for path in _paths(self.root)), default=0)


def _paths(node: Node) -> list[Path]:
    if isinstance(node, And | Or):
        return [path for term in node.terms for path in _paths(term)]
    return [node.path]


def _needed(node: Node) -> frozenset[str] | None:
    if isinstance(node, And):
        needs = [need for term in node.terms if (need := _needed(term)) is not None]
        return min(needs, key=len, default=None)
    if isinstance(node, Or):
        union: frozenset[str] = frozenset()
        for term in node.terms:
            need = _needed(term)
            if need is None:
                return None
            union |= need
        return union
    if isinstance(node, Absent) or not node.path.steps:
        return None
    return frozenset({node.path.steps[0]})
