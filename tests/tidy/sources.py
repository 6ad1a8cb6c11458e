"""What the tidy tests look at: the files of the repository, parsed once, and the ratchet list."""

from __future__ import annotations

import ast
import functools
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Where the packages live, and where the tests that mirror them live.
PACKAGES = {
    "common/citytwin": "tests/common",
    "protos/citytwin_protos": "tests/protos",
    "edge/citytwin_edge": "tests/edge",
    "hub/citytwin_hub": "tests/hub",
    "deploy/bundler": "tests/bundler",
    "deploy/democity": "tests/democity",
    "deploy/installer": "tests/installer",
}

GENERATED = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


@dataclass(frozen=True)
class Module:
    """One Python file: where it is and what it says."""

    path: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @functools.cached_property
    def names(self) -> dict[str, str]:
        """What each imported name stands for: ``{"sleep": "time.sleep", "dt": "datetime"}``."""
        meaning: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    local = alias.asname or alias.name.partition(".")[0]
                    meaning[local] = alias.name if alias.asname else local
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    meaning[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return meaning

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield line and full dotted name of everything imported, wherever it stands."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node.lineno, alias.name
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    yield node.lineno, f"{node.module}.{alias.name}"

    def dotted(self, node: ast.expr) -> str:
        """Return the full name that an expression reaches (``time.sleep``), or an empty text."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            before = self.dotted(node.value)
            return f"{before}.{node.attr}" if before else ""
        return ""


@functools.cache
def tracked_files() -> tuple[str, ...]:
    """Return every file that is, or is about to be, in the repository.

    The checkout may belong to somebody else than who runs the tests (a build machine's volume),
    which git refuses unless told otherwise.
    """
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-zco", "--exclude-standard"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        timeout=30,
    )
    assert listed.returncode == 0, f"the tidy tests need a git checkout: {listed.stderr.decode()}"
    names = sorted(set(listed.stdout.decode().split("\0")) - {""})
    return tuple(name for name in names if (ROOT / name).is_file())


@functools.cache
def all_modules() -> tuple[Module, ...]:
    """Return every Python file written by hand: sources, tests and tools."""
    return tuple(
        Module(name, (ROOT / name).read_text(encoding="utf-8"))
        for name in tracked_files()
        if name.endswith(".py") and not name.endswith(GENERATED)
    )


@functools.cache
def source_modules() -> tuple[Module, ...]:
    """Return the Python files of the packages: what runs, not what tests it."""
    return tuple(m for m in all_modules() if m.path.startswith(tuple(f"{p}/" for p in PACKAGES)))


@functools.cache
def ratchet(name: str) -> dict[str, int]:
    """Return one table of ratchet.toml: what is not yet as it should be, and by how much."""
    text = (ROOT / "tests/tidy/ratchet.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text).get(name, {})
    return {key: int(value) for key, value in table.items()}


def held_to_ratchet(name: str, found: dict[str, int]) -> list[str]:
    """Compare what is over a limit with what the ratchet allows; return what is wrong.

    The list only shrinks: something new, something grown and something that has become better
    than its entry are all reported.
    """
    allowed = ratchet(name)
    wrong = []
    for key in sorted(found.keys() | allowed.keys()):
        have, may = found.get(key, 0), allowed.get(key, 0)
        if have > may:
            wrong.append(f"{key}: {have}" + (f", its ratchet allows {may}" if may else ""))
        elif have < may:
            better = f"lower its entry to {have}" if have else "take its entry out"
            wrong.append(f"{key}: better than its ratchet of {may}: {better} in ratchet.toml")
    return wrong


def report(rule: str, wrong: list[str]) -> None:
    """Fail with the rule and every place that breaks it."""
    assert not wrong, rule + "\n  " + "\n  ".join(wrong)
