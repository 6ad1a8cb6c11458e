"""Reads queries of the NGSI-LD query language (ETSI GS CIM 009, clause 4.9).

``;`` binds more than ``|``; parentheses group. What is wrong is said with its place. Limits keep a
query from costing more than it is worth; the regular expressions are those of ``patterns.py``.

>>> class Plain:
...     def expand(self, name):
...         return f"https://example.org/{name}"
...
...     def compact(self, iri):
...         return iri
>>> parse('level>3;(kind=="clean"|kind=="raw")', Plain()).attributes() == {
...     "https://example.org/level",
...     "https://example.org/kind",
... }
True
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from citytwin_hub.entities.errors import BadRequestData, TooComplexQuery
from citytwin_hub.entities.patterns import Pattern, compile_pattern
from citytwin_hub.entities.q import (
    ORDERS,
    Absent,
    And,
    Compare,
    Exists,
    Node,
    Operator,
    Or,
    Query,
    Value,
)
from citytwin_hub.entities.q_paths import MEMBERS, SYSTEM, Path
from citytwin_hub.entities.q_values import (
    Comparable,
    Literal,
    OneOf,
    Range,
    Term,
    Text,
    literal,
)
from citytwin_hub.jsonld.names import Names

SIZE_CHARS_MAX: Final = 8_192
"""As long as a request line may be."""

TERMS_MAX: Final = 200
"""Each is looked at for each entity."""

DEPTH_MAX: Final = 20
"""Parentheses in parentheses."""

VALUES_MAX: Final = 1_000
"""Values in one list."""

STEPS_MAX: Final = 10
"""Names in one path, and links that one follows."""

# An absolute IRI has dots before its last / or #; in a term a dot is a step.
_NAME: Final = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*://[^\s\[\]{}=!<>~;|(),\"']*[/#])?"
    r"(?:(?!\d)[^\s.\[\]{}=!<>~;|(),\"']|(?<=[/#])\d)[^\s.\[\]{}=!<>~;|(),\"']*"
)
_KEY: Final = re.compile(r"[^\s.\[\]{}=!<>~;|(),\"']+")
# The colons of a scheme and of a port end no hint.
_HINTS: Final = re.compile(r"((?:[^\s:\[\]{}=!<>~;()\"']|:(?=//|\d+/))+):(?!//)")
_OPERATOR: Final = re.compile(r"!~=|==|!=|>=|<=|~=|>|<")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_WORD: Final = re.compile(r"[^\s;|(),\"]+")


def parse(
    text: str,
    names: Names,
    *,
    expanded: Collection[str] = (),
    what: str = "q",
    encoded: bool = False,
) -> Query:
    """Return what a query means.

    Args:
        text: the query.
        names: what its names mean.
        expanded: attributes (IRIs) whose values are names too (``expandValues``).
        what: how the parameter is called, for errors.
        encoded: whether it may be percent-encoded: in a JSON document, some write it so.

    Raises:
        BadRequestData: it is not a query; the text says where.
        TooComplexQuery: it is over a limit.
    """
    if len(text) > SIZE_CHARS_MAX:
        raise TooComplexQuery(f"{what} is longer than {SIZE_CHARS_MAX} characters: ask for less")
    parser = _Parser(unquote(text) if encoded else text, names, frozenset(expanded), what)
    return Query(parser.whole())


def parse_path(text: str, names: Names, what: str) -> Path:
    """Return what a path alone means, as in ``orderBy`` (clause 4.23).

    Raises:
        BadRequestData: it is not a path; the text says where.
        TooComplexQuery: it is over a limit.
    """
    if len(text) > SIZE_CHARS_MAX:
        raise TooComplexQuery(f"{what} is longer than {SIZE_CHARS_MAX} characters: ask for less")
    return _Parser(text, names, frozenset(), what).path()


class _Parser:
    def __init__(self, text: str, names: Names, expanded: frozenset[str], what: str) -> None:
        self._text, self._names, self._expanded, self._what = text, names, expanded, what
        self._at = 0
        self._terms = 0

    def whole(self) -> Node:
        node = self._alternatives(0)
        if self._at < len(self._text):
            raise self._error("';', '|' or an operator")
        return node

    def path(self) -> Path:
        path = self._path(0)
        if self._at < len(self._text):
            raise self._error("its end")
        return path

    def _error(self, wanted: str) -> BadRequestData:
        found = repr(self._text[self._at]) if self._at < len(self._text) else "its end"
        return BadRequestData(
            f"{self._what}: {found} at character {self._at + 1} where {wanted} was expected"
        )

    def _too_complex(self, limit: str) -> TooComplexQuery:
        return TooComplexQuery(f"{self._what} has more than {limit}: ask for less at a time")

    def _skip(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1

    def _take(self, mark: str) -> bool:
        self._skip()
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        self._skip()
        return True

    def _alternatives(self, depth: int) -> Node:
        terms = [self._conjunction(depth)]
        while self._take("|"):
            terms.append(self._conjunction(depth))
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _conjunction(self, depth: int) -> Node:
        terms = [self._term(depth)]
        while self._take(";"):
            terms.append(self._term(depth))
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _term(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise self._too_complex(f"{DEPTH_MAX} parentheses in each other")
        if self._take("("):
            node = self._alternatives(depth + 1)
            if not self._take(")"):
                raise self._error("')'")
            return node
        self._terms += 1
        if self._terms > TERMS_MAX:
            raise self._too_complex(f"{TERMS_MAX} terms")
        if self._take("!"):
            return Absent(self._path(0))
        path = self._path(0)
        self._skip()
        match = _OPERATOR.match(self._text, self._at)
        if match is None:
            return Exists(path)
        self._at = match.end()
        self._skip()
        operator = Operator(match[0])
        return Compare(path, operator, self._value(operator, path))

    # Paths

    def _path(self, depth: int) -> Path:
        if depth > STEPS_MAX:
            raise self._too_complex(f"{STEPS_MAX} links in a path")
        names = [self._name("the name of an attribute")]
        while self._text.startswith(".", self._at):
            self._at += 1
            names.append(self._name("the name of an attribute's attribute"))
            if len(names) > STEPS_MAX:
                raise self._too_complex(f"{STEPS_MAX} names in a path")
        member = ""
        if names[-1] in (MEMBERS if len(names) > 1 else SYSTEM):
            member = names.pop()
        path = Path(tuple(map(self._names.expand, names)), member)
        if member:
            return path
        if self._text.startswith("[", self._at):
            return replace(path, inside=self._inside())
        if self._text.startswith("{", self._at):
            return self._linked(path, depth)
        return path

    def _name(self, wanted: str) -> str:
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise self._error(wanted)
        self._at = match.end()
        return match[0]

    def _inside(self) -> tuple[str, ...]:
        """Read ``[city.name]`` or ``[*]``."""
        self._at += 1
        keys: list[str] = []
        while True:
            match = _KEY.match(self._text, self._at)
            if match is None:
                raise self._error("a key of the value, or a language")
            self._at = match.end()
            keys.append(match[0])
            if len(keys) > STEPS_MAX:
                raise self._too_complex(f"{STEPS_MAX} names in a path")
            if not self._text.startswith(".", self._at):
                break
            self._at += 1
        if not self._text.startswith("]", self._at):
            raise self._error("']'")
        self._at += 1
        return tuple(keys)

    def _linked(self, path: Path, depth: int) -> Path:
        """Read ``{level}`` or ``{Tank:level}``."""
        self._at += 1
        types: frozenset[str] = frozenset()
        match = _HINTS.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
            types = frozenset(self._names.expand(name) for name in re.split("[,|]", match[1]))
        linked = self._path(depth + 1)
        if not self._text.startswith("}", self._at):
            raise self._error("'}'")
        self._at += 1
        return replace(path, linked=linked, types=types)

    # Values

    def _value(self, operator: Operator, path: Path) -> Value:
        if operator in (Operator.LIKE, Operator.UNLIKE):
            return self._pattern()
        if operator in ORDERS:
            start = self._at
            value = self._literal(path)
            if not isinstance(value, Comparable):
                self._at = start
                raise self._error(f"a number, a time or a quoted text after {operator.value!r}")
            return value
        values = [self._range_or_literal(path)]
        while self._take(","):
            if isinstance(values[0], Range):
                raise self._error("no list after a range")
            values.append(self._literal(path))
            if len(values) > VALUES_MAX:
                raise self._too_complex(f"{VALUES_MAX} values in a list")
        if len(values) == 1:
            return values[0]
        return OneOf(tuple(value for value in values if not isinstance(value, Range)))

    def _range_or_literal(self, path: Path) -> Literal | Range:
        start = self._at
        low = self._literal(path)
        if not self._text.startswith("..", self._at):
            return low
        self._at += 2
        high = self._literal(path)
        if isinstance(low, Comparable) and isinstance(high, Comparable) and type(low) is type(high):
            return Range(low, high)
        self._at = start
        raise self._error("a range of two numbers, two times or two quoted texts")

    def _literal(self, path: Path) -> Literal:
        match = _QUOTED.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
            return Text(self._expand(_unescaped(match[0]), path))
        match = _WORD.match(self._text, self._at)
        if match is None:
            raise self._error("a value")
        word = match[0]
        low, dots, _ = word.partition("..")
        value = literal(low if dots else word)
        if dots and not isinstance(value, Comparable):
            # Two dots in a URI are no range.
            value = literal(word)
            low = word
        self._at += len(low if dots else word)
        return Term(self._expand(value.value, path)) if isinstance(value, Term) else value

    def _expand(self, text: str, path: Path) -> str:
        if path.steps and path.steps[0] in self._expanded:
            return self._names.expand(text)
        return text

    def _pattern(self) -> Pattern:
        match = _QUOTED.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
            text = match[1].replace('\\"', '"')
        else:
            start = self._at
            self._at = _end_of_pattern(self._text, start)
            text = self._text[start : self._at].rstrip()
            if not text:
                raise self._error("a regular expression")
        return compile_pattern(text, self._what)


def _unescaped(quoted: str) -> str:
    """Return the text of a JSON string; one with escapes that JSON has not as it is."""
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:
        return quoted[1:-1]


def _end_of_pattern(text: str, start: int) -> int:
    """Return where a regular expression without quotes ends: at ';', '|' or ')' outside groups."""
    depth, at, in_class = 0, start, False
    while at < len(text):
        mark = text[at]
        if mark == "\\":
            at += 1
        elif in_class:
            in_class = mark != "]"
        elif mark == "[":
            in_class = True
        elif mark == "(":
            depth += 1
        elif mark == ")" and depth:
            depth -= 1
        elif mark in ";|)" and not depth:
            break
        at += 1
    return min(at, len(text))
