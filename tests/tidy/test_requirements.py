"""The locks: every version pinned with hashes, no registry named, nothing declared is missing."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tidy.sources import ROOT, report, tracked_files

REQUIREMENTS = ROOT / "deploy/requirements"
OURS = {"citytwin", "citytwin-protos", "citytwin-edge", "citytwin-hub"}
LOCKS = ("build", "edge", "compiled", "hub", "import", "demo", "dev")
PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)")

# Hosts of package registries, cut in two so that this file does not name one either.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("npmmirror", "com"),
        ("debian", "org/debian"),
        ("archive", "ubuntu", "com"),
    )
)


def asked_for(name: str) -> set[str]:
    """Return the distributions that a .in file names, its included files not followed."""
    found: set[str] = set()
    for line in (REQUIREMENTS / f"{name}.in").read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text and not text.startswith("-r "):
            found.add(canonicalize_name(Requirement(text).name))
    return found


def pinned(name: str) -> dict[str, set[str]]:
    """Return distribution and versions of a lock; more than one where Python versions differ."""
    found: dict[str, set[str]] = {}
    for match in PINNED.finditer((REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(match["name"]), set()).add(match["version"])
    return found


def declared(*folders: str) -> set[str]:
    """Return what the pyproject.toml files of these folders depend on, our own left out."""
    found: set[str] = set()
    for folder in folders:
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))
        for text in project["project"]["dependencies"]:
            found.add(canonicalize_name(Requirement(text).name))
    return found - OURS


@pytest.mark.parametrize("name", LOCKS)
def test_every_version_is_pinned_with_hashes(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"\n(?=\S)", text.strip()) if entry]
    assert entries
    wrong = [
        entry.partition("\n")[0]
        for entry in entries
        if not PINNED.match(entry) or "--hash=sha256:" not in entry
    ]
    report(f"{name}.txt: these lines are not a version with hashes (make lock):", wrong)


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_asked_for_is_locked(name: str) -> None:
    missing = asked_for(name) - pinned(name).keys()
    report(f"{name}.in has these, {name}.txt has not (make lock):", sorted(missing))


@pytest.mark.parametrize("name", ["build", "edge", "compiled", "hub", "import", "demo"])
def test_a_version_is_the_same_in_every_lock(name: str) -> None:
    everything = pinned("dev")
    wrong = [
        f"{distribution} {sorted(versions)} but dev.txt has {sorted(everything[distribution])}"
        for distribution, versions in pinned(name).items()
        if not versions <= everything[distribution]
    ]
    report(f"{name}.txt differs from dev.txt (make lock):", wrong)


@pytest.mark.parametrize(
    ("name", "folders"),
    [("edge", ("common", "protos", "edge")), ("hub", ("common", "protos", "hub"))],
)
def test_the_list_is_what_the_distributions_declare(name: str, folders: tuple[str, ...]) -> None:
    assert asked_for(name) == declared(*folders)


@pytest.mark.parametrize(("name", "folder"), [("compiled", "edge"), ("import", "hub")])
def test_the_list_of_an_extra_is_the_extra(name: str, folder: str) -> None:
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))
    extra = project["project"]["optional-dependencies"][name]
    assert asked_for(name) == {canonicalize_name(Requirement(one).name) for one in extra}


def test_the_build_backend_is_locked() -> None:
    for folder in ("common", "protos", "edge", "hub"):
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))
        needed = {
            canonicalize_name(Requirement(r).name) for r in project["build-system"]["requires"]
        }
        assert needed <= pinned("build").keys()


def test_no_file_names_a_registry() -> None:
    wrong = []
    for name in tracked_files():
        text = (ROOT / name).read_bytes().decode("utf-8", errors="replace")
        wrong += [
            f"{name}:{number}: {registry}"
            for number, line in enumerate(text.splitlines(), 1)
            for registry in REGISTRIES
            if registry in line
        ]
    report("Each machine uses the registry it is set up with; take the address out:", wrong)


def npm_locks() -> list[Path]:
    return [ROOT / name for name in tracked_files() if name.endswith("package-lock.json")]


@pytest.mark.parametrize("path", npm_locks(), ids=lambda p: str(p.relative_to(ROOT)))
def test_an_npm_lock_holds_hashes_and_no_address(path: Path) -> None:
    packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
    others = {name: entry for name, entry in packages.items() if name and not entry.get("link")}
    assert others
    report(
        "These have no integrity hash:",
        [name for name, entry in others.items() if "integrity" not in entry],
    )
    report(
        "These hold an address; put omit-lockfile-registry-resolved=true into .npmrc:",
        [name for name, entry in others.items() if "resolved" in entry],
    )
