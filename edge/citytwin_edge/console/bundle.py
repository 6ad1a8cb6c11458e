"""The support bundle: one archive with what helps others to help, and no secret in it."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from citytwin.errors import CityTwinError
from citytwin_edge.console.blanking import Secrets
from citytwin_edge.console.doctor.machine import versions

JOURNAL_LINES: Final = 5000
JOURNAL_S_MAX: Final = 20.0
LOG_BYTES_MIN: Final = 64 * 1024
"""So much of a log is worth having; below it the limit is too small for a bundle."""


class Material(NamedTuple):
    """What a bundle is made of: the doctor's rows, the agent's status, its last log lines."""

    findings: list[dict[str, Any]]
    status: dict[str, Any] | None
    log: list[dict[str, Any]]


def write_bundle(
    target: Path, config: Path, state: Path, material: Material, *, size_bytes_max: int
) -> list[dict[str, Any]]:
    """Write the archive; return a row for each of its files.

    Args:
        target: the file to write.
        config: the configuration's file.
        state: the state folder; of its files only names and sizes are taken.
        material: what is known already.
        size_bytes_max: of all files together, before they are packed; logs are cut to fit.

    Raises:
        CityTwinError: it cannot be written, or the limit is too small.
    """
    try:
        text = config.read_text(errors="replace")
    except OSError as error:
        text = f"# {config} cannot be read: {error.strerror}\n"
    secrets = Secrets(text)
    files = {
        "edge.toml": secrets.configuration(),
        "status.json": _json(material.status),
        "doctor.json": _json(material.findings),
        "versions.json": _json(versions()),
        "state-folder.json": _json(_folder(state)),
    }
    logs = {
        "log.jsonl": "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in material.log),
        "journal.txt": _journal(),
    }
    clean = {name: secrets.cleaned(content).encode() for name, content in files.items()}
    room = size_bytes_max - sum(map(len, clean.values()))
    if room < len(logs) * LOG_BYTES_MIN:
        raise CityTwinError(
            f"{size_bytes_max} bytes are too few for a bundle of this gateway; give it "
            "--size-mb-max 20"
        )
    for name, content in logs.items():
        clean[name] = _newest(secrets.cleaned(content).encode(), room // len(logs))
    _pack(target, clean)
    return [{"file": name, "bytes": len(content)} for name, content in clean.items()]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _folder(state: Path) -> list[dict[str, Any]]:
    """Return names, sizes and rights of what lies in the state folder."""
    try:
        files = sorted(state.iterdir())
        return [
            {"file": file.name, "bytes": file.lstat().st_size, "mode": f"{file.lstat().st_mode:o}"}
            for file in files
        ]
    except OSError as error:
        return [{"file": str(state), "bytes": 0, "mode": str(error.strerror)}]


def _journal() -> str:
    """Return what systemd has kept of the agent's log; empty where it keeps none."""
    program = shutil.which("journalctl")
    if program is None:
        return ""
    command = [program, "--unit", "citytwin-edge", "--output", "short-iso", "--no-pager",
               "--lines", str(JOURNAL_LINES)]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603  # nothing of it comes from outside
            command, check=False, capture_output=True, timeout=JOURNAL_S_MAX
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")


def _newest(log: bytes, size_bytes_max: int) -> bytes:
    """Return the end of a log, whole lines, and a word that the beginning is missing."""
    if len(log) <= size_bytes_max:
        return log
    note = b"(older lines are left out)\n"
    kept = log[-(size_bytes_max - len(note)) :]
    return note + kept[kept.find(b"\n") + 1 :]


def _pack(target: Path, files: dict[str, bytes]) -> None:
    """Write all files, or leave nothing behind."""
    folder = target.name.partition(".")[0] or "bundle"
    partial = target.with_name(f"{target.name}.partial")
    try:
        with tarfile.open(partial, "w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(f"{folder}/{name}")
                member.size, member.mode = len(content), 0o600
                archive.addfile(member, io.BytesIO(content))
        partial.rename(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        why = error.strerror or error
        raise CityTwinError(f"{target} cannot be written: {why}; name another place") from None
