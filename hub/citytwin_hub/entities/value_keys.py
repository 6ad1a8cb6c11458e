"""Value keys: what an index holds of an attribute's values, and which part of it a query needs.

A key keeps the order of what it stands for, but may be the same for two values that lie close
together: texts are cut, whole numbers over 64 bits become fractions. So what an index finds is a
superset of what matches, and the query has the last word (``q.py``). Numbers and texts stand for
themselves; truth and moments are bytes, which no number or text is equal to.

>>> from citytwin_hub.entities.q_parser import parse
>>> from citytwin_hub.jsonld.processing import CORE
>>> needs(parse("level>3;name==a", CORE).root)[0][0].low
3
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from citytwin_hub.entities.model import Attribute, AttributeKind
from citytwin_hub.entities.moments import date_ns, parse_ns, time_ns
from citytwin_hub.entities.q import And, Compare, Node, Operator, Or
from citytwin_hub.entities.q_values import Literal, Number, OneOf, Range, Temporal, Text, Truth
from citytwin_hub.entities.store import ValueSpan

TEXT_CHARACTERS_MAX: Final = 64
"""Of a text, in the index."""
VALUES_MAX: Final = 100
"""Of one instance, in the index; of longer lists nothing is in it but ``LONG``."""
SPANS_MAX: Final = 100
"""Of one need; a query with more is not narrowed down by it."""

Key: TypeAlias = int | float | str | bytes

LONG: Final = b"L"
"""Stands for whatever a long list may have in it."""
_TRUTH: Final = {False: b"B0", True: b"B1"}
_READERS: Final = ((b"D", parse_ns), (b"d", date_ns), (b"t", time_ns))
_INTEGER_MAX: Final = 2**63 - 1
_MOMENT_OFFSET: Final = 2**95
_MOMENT_BYTES: Final = 12
_TEMPORAL_CHARACTERS_MAX: Final = 64


def keys_of(instances: Sequence[Attribute]) -> frozenset[Key]:
    """Return the keys of what an attribute's values can be compared as."""
    found: set[Key] = set()
    for one in instances:
        value = one.value
        if one.kind is AttributeKind.LANGUAGE:
            continue  # matches no comparison (q.py)
        if type(value) is dict:
            value = value.get("@value", value)
        if type(value) is not list:
            _add(found, value)
        elif len(value) > VALUES_MAX:
            found.add(LONG)
        else:
            for element in value:
                _add(found, element)
    return frozenset(found)


def are_same(before: Sequence[Attribute], after: Sequence[Attribute]) -> bool:
    """Tell at a glance that two states of an attribute have the same keys; False: look."""
    if len(before) != 1 or len(after) != 1:
        return False
    one, other = before[0], after[0]
    kind = type(one.value)
    if kind is not type(other.value) or one.kind is not other.kind:
        return False
    # 1 and True are equal inside a list or an object, but have different keys.
    return kind is not list and kind is not dict and one.value == other.value


def _add(found: set[Key], value: Any) -> None:
    kind = type(value)
    if kind is str:
        found.add(value[:TEXT_CHARACTERS_MAX])
        if "0" <= value[:1] <= "9" and len(value) <= _TEMPORAL_CHARACTERS_MAX:
            for mark, read in _READERS:
                try:
                    found.add(_moment(mark, read(value)))
                except ValueError:
                    continue
    elif kind is bool:
        found.add(_TRUTH[value])
    elif kind is int or kind is float:
        found.add(_number(value))


def _number(value: float) -> int | float:
    """Return a number as SQLite can hold it; the order of numbers is kept."""
    if type(value) is float or -_INTEGER_MAX <= value <= _INTEGER_MAX:
        return value
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _moment(mark: bytes, moment_ns: int) -> bytes:
    return mark + (moment_ns + _MOMENT_OFFSET).to_bytes(_MOMENT_BYTES, "big")


def needs(node: Node) -> tuple[tuple[ValueSpan, ...], ...]:
    """Return spans: a matching entity has a value in at least one of each tuple.

    Empty: nothing can be said.
    """
    if isinstance(node, And):
        return tuple(need for term in node.terms for need in needs(term))
    if isinstance(node, Or):
        spans: list[ValueSpan] = []
        for term in node.terms:
            found = needs(term)
            if not found:
                return ()
            spans += found[0]
        return (tuple(spans),) if len(spans) <= SPANS_MAX else ()
    if not isinstance(node, Compare):
        return ()
    path = node.path
    if len(path.steps) != 1 or path.member or path.inside is not None or path.linked is not None:
        return ()
    ends = list(_ends(node))
    if not ends or len(ends) >= SPANS_MAX:
        return ()
    attribute = path.steps[0]
    return (tuple(ValueSpan(attribute, low, high) for low, high in [*ends, (LONG, LONG)]),)


def _ends(node: Compare) -> list[tuple[Key, Key]]:
    """Return from which key to which what is compared lies; nothing: anywhere."""
    value, operator = node.value, node.operator
    if operator is Operator.EQUAL:
        if isinstance(value, Range):
            low, high = _key(value.low), _key(value.high)
            return [(low, high)] if _class(low) == _class(high) else []
        if isinstance(value, OneOf):
            keys = [_key(one) for one in value.values]
            return [(key, key) for key in keys]
        if isinstance(value, Literal):
            key = _key(value)
            return [(key, key)]
        return []
    if not isinstance(value, Number | Text | Temporal):
        return []
    key = _key(value)
    if operator in {Operator.MORE, Operator.AT_LEAST}:
        return [(key, _last(key))]
    if operator in {Operator.LESS, Operator.AT_MOST}:
        return [(_first(key), key)]
    return []


def _key(value: Literal) -> Key:
    if isinstance(value, Number):
        return _number(value.value)
    if isinstance(value, Truth):
        return _TRUTH[value.value]
    if isinstance(value, Temporal):
        mark = next(mark for mark, read in _READERS if read is value.read)
        return _moment(mark, value.value_ns)
    return value.value[:TEXT_CHARACTERS_MAX]


def _class(key: Key) -> object:
    """Return what keys have in common that can be compared."""
    return key[:1] if isinstance(key, bytes) else str if isinstance(key, str) else float


def _first(key: Key) -> Key:
    return key[:1] if isinstance(key, bytes) else "" if isinstance(key, str) else float("-inf")


def _last(key: Key) -> Key:
    if isinstance(key, bytes):
        return key[:1] + b"\xff" * (_MOMENT_BYTES + 1)
    if isinstance(key, str):
        return "\U0010ffff" * (TEXT_CHARACTERS_MAX + 1)
    return float("inf")
