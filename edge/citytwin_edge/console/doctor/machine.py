"""What the machine is like: versions, memory, disk and its wear, time zone."""

from __future__ import annotations

import os
import platform
import time
from datetime import datetime, timedelta, timezone
from importlib import metadata
from pathlib import Path
from typing import Final

from citytwin.batch import SECOND_NS
from citytwin.clock import Clock
from citytwin_edge import VERSION
from citytwin_edge.console import sentences as say
from citytwin_edge.console.doctor.findings import Finding, Result
from citytwin_edge.console.sentences import size

LIBRARIES: Final = (
    "citytwin", "citytwin-protos", "citytwin-edge", "aiomqtt", "cryptography", "grpcio", "h11",
    "msgspec", "numpy", "pymodbus", "pyserial", "structlog",
)  # fmt: skip
MEMORY_BYTES_MIN: Final = 64 * 1024 * 1024
DISK_BYTES_MIN: Final = 16 * 1024 * 1024
TRIAL: Final = b"doctor\n" * 512
WORN_PERCENT: Final = 80


def basics() -> dict[str, str]:
    """Return the agent's version and on what it runs, by name."""
    return {
        "citytwin-edge": VERSION,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "system": _system(),
        "machine": platform.machine(),
    }


def versions() -> dict[str, str]:
    """Return what runs here, by name, with the libraries.

    An agent need not know them: to read them takes a megabyte of memory.
    """
    found = basics()
    for name in LIBRARIES:
        try:
            found.setdefault(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            found.setdefault(name, "is not installed")
    return found


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def examine_machine(state: Path, outbox_bytes_max: int, clock: Clock) -> list[Finding]:
    """Return versions, memory, time zone, disk and wear.

    Args:
        state: the state folder.
        outbox_bytes_max: how large the outbox may become.
        clock: for the local time.
    """
    found = basics()
    system = f"{found['system']}, Linux {found['kernel']} {found['machine']}"
    words = say.VERSIONS.said(version=VERSION, python=found["python"], system=system)
    return [
        Finding("versions", Result.OK, words),
        zone(clock.now_ns()),
        *memory(Path("/proc/meminfo")),
        *disk(state, outbox_bytes_max),
        *wear(state, Path("/sys/block")),
    ]


def zone(now_ns: int) -> Finding:
    """Return the time zone; a gateway works in UTC, only people see it."""
    local = time.localtime(now_ns // SECOND_NS)
    there = timezone(timedelta(seconds=local.tm_gmtoff), local.tm_zone)
    moment = datetime.fromtimestamp(now_ns // SECOND_NS, there)
    name = f"{local.tm_zone} (UTC{moment:%z})"
    words = say.ZONE.said(zone=name, time=moment.strftime("%Y-%m-%d %H:%M:%S"))
    return Finding("time zone", Result.OK, words)


def memory(meminfo: Path) -> list[Finding]:
    """Return how much memory is free; nothing where the kernel does not say."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free, total = (int(lines[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))
    except (OSError, KeyError, ValueError):
        return []
    words = say.MEMORY.said(free=size(free), size=size(total))
    if free < MEMORY_BYTES_MIN:
        return [Finding("memory", Result.WARNING, words, say.MEMORY_LOW.said())]
    return [Finding("memory", Result.OK, words)]


def disk(state: Path, outbox_bytes_max: int) -> list[Finding]:
    """Return whether there is room at the state folder, and whether it can be written."""
    folder = (state if state.exists() else state.parent).resolve()
    try:
        there = os.statvfs(folder)
        _try_to_write(folder)
    except OSError as error:
        words = say.DISK_UNWRITABLE.said(folder=folder, why=error.strerror or error)
        return [Finding("disk", Result.FAILED, words, say.MAKE_WRITABLE.said())]
    free, total = there.f_bavail * there.f_frsize, there.f_blocks * there.f_frsize
    box = state / "outbox.db"
    more = max(outbox_bytes_max - (box.stat().st_size if box.exists() else 0), 0)
    about = {"free": size(free), "size": size(total), "folder": folder}
    if free < max(more, DISK_BYTES_MIN):
        words = say.DISK_SHORT.said(**about, more=size(max(more, DISK_BYTES_MIN)))
        return [Finding("disk", _shortage(free), words, say.MAKE_ROOM.said())]
    return [Finding("disk", Result.OK, say.DISK.said(**about))]


def _shortage(free: int) -> Result:
    return Result.FAILED if free < DISK_BYTES_MIN else Result.WARNING


def _try_to_write(folder: Path) -> None:
    """Write a small file through to the disk and take it away again (OSError)."""
    trial = folder / f"doctor.{os.getpid()}.partial"
    try:
        with trial.open("wb") as file:
            file.write(TRIAL)
            file.flush()
            os.fsync(file.fileno())
    finally:
        trial.unlink(missing_ok=True)


def wear(state: Path, blocks: Path) -> list[Finding]:
    """Return how worn flash memory is that says so (eMMC 5.0, JESD84-B50, 7.4.92: life time)."""
    findings = []
    for file in sorted(blocks.glob("*/device/life_time")):
        try:
            # Steps of a tenth, of two kinds of memory; 0: not known, 11: beyond its life.
            steps = max(int(word, 16) for word in file.read_text().split())
        except (OSError, ValueError):
            continue
        if steps:
            percent = min(10 * steps, 110)
            words = say.WEAR.said(device=file.parts[-3], percent=percent)
            is_worn = percent > WORN_PERCENT
            remedy = say.EXCHANGE_MEMORY.said(state=state) if is_worn else ""
            result = Result.WARNING if is_worn else Result.OK
            findings.append(Finding("wear", result, words, remedy))
    return findings
