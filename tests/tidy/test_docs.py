"""What can be set, typed or asked for is in a document, and what a document shows is true."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.tidy.sources import PACKAGES, ROOT, Module, report, source_modules, tracked_files

DOCUMENTS = tuple(name for name in tracked_files() if name.endswith(".md"))
TEXT = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
# The changelog tells what happened; a thing that is only there is not documented.
EVERYTHING = "\n".join(text for name, text in TEXT.items() if name != "CHANGELOG.md")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

COMMANDS = {
    "citytwin-edge": "edge/citytwin_edge/cli",
    "citytwin-hub": "hub/citytwin_hub/cli",
}
CONFIGURATIONS = ("edge/citytwin_edge/", "hub/citytwin_hub/")
APIS = "hub/citytwin_hub/apis/"
METHODS = ("get", "post", "put", "patch", "delete", "websocket")


def targets() -> list[str]:
    return re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE)


def sub_commands(modules: tuple[Module, ...]) -> Iterator[tuple[str, str]]:
    """Yield program and sub-command for every ``add_parser("name", …)``."""
    for module in modules:
        for program, home in COMMANDS.items():
            if module.path.startswith(home):
                for node in ast.walk(module.tree):
                    if (
                        isinstance(node, ast.Call)
                        and isinstance(node.func, ast.Attribute)
                        and node.func.attr == "add_parser"
                        and node.args
                        and isinstance(node.args[0], ast.Constant)
                    ):
                        yield program, str(node.args[0].value)


def is_written_by_people(module: Module, node: ast.ClassDef) -> bool:
    """Tell whether a class is read from a configuration file: a typo in it is an error."""
    strict = any(
        keyword.arg == "forbid_unknown_fields"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in node.keywords
    )
    of_config = re.search(r"(^|/)\w*config\w*(\.py|/\w+\.py)$", module.path)
    return strict or bool(of_config and not node.name.startswith("_"))


def settings(modules: tuple[Module, ...]) -> Iterator[tuple[str, str]]:
    """Yield place and name of every field that can stand in a configuration file."""
    for module in modules:
        if not module.path.startswith(CONFIGURATIONS):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and is_written_by_people(module, node):
                for field in node.body:
                    if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                        yield f"{module.path}:{field.lineno}", field.target.id


def routes(modules: tuple[Module, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield place, method and path of every ``@router.get("/path")``."""
    for module in modules:
        if not module.path.startswith(APIS):
            continue
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for mark in node.decorator_list:
                if (
                    isinstance(mark, ast.Call)
                    and isinstance(mark.func, ast.Attribute)
                    and mark.func.attr in METHODS
                    and mark.args
                    and isinstance(mark.args[0], ast.Constant)
                ):
                    method = "WS" if mark.func.attr == "websocket" else mark.func.attr.upper()
                    yield f"{module.path}:{mark.lineno}", method, str(mark.args[0].value)


def test_every_make_target_is_documented() -> None:
    missing = [f"make {name}" for name in targets() if f"make {name}" not in EVERYTHING]
    report("These targets are in no document:", missing)


def test_every_make_command_shown_is_a_target() -> None:
    wrong = [
        f"{name}: make {target}"
        for name, text in TEXT.items()
        for target in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)
        if target not in targets()
    ]
    report("The Makefile has no such target:", wrong)


def test_every_command_is_documented() -> None:
    wrong = []
    for program, command in sub_commands(source_modules()):
        # Spelled out, or in a list of alternatives: `citytwin-edge run | check | probe`; of a
        # group, behind its name: `citytwin-edge profiles list | show`.
        shown = re.compile(rf"{program} (?:[a-z-]+ )?(?:[a-z-]+ \| )*{re.escape(command)}\b")
        if not shown.search(EVERYTHING):
            wrong.append(f"{program} {command}")
    report("These commands are in no document:", wrong)


def test_every_setting_is_documented() -> None:
    wrong = [
        f"{place}: {name}"
        for place, name in settings(source_modules())
        if not re.search(
            rf"(?:`{name}`|^\s*#?\s*{name} = |^\[+(?:\w+\.)?{name}\]+)", EVERYTHING, re.MULTILINE
        )
    ]
    report("These settings are in no document (`name`, `name = …` or `[name]`):", wrong)


def test_every_route_is_documented() -> None:
    wrong = []
    for place, method, path in routes(source_modules()):
        short = path.removeprefix("/api/v1")
        if f"{method} {short}" not in EVERYTHING and f"{method} {path}" not in EVERYTHING:
            wrong.append(f"{place}: {method} {path}")
    report("These routes are in no document:", wrong)


def test_every_link_leads_somewhere() -> None:
    wrong = [
        f"{name}: {target}"
        for name, text in TEXT.items()
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
        if "://" not in target and not ((ROOT / name).parent / target).exists()
    ]
    report("These links lead nowhere:", wrong)


def with_examples() -> list[str]:
    """Return the import names of the source modules whose docstrings hold examples."""
    folders = {package: package.rpartition("/")[0] for package in PACKAGES}
    names = []
    for module in source_modules():
        if re.search(r"^\s*>>> ", module.text, re.MULTILINE):
            folder = next(f for p, f in folders.items() if module.path.startswith(f"{p}/"))
            dotted = module.path.removeprefix(f"{folder}/").removesuffix(".py").replace("/", ".")
            names.append(dotted.removesuffix(".__init__"))
    return names


@pytest.mark.parametrize("name", with_examples())
def test_the_examples_in_docstrings_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted
    assert not result.failed


def test_what_is_not_documented_is_found() -> None:
    cli = Module("hub/citytwin_hub/cli.py", 'commands.add_parser("fly", help="…")')
    assert list(sub_commands((cli,))) == [("citytwin-hub", "fly")]
    config = Module("edge/citytwin_edge/config.py", "class Outbox:\n    size_mb_max: int = 5\n")
    assert [name for _place, name in settings((config,))] == ["size_mb_max"]
    text = "class Ble(msgspec.Struct, forbid_unknown_fields=True):\n    address: str\n"
    adapter = Module("edge/citytwin_edge/adapters/ble.py", text)
    assert [name for _place, name in settings((adapter,))] == ["address"]
    api = Module(f"{APIS}rest.py", '@router.get("/points")\nasync def points() -> None: ...\n')
    assert [found[1:] for found in routes((api,))] == [("GET", "/points")]


def test_examples_of_configuration_are_toml() -> None:
    """What a technician copies is at least a file that can be read."""
    wrong, seen = [], 0
    for name, text in TEXT.items():
        for block in re.finditer(r"^```toml[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            seen += 1
            try:
                tomllib.loads(block[1])
            except tomllib.TOMLDecodeError as error:
                wrong.append(f"{name}:{text[: block.start()].count(chr(10)) + 1}: {error}")
    assert seen > 20
    report("These examples cannot be read as TOML", wrong)
