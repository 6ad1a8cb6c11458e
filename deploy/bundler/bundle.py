"""A bundle: wheels, installer, service and example in one folder, with the hash of each file."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bundler.fetching import BundleError, build, fetch, pip
from bundler.kinds import Kind
from bundler.locks import Entry, entries, wanted

__all__ = ["BundleError", "Made", "make"]

OURS: Final = {"edge": ("common", "protos", "edge"), "hub": ("common", "protos", "hub")}
SUMS: Final = "SHA256SUMS"
COMPILED: Final = "compiled"
"""The lock of what a gateway's kernels are compiled with."""
INSTALLS: Final = "pip"
"""The installer runs pip from its wheel, so the machine needs none."""


class Made(NamedTuple):
    """What came out: its size and number of wheels, and whom it is for, in words."""

    size_bytes: int
    wheels: int
    words: str


def make(
    root: Path,
    part: str,
    folder: Path,
    kinds: Sequence[Kind],
    *,
    here: bool,
    compiled: bool = False,
) -> Made:
    """Make the bundle of a part of the checkout ``root``; what was in ``folder`` goes.

    Args:
        root: the checkout.
        part: "edge" or "hub".
        folder: where it is made.
        kinds: whom it is for.
        here: build what has no ready-made file, on and for this machine.
        compiled: put in what compiles the kernels, too.

    Raises:
        BundleError: something cannot be had; ``folder`` is then not there.
    """
    shutil.rmtree(folder, ignore_errors=True)
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    try:
        locks = (part, COMPILED) if compiled else (part,)
        names = _third_party(root, locks, kinds, wheels, here=here)
        _own(root, part, wheels)
        _check_wheels(wheels)
        (folder / "requirements.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
        _rest(root, part, folder, kinds)
    except BaseException:
        shutil.rmtree(folder)
        raise
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    # Lets the installer notice a copy that was cut short or changed on the way.
    (folder / SUMS).write_text(
        "".join(f"{_digest(path)}  ./{path.relative_to(folder)}\n" for path in files),
        encoding="utf-8",
    )
    size = sum(path.stat().st_size for path in files)
    return Made(size, len(list(wheels.iterdir())), _words(kinds))


def _third_party(
    root: Path, locks: Sequence[str], kinds: Sequence[Kind], wheels: Path, *, here: bool
) -> list[str]:
    """Fetch what we did not write; return the lines by which it is installed."""
    requirements = root / "deploy/requirements"
    lock: list[Entry] = []
    for name in locks:
        found = entries((requirements / f"{name}.txt").read_text(encoding="utf-8"))
        lock += [one for one in found if one not in lock]
    tools = entries((requirements / "edge.txt").read_text(encoding="utf-8"))
    tools = [one for one in tools if one.requirement.name == INSTALLS and one not in lock]
    for kind in kinds:
        if here:
            build(wanted([*lock, *tools], kind), wheels)
        else:
            fetch(wanted([*lock, *tools], kind), kind, wheels)
    return [entry.without_hashes for entry in lock]


def _own(root: Path, part: str, wheels: Path) -> None:
    folders = [f"./{name}" for name in OURS[part]]
    done = pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels.resolve(),
               *folders, cwd=root)  # fmt: skip
    if done.returncode:
        raise BundleError(f"our own distributions could not be built: {done.stderr}")


def _check_wheels(wheels: Path) -> None:
    """Refuse what a machine would have to build: it may have no compiler, and no internet."""
    others = [path.name for path in wheels.iterdir() if path.suffix != ".whl"]
    if others:
        raise BundleError(f"these are not ready-made: {', '.join(sorted(others))}")


def _rest(root: Path, part: str, folder: Path, kinds: Sequence[Kind]) -> None:
    deploy = root / "deploy"
    (own,) = (folder / "wheels").glob(f"citytwin_{part}-*.whl")
    contents = {"part": part, "version": own.name.split("-")[1], "kinds": [list(k) for k in kinds]}
    (folder / "contents.json").write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")
    for name in ("install.sh", "python.sh", f"systemd/citytwin-{part}.service",
                 f"examples/{part}.toml", "systemd/compiled.conf"):  # fmt: skip
        shutil.copy2(deploy / name, folder)
    _copy(deploy / "installer", folder / "installer", "*.py")
    _copy(root / "docs/guides", folder / "guides", "*.md")


def _copy(source: Path, folder: Path, pattern: str) -> None:
    folder.mkdir()
    for path in source.glob(pattern):
        shutil.copy2(path, folder)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _words(kinds: Sequence[Kind]) -> str:
    architectures = dict.fromkeys(kind.architecture for kind in kinds)
    pythons = dict.fromkeys(kind.python for kind in kinds)
    return f"{' and '.join(architectures)} with Python {', '.join(pythons)}"
