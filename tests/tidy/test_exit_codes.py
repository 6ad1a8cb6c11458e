"""The technician's table of exit codes has every command, with the codes that it gives."""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from citytwin_edge.cli import parser
from tests.tidy.sources import ROOT

GUIDE = ROOT / "docs/guides/technician.md"
COLUMNS = (2, 3)
"""Of the table; what 0 and 1 mean stands there too, and 70 and 130 behind it."""
NO_AGENT = 3
"""What ``citytwin_edge.console.client.NoAgent`` gives where nobody takes it."""


def leaves(whole: argparse.ArgumentParser, words: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command as it is typed, with the function that does it."""
    groups = [one for one in whole._actions if isinstance(one, argparse._SubParsersAction)]
    if not groups:
        yield words, whole.get_default("do")
    for group in groups:
        for name, inner in group.choices.items():
            yield from leaves(inner, f"{words} {name}".strip())


COMMANDS = dict(leaves(parser()))


class Code:
    """The functions of a command's module that it comes to, and what they return."""

    def __init__(self, do: Any) -> None:
        module = sys.modules[do.__module__]
        tree = ast.parse(inspect.getsource(module))
        self._space = vars(module)
        self._functions = {
            one.name: one
            for one in tree.body
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self._reached: set[str] = set()
        self._reach(do.__name__)

    def _reach(self, name: str) -> None:
        if name in self._reached or name not in self._functions:
            return
        self._reached.add(name)
        for node in ast.walk(self._functions[name]):
            if isinstance(node, ast.Name):
                self._reach(node.id)

    def codes(self) -> set[int]:
        """Return the codes that are returned, and that of a missing agent, as far as in COLUMNS."""
        found: set[int] = set()
        asks = handles = passes_on = False
        for name in self._reached:
            own = self._functions[name]
            for node in ast.walk(own):
                if isinstance(node, ast.Return) and node.value is not None:
                    found |= self._numbers(node.value, own)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    asks |= node.value.id == "client" and node.attr in {"ask", "items"}
                    handles |= node.attr == "NoAgent"
                passes_on |= isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name)
        if asks and (passes_on or not handles):
            found.add(NO_AGENT)
        return found & set(COLUMNS)

    def _numbers(self, value: ast.expr, own: ast.AST) -> set[int]:
        """Return the numbers that an expression of a function may be."""
        if isinstance(value, ast.IfExp):
            return self._numbers(value.body, own) | self._numbers(value.orelse, own)
        if isinstance(value, ast.Subscript):
            known = self._named(value.value, own)
            return set(known.values()) if isinstance(known, dict) else set()
        if isinstance(value, ast.Name) and value.id.islower():
            return {
                number
                for node in ast.walk(own)
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == value.id
                and isinstance(node.value, ast.IfExp)
                for number in self._numbers(node.value, own)
            }  # fmt: skip
        number = value.value if isinstance(value, ast.Constant) else self._named(value, own)
        return {number} if isinstance(number, int) and not isinstance(number, bool) else set()

    def _named(self, value: ast.expr, own: ast.AST) -> Any:
        """Return what a name of the module, or one that the function imports, stands for."""
        if not isinstance(value, ast.Name):
            return None
        for node in ast.walk(own):
            names = [one.name for one in node.names] if isinstance(node, ast.ImportFrom) else []
            if value.id in names:
                return getattr(importlib.import_module(node.module), value.id)  # type: ignore[attr-defined]
        return self._space.get(value.id)


def table() -> dict[str, set[int]]:
    """Return the codes above 1 of each command as the guide has them."""
    text = GUIDE.read_text(encoding="utf-8").partition("### Exit codes")[2]
    rows = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("| ")]
    head = [cell.strip() for cell in rows[0]]
    found: dict[str, set[int]] = {}
    for row in rows[1:]:
        if len(row) < 2 or set(row[0]) <= set("- "):
            continue
        cells = dict(zip(head, row, strict=False))
        codes = {int(code) for code in head[3:] if cells.get(code, "").strip()}
        for command in re.findall(r"`([a-z -]+?)(?: --[a-z]+)?`", row[0]):
            found.setdefault(command, set()).update(codes)
    return found


def test_every_command_is_in_the_table() -> None:
    assert set(COMMANDS) == set(table())


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_table_has_the_codes_that_a_command_gives(command: str) -> None:
    assert table().get(command) == Code(COMMANDS[command]).codes()
