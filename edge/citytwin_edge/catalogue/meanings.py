"""Meanings: what the code says of itself: of a struct's fields, of constants and members.

So a page about an adapter needs no second text that could say something else. An agent runs
without docstrings (PYTHONOPTIMIZE=2): only commands and documents may use this module.
"""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any, Final

from citytwin.errors import CityTwinError

_ROLE: Final = re.compile(r":\w+:`~?([^`]+)`")
_SEE: Final = re.compile(r"[;,]? see\s+:class:`[^`]+`(?: for [a-z ]+)?")
"""A hint for whoever reads the code; it says nothing to whoever reads a page."""


def needed() -> None:
    """Refuse to describe anything where Python has left the docstrings out.

    Raises:
        CityTwinError: it has.
    """
    if needed.__doc__ is None:
        raise CityTwinError(
            "Python left out here what the code says of itself (PYTHONOPTIMIZE=2, or -OO), and "
            "that is what this command shows; type env -u PYTHONOPTIMIZE in front of it"
        )


def plain(text: str) -> str:
    """Return one line of Markdown for a piece of a docstring."""
    text = _SEE.sub("", text)
    linked = _ROLE.sub(lambda found: f"`{found[1].rpartition('.')[2]}`", text)
    return " ".join(linked.replace("``", "`").split())


def caption(thing: Any) -> str:
    """Return the first sentence of what a module or a class says of itself; empty for nothing."""
    return plain((inspect.getdoc(thing) or "").partition("\n\n")[0])


def paragraphs(doc: str) -> list[str]:
    """Return the paragraphs of a docstring as Markdown; one that is set in, as a block of code."""
    found = []
    for block in doc.strip("\n").split("\n\n"):
        lines = block.strip("\n").splitlines()
        if lines and all(line.startswith("    ") for line in lines):
            found.append("\n".join(lines))
        elif any(line.startswith(("- ", "* ")) for line in lines):
            joined = re.sub(r"\n\s+", " ", "\n".join(lines))
            found.append("\n".join(plain(line) for line in joined.splitlines()))
        elif lines:
            found.append(plain(block))
    return found


def section(doc: str, title: str) -> dict[str, str]:
    """Return the entries of a docstring's section (Google style): what stands before the colon.

    ``a, b: text`` says the same of both.
    """
    entries: dict[str, str] = {}
    heads: list[str] = []
    inside = False
    for line in inspect.cleandoc(doc).splitlines():
        if not line.startswith(" "):
            inside = line == f"{title}:" or (inside and not line)
            continue
        if not inside:
            continue
        if line.startswith("     "):
            text = line.strip()
        else:
            head, _, text = line.strip().partition(": ")
            heads = [name.strip("` ") for name in head.rstrip(":").split(",")]
        for name in heads:
            entries[name] = f"{entries.get(name, '')} {text}"
    return {name: plain(text) for name, text in entries.items()}


def attributes(struct: type) -> dict[str, str]:
    """Return what a class and those that it extends say of their fields; the nearest counts."""
    found: dict[str, str] = {}
    for one in reversed(struct.__mro__):
        found |= section(one.__dict__.get("__doc__") or "", "Attributes")
    return found


def constants(tree: ast.Module | ast.ClassDef) -> dict[str, str]:
    """Return the names that a module or class sets, each with the text that stands below it."""
    found: dict[str, str] = {}
    for statement, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                pass
            case _:
                continue
        match below:
            case ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = plain(text)
            case _:
                found[name] = ""
    return found
