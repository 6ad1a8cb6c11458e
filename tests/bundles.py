"""Bundles for tests of the installer: one of this checkout, and changed ones as newer versions."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from bundler.kinds import this_machine
from tests.clean_gateway import ROOT, call

Change = tuple[str, str]
"""What stands in a file of ours, and what stands there instead."""
NEWER_SCHEMA: Change = (
    "        if version == 0:\n",
    "        if 0 < version < SCHEMA:\n"
    '            self._db.execute("ALTER TABLE entries ADD COLUMN urgency INTEGER")\n'
    '            self._db.execute(f"PRAGMA user_version = {SCHEMA}")\n'
    "{more}"
    "        if version == 0:\n",
)
"""A migration that adds a column, as a later version of the outbox may have it."""
SAYS_WHO_MAY_READ = (
    "            self._db.execute("
    "\"INSERT OR REPLACE INTO counters (name, value) VALUES ('oldest_reader', 1)\")\n"
)
NEWER = ("SCHEMA: Final = 1\n", "SCHEMA: Final = 2\n")


def newer_outbox(*, readable: bool) -> list[Change]:
    """Return the changes of a version whose outbox is of the next schema.

    ``readable``: its predecessor may still read and write it.
    """
    old, new = NEWER_SCHEMA
    return [NEWER, (old, new.replace("{more}", SAYS_WHO_MAY_READ if readable else ""))]


def make(folder: Path, part: str = "edge", *more: str) -> Path:
    """Make a bundle of this checkout for this machine's own Python; return where it lies."""
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = call("/usr/bin/python3", "-c", asked).strip()
    call(ROOT / "deploy/bundle.sh", Path(sys.prefix), part, folder,
         "--for", this_machine().architecture, "--python", version, *more)  # fmt: skip
    return folder


def changed(bundle: Path, folder: Path, changes: Mapping[str, list[Change]]) -> Path:
    """Copy a bundle and change files of citytwin_edge in it, by their names; return the copy.

    Without changes it is the same program as another version.
    """
    shutil.copytree(bundle, folder)
    (wheel,) = (folder / "wheels").glob("citytwin_edge-*.whl")
    with zipfile.ZipFile(wheel) as old:
        files = {name: old.read(name) for name in old.namelist()}
    for name, pairs in changes.items():
        text = files[f"citytwin_edge/{name}"].decode()
        for before, after in pairs:
            assert text.count(before) == 1, f"{name} has changed: {before!r}"
            text = text.replace(before, after)
        files[f"citytwin_edge/{name}"] = text.encode()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as new:
        for name, body in files.items():
            new.writestr(name, body)
    (folder / "guides/note.md").write_text(folder.name)
    sum_up(folder)
    return folder


def sum_up(bundle: Path) -> None:
    """Write its SHA256SUMS anew."""
    sums = bundle / "SHA256SUMS"
    sums.unlink()
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    sums.write_text(
        "".join(
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(bundle)}\n"
            for path in files
        )
    )


def registry_is_silent() -> str:
    """Return why nothing can be fetched here; empty when it can."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "index", "versions", "pip"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return "" if done.returncode == 0 else "the package registry cannot be reached"
