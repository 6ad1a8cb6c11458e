"""Abilities: what an adapter can do, which limits it has and what it can say, read off its code.

Nothing is built or opened: the classes that ``build`` says it returns are compared with the
contracts of :mod:`citytwin.adapter`, and the adapter's modules are read as text.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import types
import typing
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Final

import msgspec

from citytwin import adapter as contracts
from citytwin import quality
from citytwin.quality import Quality
from citytwin_edge.catalogue.meanings import caption, constants

CAPABILITIES: Final[dict[str, type]] = {
    "reads": contracts.Reads, "picks": contracts.Picks, "listens": contracts.Listens,
    "confirms": contracts.Confirms, "writes": contracts.Writes, "probes": contracts.Probes,
    "scans": contracts.Scans,
}  # fmt: skip
"""Of what ``build`` returns."""
OF_TYPES: Final[dict[str, type]] = {"decodes": contracts.Decodes, "locates": contracts.Locates}
"""Of the adapter type itself."""
TAPS: Final = "taps"
MODULES_MAX: Final = 200
_SAID_BY: Final = {
    "DeviceSilent": Quality.BAD_SILENT,
    "DeviceMalformed": Quality.BAD_MALFORMED,
    "DeviceRefused": Quality.BAD_REFUSED,
}
"""Which quality the gateway gives to the points of a device when an error is raised."""


class Form(msgspec.Struct, frozen=True):
    """One class that an adapter type builds: its name, what it is, what it can do."""

    name: str
    meaning: str
    can: tuple[str, ...]


class Limit(msgspec.Struct, frozen=True):
    """A limit that is fixed in the code: its name, its value, what it limits."""

    name: str
    value: float
    meaning: str


class Reason(msgspec.Struct, frozen=True):
    """A quality that its samples can have, as people read it, and when they have it."""

    words: str
    meaning: str


def meaning_of(ability: str) -> str:
    """Return what one word of ``can`` stands for."""
    if ability == TAPS:
        return "Shows the bytes on its line (`citytwin-edge frames`)."
    if ability in OF_TYPES:
        return caption(OF_TYPES[ability]).partition(": ")[2].capitalize()
    return caption(CAPABILITIES[ability])


def forms(kind: Any) -> list[Form]:
    """Return what an adapter type builds; nothing where its ``build`` does not say it."""
    return [Form(one.__name__, caption(one), tuple(_of(one, CAPABILITIES))) for one in _built(kind)]


def of_type(kind: Any) -> list[str]:
    """Return what an adapter type can do besides building."""
    return list(_of(type(kind), OF_TYPES))


def _of(one: type, known: dict[str, type]) -> Iterator[str]:
    for word, contract in known.items():
        if issubclass(one, contract):
            yield word


def _built(kind: Any) -> list[type]:
    """Return the classes that ``build`` is annotated to return."""
    try:
        said = typing.get_type_hints(kind.build).get("return")
    except (NameError, TypeError, AttributeError):  # a name that only a type checker imports
        return []
    parts = typing.get_args(said) if isinstance(said, types.UnionType) else (said,)
    return [one for one in parts if isinstance(one, type) and one is not contracts.Adapter]


def modules(place: str) -> list[str]:
    """Return the names of an adapter's module and of those of its package that it stands on."""
    first = place.partition(":")[0]
    whole = first.partition(".")[0]
    found: dict[str, None] = {}
    todo = [first]
    while todo and len(found) < MODULES_MAX:
        name = todo.pop(0)
        if name in found or _file(name) is None:
            continue
        found[name] = None
        todo += [one for one in _imported(name) if one.partition(".")[0] == whole]
    return list(found)


def limits(names: list[str]) -> list[Limit]:
    """Return the limits in some modules that their authors have told the meaning of."""
    found: dict[str, Limit] = {}
    for name in names:
        for constant, meaning in constants(_tree(name)).items():
            if constant.endswith("_MAX") and not constant.startswith("_") and meaning:
                value = getattr(importlib.import_module(name), constant)
                if isinstance(value, int | float):
                    found[constant] = Limit(constant, value, meaning)
    return [found[name] for name in sorted(found)]


def reasons(names: list[str]) -> list[Reason]:
    """Return the qualities that some modules give to samples, by what they write and raise."""
    used: set[Quality] = set()
    for name in names:
        for node in _used(_tree(name)):
            match node:
                case ast.Attribute(value=ast.Name(id="Quality"), attr=member):
                    used |= {Quality[member]} if member in Quality.__members__ else set()
                case ast.Call(func=ast.Name(id=raised)) if raised in _SAID_BY:
                    used.add(_SAID_BY[raised])
                case _:
                    pass
    said = _said_of_qualities()
    return [Reason(one.words, said[one.name]) for one in sorted(used - {Quality.GOOD})]


def taps(names: list[str]) -> bool:
    """Tell whether some module shows what goes over the line."""
    return any(
        isinstance(node, ast.Attribute) and node.attr == "tap"
        for name in names
        for node in ast.walk(_tree(name))
    )


def _used(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk what a module writes; what it only compares with is left out."""
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, ast.Compare | ast.match_case):
            yield child
            yield from _used(child)


@cache
def _said_of_qualities() -> dict[str, str]:
    said = {}
    for statement in (_tree(quality.__name__)).body:
        if isinstance(statement, ast.ClassDef) and statement.name == Quality.__name__:
            said = constants(statement)
    return said


def _tree(name: str) -> ast.Module:
    """Return a module's text as a tree; an empty one where there is none."""
    file = _file(name)
    return ast.Module([], []) if file is None else _parsed(file)


def _file(name: str) -> str | None:
    """Return where a module's text is; None where there is no such module, or no text of it."""
    first, *rest = name.split(".")
    try:
        found = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        return None
    full = first
    for part in rest:  # not find_spec(name): it would run the packages around the module
        if found is None or found.submodule_search_locations is None:
            return None
        full = f"{full}.{part}"
        found = PathFinder.find_spec(full, list(found.submodule_search_locations))
    if found is None or not found.origin or not found.origin.endswith(".py"):
        return None
    return found.origin


@cache
def _parsed(path: str) -> ast.Module:
    return ast.parse(Path(path).read_text(encoding="utf-8"))


def _imported(name: str) -> Iterator[str]:
    package = name.rpartition(".")[0]
    for node in ast.walk(_tree(name)):
        match node:
            case ast.Import(names=aliases):
                yield from (one.name for one in aliases)
            case ast.ImportFrom(module=module, names=aliases, level=level):
                base = module or ""
                if level:
                    parents = package.split(".")[: len(package.split(".")) - level + 1]
                    base = ".".join([*parents, *filter(None, [module])])
                yield base
                yield from (f"{base}.{one.name}" for one in aliases)
            case _:
                pass
