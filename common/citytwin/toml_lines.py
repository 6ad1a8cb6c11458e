"""TOML lines: on which line of a TOML text each table, key and list element stands.

The standard library's parser gives data without places. This scanner reads a text that the parser
has accepted, so it need not know what is wrong, only where things are.

>>> lines = line_map("[a]\\nb = [\\n  1, # one\\n  { c = 2 },\\n]\\n[[d]]\\ne.f = 3\\n")
>>> lines["a", "b", 1, "c"], lines["d", 0, "e", "f"]
(4, 7)
"""

from __future__ import annotations

import bisect
import re
import tomllib
from typing import Final

At = tuple[str | int, ...]
"""A place in the data: names of fields and indexes of lists, from the top."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BASIC: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL: Final = re.compile(r"'[^'\n]*'")
_LONG_BASIC: Final = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}(?!")', re.DOTALL)
_LONG_LITERAL: Final = re.compile(r"'''.*?'{3,5}(?!')", re.DOTALL)
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE: Final = re.compile(r"[^,\]}#\n]+")
_STRINGS: Final = (_LONG_BASIC, _LONG_LITERAL, _BASIC, _LITERAL)


def line_map(text: str) -> dict[At, int]:
    """Return the line, from 1, of everything in a text that ``tomllib`` has accepted."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._lines: dict[At, int] = {}
        self._last: dict[At, int] = {}

    def scan(self) -> dict[At, int]:
        table: At = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._assignment(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> At:
        """Read ``[a.b]`` or ``[[a.b]]``; each list on the way stands for its last table."""
        line = self._line()
        many = self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        names = self._key()
        self._at += 2 if many else 1
        path: At = ()
        for index, name in enumerate(names):
            path = (*path, name)
            if many and index == len(names) - 1:
                self._lines.setdefault(path, line)
                self._last[path] = self._last.get(path, -1) + 1
            if path in self._last:
                path = (*path, self._last[path])
            self._lines.setdefault(path, line)
        return path

    def _assignment(self, table: At) -> None:
        line = self._line()
        path = table
        for name in self._key():
            path = (*path, name)
            self._lines.setdefault(path, line)
        self._at += 1  # the equals sign
        self._value(path)

    def _key(self) -> list[str]:
        names: list[str] = []
        while True:
            self._skip(_BLANK)
            quote = self._text[self._at]
            if quote in "\"'":
                raw = self._take(_BASIC if quote == '"' else _LITERAL)
                names.append(str(tomllib.loads(f"k = {raw}")["k"]))
            else:
                names.append(self._take(_BARE_KEY))
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _value(self, path: At) -> None:
        self._skip(_BLANK)
        opening = self._text[self._at]
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self._table(path)
        elif opening in "\"'":
            next(form for form in _STRINGS if self._skip(form))
        else:
            self._skip(_BARE_VALUE)
        self._skip(_BLANK)

    def _list(self, path: At) -> None:
        self._at += 1
        index = 0
        while not self._ended("]"):
            self._lines[(*path, index)] = self._line()
            self._value((*path, index))
            index += 1

    def _table(self, path: At) -> None:
        self._at += 1
        while not self._ended("}"):
            self._assignment(path)

    def _ended(self, closing: str) -> bool:
        """Step over a comma; return whether the list or table ends here, stepping over that too."""
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)
        if self._text[self._at] != closing:
            return False
        self._at += 1
        return True

    def _line(self) -> int:
        return bisect.bisect_left(self._ends, self._at) + 1

    def _skip(self, form: re.Pattern[str]) -> bool:
        found = form.match(self._text, self._at)
        if found is None:
            return False
        self._at = found.end()
        return True

    def _take(self, form: re.Pattern[str]) -> str:
        start = self._at
        self._skip(form)
        return self._text[start : self._at]
