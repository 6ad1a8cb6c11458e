"""Fetching: brings ready-made files of locked versions, each checked against its hash."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bundler.kinds import Kind
from bundler.locks import Entry

FETCH_S_MAX: Final = 1800.0
LAST_LINES: Final = 5
NOT_THERE: Final = "(from versions: none)"
"""What pip says when nothing that fits was found."""


class BundleError(Exception):
    """A bundle cannot be made; the text says why and what to do."""


def pip(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run pip with this Python."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    return subprocess.run(
        [sys.executable, "-m", "pip", *words, *quiet],
        cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FETCH_S_MAX,
        check=False,
    )  # fmt: skip


def fetch(lock: Sequence[Entry], kind: Kind, folder: Path) -> None:
    """Bring the files of a lock that fit a kind of machine into ``folder``.

    Raises:
        BundleError: there are versions without a ready-made file, or the registry is silent.
    """
    done = _download(lock, kind, folder)
    if done.returncode == 0:
        return
    if NOT_THERE not in done.stderr:
        raise BundleError(f"pip could not fetch what {kind.words} needs: {_last_lines(done)}")
    lacking = [entry for entry in lock if _download([entry], kind, folder).returncode]
    if len(lacking) == len(lock):
        raise BundleError(f"the package registry gives nothing: {_last_lines(done)}")
    raise BundleError(
        f"{kind.words} has no ready-made file of {', '.join(entry.name for entry in lacking)}; "
        "make the bundle on such a machine that has a C compiler: --for here builds them"
    )


def build(lock: Sequence[Entry], folder: Path) -> None:
    """Bring the files of a lock for this machine into ``folder``; build those that are not there.

    Raises:
        BundleError: one cannot be had nor built.
    """
    with _written(lock) as file:
        done = pip("wheel", "--require-hashes", "--wheel-dir", folder, "-r", file.name)
    if done.returncode:
        raise BundleError(f"pip could not get what this machine needs: {_last_lines(done)}")


def _download(lock: Sequence[Entry], kind: Kind, folder: Path) -> subprocess.CompletedProcess[str]:
    with _written(lock) as file:
        return pip(
            "download", "--require-hashes", "--no-deps", "--dest", folder, "-r", file.name,
            *kind.pip_options,
        )  # fmt: skip


def _written(lock: Sequence[Entry]) -> tempfile._TemporaryFileWrapper[str]:
    file = tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8")  # noqa: SIM115
    file.write("\n".join(entry.without_marker for entry in lock) + "\n")
    file.flush()
    return file


def _last_lines(done: subprocess.CompletedProcess[str]) -> str:
    said = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
    return " / ".join(said[-LAST_LINES:])
