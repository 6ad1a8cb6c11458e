"""Filters: whether a feature passes a CQL2 expression, given in its JSON form (OGC 21-065r2).

Basic CQL2, ``like``, ``between``, ``in``, ``casei`` and the spatial functions. What is not there is
unknown, and so is every comparison with it, or of values of two kinds; ``not`` of unknown is
unknown (three-valued logic, clause 6.4); only what is true passes. A property that is a list
compares if one of its elements does.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import shapely

from citytwin_hub.apis.ogc import crs
from citytwin_hub.apis.ogc.features import LOCATION, Feature
from citytwin_hub.entities.errors import BadRequestData, TooComplexQuery
from citytwin_hub.entities.geo import POSITIONS_MAX, shape
from citytwin_hub.entities.moments import date_ns, parse_ns
from citytwin_hub.entities.patterns import Pattern, compile_pattern
from citytwin_hub.entities.store import Box

NODES_MAX: Final = 1_000
DEPTH_MAX: Final = 50
GEOMETRY: Final = frozenset({"geometry", "geom", "location"})
"""Names by which a filter may call the feature's geometry."""

Truth: TypeAlias = bool | None
Test: TypeAlias = Callable[[Feature], Truth]
Value: TypeAlias = Callable[[Feature], Any]

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt,
    ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip
_SPATIAL: Final = {
    f"s_{name}": name
    for name in (
        "intersects", "disjoint", "within", "contains", "equals", "touches", "crosses", "overlaps"
    )
}  # fmt: skip
_ESCAPES: Final = re.compile(r"\\(.)|(%)|(_)|(.)", re.DOTALL)


class _Moment(NamedTuple):
    """A literal that is a time: a property's text is read as one before they compare."""

    ns: int
    is_date: bool


@dataclass(frozen=True)
class Filter:
    """An expression (immutable, safe on any thread).

    Attributes:
        test: True, False or None (unknown) for a feature.
        box: where the geometry of a feature that passes must touch; None: anywhere.
        names: the properties that it asks about.
    """

    test: Test
    box: Box | None
    names: frozenset[str]

    def passes(self, feature: Feature) -> bool:
        """Tell whether a feature passes."""
        return self.test(feature) is True


def compiled(expression: Any, system: str = crs.CRS84) -> Filter:
    """Return what an expression means.

    Args:
        expression: CQL2 in JSON.
        system: the URI of the system that its geometries are in.

    Raises:
        BadRequestData: it is not CQL2, or has what is not supported here.
        TooComplexQuery: it is over a limit.
    """
    compiler = _Compiler(system)
    test = compiler.test(expression, 0)
    return Filter(test, compiler.box_of(expression), frozenset(compiler.names))


class _Compiler:
    def __init__(self, system: str) -> None:
        self._system, self._nodes = system, 0
        self.names: set[str] = set()

    def test(self, node: Any, depth: int) -> Test:
        """Return an expression that is true, false or unknown."""
        self._count(depth)
        if isinstance(node, bool):
            return lambda _feature: node
        if isinstance(node, dict) and "property" in node:
            value = self.value(node, depth)
            return lambda feature: value(feature) if isinstance(value(feature), bool) else None
        op, args = _operation(node)
        if op in ("and", "or"):
            return _joined(op, [self.test(one, depth + 1) for one in args])
        if op == "not":
            inner = self.test(_only(op, args, 1)[0], depth + 1)
            return lambda feature: None if (truth := inner(feature)) is None else not truth
        if op in _SPATIAL:
            return self._spatial(_SPATIAL[op], _only(op, args, 2))
        return self._predicate(op, args, depth)

    def _predicate(self, op: str, args: Sequence[Any], depth: int) -> Test:
        if op == "isnull":
            value = self.value(_only(op, args, 1)[0], depth + 1)
            return lambda feature: value(feature) is None
        if op == "like":
            return self._like(_only(op, args, 2), depth)
        if op == "in":
            wanted, choices = _only(op, args, 2)
            if not isinstance(choices, list):
                raise BadRequestData("filter: 'in' needs a list of values")
            equal = [self._compared("=", (wanted, one), depth) for one in choices]
            return _joined("or", equal)
        if op == "between":
            value, low, high = _only(op, args, 3)
            ends = ((low, value), (value, high))
            return _joined("and", [self._compared("<=", end, depth) for end in ends])
        if op in _COMPARISONS:
            return self._compared(op, _only(op, args, 2), depth)
        raise BadRequestData(f"filter: {op[:80]!r} is not supported here")

    def value(self, node: Any, depth: int) -> Value:
        """Return an expression that has a value."""
        self._count(depth)
        if node is None or isinstance(node, bool | int | float | str):
            return lambda _feature: node
        if not isinstance(node, dict):
            raise BadRequestData(f"filter: {str(node)[:80]!r} is no value")
        if "property" in node:
            return self._property(node["property"])
        for kind, read in (("timestamp", parse_ns), ("date", date_ns)):
            if kind in node:
                moment = _Moment(_moment(read, node[kind]), kind == "date")
                return lambda _feature: moment
        op, args = _operation(node)
        if op != "casei":
            raise BadRequestData(f"filter: {op[:80]!r} is not supported here")
        inner = self.value(_only(op, args, 1)[0], depth + 1)
        return lambda feature: _folded(inner(feature))

    def _property(self, name: Any) -> Value:
        if not isinstance(name, str):
            raise BadRequestData("filter: a property's name is a text")
        self.names.add(name)
        if name in GEOMETRY:
            return lambda feature: feature.location
        return lambda feature: feature.value(name)

    def _compared(self, op: str, pair: Sequence[Any], depth: int) -> Test:
        a, b = (self.value(one, depth + 1) for one in pair)
        compare = _COMPARISONS[op]
        return lambda feature: _compare(compare, a(feature), b(feature))

    def _like(self, pair: Sequence[Any], depth: int) -> Test:
        value, pattern = self.value(pair[0], depth + 1), pair[1]
        fold = isinstance(pattern, dict) and pattern.get("op") == "casei"
        text = pattern["args"][0] if fold and pattern.get("args") else pattern
        if not isinstance(text, str):
            raise BadRequestData("filter: 'like' needs a text such as 'Pump%'")
        compiled_pattern = _pattern(text.casefold() if fold else text)

        def test(feature: Feature) -> Truth:
            return _any(value(feature), lambda one: _found(compiled_pattern, one))

        return test

    def _spatial(self, relation: str, args: Sequence[Any]) -> Test:
        turned = not _is_geometry(args[0])
        name, literal = (args[1], args[0]) if turned else (args[0], args[1])
        if not _is_geometry(name):
            raise BadRequestData("filter: a spatial function needs the property 'geometry'")
        other = self._geometry(literal)
        shapely.prepare(other)

        def test(feature: Feature) -> Truth:
            mine = feature.geometry
            if mine is None:
                return None
            pair = (other, mine) if turned else (mine, other)
            return bool(getattr(shapely, relation)(*pair))

        return test

    def _geometry(self, node: Any) -> Any:
        """Return a geometry of the filter, in longitude and latitude."""
        built = None
        if isinstance(node, dict) and isinstance(node.get("bbox"), list):
            numbers = node["bbox"]
            if len(numbers) in (4, 6) and all(type(one) in (int, float) for one in numbers):
                low, high = numbers[:2], numbers[len(numbers) // 2 :][:2]
                built = shapely.box(*low, *high)
        else:
            built = shape(node)
        if built is None or shapely.get_num_coordinates(built) > POSITIONS_MAX:
            raise BadRequestData(
                f"filter: {str(node)[:80]!r} is not a geometry of at most {POSITIONS_MAX} positions"
            )
        there = crs.transformed(built, self._system, crs.CRS84)
        if there.is_empty or not all(abs(one) < 1e9 for one in there.bounds):
            raise BadRequestData("filter: a geometry lies outside of its reference system")
        return there

    def box_of(self, node: Any) -> Box | None:
        """Return a box that every feature touches which passes; None: none is known."""
        op, args = _operation(node) if isinstance(node, dict) and "op" in node else ("", [])
        if op == "and":
            return next((box for one in args if (box := self.box_of(one)) is not None), None)
        if op in _SPATIAL and op != "s_disjoint":
            literal = args[1] if _is_geometry(args[0]) else args[0]
            west, south, east, north = self._geometry(literal).bounds
            return Box(LOCATION, west, south, east, north)
        return None

    def _count(self, depth: int) -> None:
        self._nodes += 1
        if self._nodes > NODES_MAX or depth > DEPTH_MAX:
            raise TooComplexQuery(
                f"filter has over {NODES_MAX} parts, or is over {DEPTH_MAX} deep: ask for less"
            )


def _operation(node: Any) -> tuple[str, Sequence[Any]]:
    if not isinstance(node, dict) or not isinstance(node.get("op"), str):
        raise BadRequestData(f"filter: {str(node)[:80]!r} is neither true nor false")
    args = node.get("args")
    if not isinstance(args, list) or not args:
        raise BadRequestData(f"filter: {node['op'][:80]!r} has no args")
    return node["op"].lower(), args


def _only(op: str, args: Sequence[Any], count: int) -> Sequence[Any]:
    if len(args) != count:
        raise BadRequestData(f"filter: {op!r} takes {count} args, not {len(args)}")
    return args


def _is_geometry(node: Any) -> bool:
    name = node.get("property") if isinstance(node, dict) else None
    return isinstance(name, str) and name in GEOMETRY


def _joined(op: str, tests: Collection[Test]) -> Test:
    """Return ``and`` or ``or`` of some tests: the first that settles it does."""
    settles = op == "or"

    def test(feature: Feature) -> Truth:
        unknown = False
        for one in tests:
            truth = one(feature)
            if truth is settles:
                return settles
            unknown = unknown or truth is None
        return None if unknown else not settles

    return test


def _any(value: Any, test: Callable[[Any], Truth]) -> Truth:
    if not isinstance(value, list):
        return test(value)
    truths = [test(one) for one in value]
    return True if True in truths else (None if None in truths or not truths else False)


def _compare(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> Truth:
    if isinstance(left, list):
        return _any(left, lambda one: _compare(compare, one, right))
    if isinstance(right, _Moment):
        left = _as_ns(left, right)
        right = right.ns
    elif isinstance(left, _Moment):
        right = _as_ns(right, left)
        left = left.ns
    kinds = [_kind(one) for one in (left, right)]
    return compare(left, right) if kinds[0] is kinds[1] and kinds[0] is not None else None


def _kind(value: Any) -> type | None:
    if isinstance(value, bool):
        return bool
    if isinstance(value, int | float):
        return float
    return str if isinstance(value, str) else None


def _as_ns(value: Any, like: _Moment) -> int | None:
    if isinstance(value, _Moment):
        return value.ns
    if not isinstance(value, str):
        return None
    try:
        return date_ns(value[:10]) if like.is_date else parse_ns(value)
    except ValueError:
        return None


def _moment(read: Callable[[str], int], text: Any) -> int:
    try:
        return read(text if isinstance(text, str) else "")
    except ValueError as error:
        raise BadRequestData(f"filter: {error}") from None


def _folded(value: Any) -> Any:
    if isinstance(value, list):
        return [_folded(one) for one in value]
    return value.casefold() if isinstance(value, str) else value


def _pattern(text: str) -> Pattern:
    """Return a pattern of ``like``: % any text, _ one character, after a backslash themselves."""
    words = []
    for escaped, many, one, plain in _ESCAPES.findall(text):
        words.append(".*" if many else "." if one else re.escape(escaped or plain))
    return compile_pattern(f"(?s)\\A{''.join(words)}\\z", "like")


def _found(pattern: Pattern, value: Any) -> Truth:
    return pattern.found_in(value) if isinstance(value, str) else None
