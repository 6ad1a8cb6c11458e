"""Expressions of words with and, or and parentheses: of types, and of scopes.

ETSI GS CIM 009, clauses 4.17 and 4.19: ``;`` is and, ``,`` and ``|`` are or; and binds more.

>>> Expression.parse("(a;b),c", str, "type").holds(lambda word: word in "bc")
True
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from citytwin_hub.entities.errors import BadRequestData, TooComplexQuery

WORDS_MAX: Final = 500
"""Words in one expression."""

DEPTH_MAX: Final = 20
"""Parentheses in parentheses."""

_WORD: Final = re.compile(r"[^,;|()]+")

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class _And(Generic[W]):
    parts: tuple[_Node[W], ...]


@dataclass(frozen=True, slots=True)
class _Or(Generic[W]):
    parts: tuple[_Node[W], ...]


@dataclass(frozen=True, slots=True)
class _Word(Generic[W]):
    word: W


_Node: TypeAlias = "_And[W] | _Or[W] | _Word[W]"


@dataclass(frozen=True, slots=True)
class Expression(Generic[W]):
    """An expression (immutable)."""

    root: _Node[W]

    @classmethod
    def parse(cls, text: str, word: Callable[[str], W], what: str) -> Expression[W]:
        """Return what an expression means.

        Args:
            text: the expression.
            word: what one word means; it may raise.
            what: how the parameter is called, for errors.

        Raises:
            BadRequestData: it is none; the text says where.
            TooComplexQuery: it is over a limit.
        """
        return cls(_Parser(text, word, what).whole())

    def holds(self, test: Callable[[W], bool]) -> bool:
        """Tell whether it holds when a word holds as a test says."""
        return _holds(self.root, test)

    def needed(self) -> tuple[W, ...]:
        """Return words of which at least one holds whenever the expression does."""
        return _needed(self.root)

    @property
    def is_any(self) -> bool:
        """Whether one of its words, whichever, is enough."""
        return _is_any(self.root)


def _is_any(node: _Node[W]) -> bool:
    return isinstance(node, _Word) or (isinstance(node, _Or) and all(map(_is_any, node.parts)))


def _holds(node: _Node[W], test: Callable[[W], bool]) -> bool:
    if isinstance(node, _Word):
        return test(node.word)
    if isinstance(node, _And):
        return all(_holds(part, test) for part in node.parts)
    return any(_holds(part, test) for part in node.parts)


def _needed(node: _Node[W]) -> tuple[W, ...]:
    if isinstance(node, _Word):
        return (node.word,)
    needs = [_needed(part) for part in node.parts]
    if isinstance(node, _And):
        return min(needs, key=len)
    return tuple(word for need in needs for word in need)


class _Parser(Generic[W]):
    def __init__(self, text: str, word: Callable[[str], W], what: str) -> None:
        self._text, self._word, self._what = text, word, what
        self._at = 0
        self._words = 0

    def whole(self) -> _Node[W]:
        node = self._alternatives(0)
        if self._at < len(self._text):
            raise self._error("',', '|' or ';'")
        return node

    def _error(self, wanted: str) -> BadRequestData:
        found = repr(self._text[self._at]) if self._at < len(self._text) else "its end"
        return BadRequestData(
            f"{self._what}: {found} at character {self._at + 1} where {wanted} was expected"
        )

    def _take(self, marks: str) -> bool:
        if self._at >= len(self._text) or self._text[self._at] not in marks:
            return False
        self._at += 1
        return True

    def _alternatives(self, depth: int) -> _Node[W]:
        parts = [self._conjunction(depth)]
        while self._take(",|"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else _Or(tuple(parts))

    def _conjunction(self, depth: int) -> _Node[W]:
        parts = [self._part(depth)]
        while self._take(";"):
            parts.append(self._part(depth))
        return parts[0] if len(parts) == 1 else _And(tuple(parts))

    def _part(self, depth: int) -> _Node[W]:
        if depth > DEPTH_MAX:
            raise TooComplexQuery(
                f"{self._what} has more than {DEPTH_MAX} parentheses in each other"
            )
        if self._take("("):
            node = self._alternatives(depth + 1)
            if not self._take(")"):
                raise self._error("')'")
            return node
        match = _WORD.match(self._text, self._at)
        if match is None or not match[0].strip():
            raise self._error("a word")
        self._words += 1
        if self._words > WORDS_MAX:
            raise TooComplexQuery(f"{self._what} has more than {WORDS_MAX} words: ask for fewer")
        self._at = match.end()
        return _Word(self._word(match[0].strip()))
