"""Power cuts, worked out from a trace: what a disk may hold when a program loses its power.

A program runs under strace, which tells every write and every sync. From that the disk is built up
as it may be at any moment: what was synced is there for certain; of what was written since, any
sectors may be there and others not, in whatever order. A new name is there when its file or its
folder was synced, as on ext4; a rename and a removal when the folder was.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

SECTOR_BYTES: Final = 512
RUN_S_MAX: Final = 60
CALLS: Final = "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,unlink,close"
_CALL: Final = re.compile(r"(\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>)?")
_FILE: Final = re.compile(r"(\d+)<([^>]*)>")
_TEXT: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass
class _File:
    """One file: as programs see it, as the disk has it, and where the two differ."""

    seen: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    sectors: set[int] = field(default_factory=set)

    def write(self, at: int, data: bytes) -> None:
        self.seen.extend(bytes(max(0, at + len(data) - len(self.seen))))
        self.seen[at : at + len(data)] = data
        self.sectors.update(range(at // SECTOR_BYTES, (at + len(data) - 1) // SECTOR_BYTES + 1))

    def truncate(self, size: int) -> None:
        self.write(size, bytes(max(0, size - len(self.seen))))
        del self.seen[size:]

    def sync(self) -> None:
        self.synced = bytes(self.seen)
        self.sectors.clear()

    def left(self, random: Random) -> bytes:
        """Return what a power cut leaves."""
        left = bytearray(self.synced)
        for sector in sorted(self.sectors):
            if random.random() < 0.5:
                begin = sector * SECTOR_BYTES
                part = self.seen[begin : begin + SECTOR_BYTES]
                left.extend(bytes(max(0, begin + len(part) - len(left))))
                left[begin : begin + len(part)] = part
        return bytes(left)


class _Disk:
    """All files below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: dict[Path, _File] = {}
        self.synced: dict[Path, _File] = {}
        self.positions: dict[int, int] = {}
        self.appending: set[int] = set()

    def opened(self, fd: int, path: Path, flags: str) -> None:
        self.positions[fd] = 0
        self.appending.discard(fd)
        if "O_APPEND" in flags:
            self.appending.add(fd)
        if "O_DIRECTORY" in flags or path.is_dir():
            return
        file = self.seen.setdefault(path, _File())
        if "O_TRUNC" in flags:
            file.truncate(0)

    def written(self, fd: int, path: Path, data: bytes, at: int | None) -> None:
        file = self.seen[path]
        if at is None:
            at = len(file.seen) if fd in self.appending else self.positions[fd]
            self.positions[fd] = at + len(data)
        file.write(at, data)

    def sync(self, path: Path) -> None:
        if path in self.seen:
            self.seen[path].sync()
            self.synced.setdefault(path, self.seen[path])
            return
        inside = {name: file for name, file in self.seen.items() if name.parent == path}
        outside = {name: file for name, file in self.synced.items() if name.parent != path}
        self.synced = outside | inside

    def leave(self, folder: Path, random: Random) -> None:
        """Write what a power cut at this moment leaves into an empty folder."""
        for path, file in self.synced.items():
            copy = folder / path.relative_to(self.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.left(random))


class Moment:
    """One moment of the program's life: what it had said until then, and what its disk was."""

    def __init__(self, said: list[str], disk: _Disk) -> None:
        """Belong to a disk that goes on."""
        self.said, self._disk = said, disk

    def cut(self, folder: Path, seed: int) -> None:
        """Write what a power cut leaves into ``folder``, which is made."""
        folder.mkdir(parents=True)
        self._disk.leave(folder, Random(seed))


def moments(command: Sequence[str], folder: Path, trace: Path) -> Iterator[Moment]:
    """Run a program to its end, then yield every moment at which its disk or its words changed.

    Args:
        command: the program; one thread, all its files below ``folder``.
        folder: empty, or not there.
        trace: where the trace may be written; outside of ``folder``.
    """
    strace = ["strace", "-qq", "-xx", "-y", "-s", str(1 << 20), "-e", f"trace={CALLS}", "-o"]
    done = subprocess.run(
        [*strace, str(trace), *command], stdout=subprocess.PIPE, timeout=RUN_S_MAX, check=True
    )
    disk, said = _Disk(folder), ""
    for line in trace.read_text().splitlines():
        call = _CALL.match(line)
        if call is None or int(call[3]) < 0:
            continue
        if call[1] == "write" and call[2].startswith("1<"):
            said += _bytes(call[2]).decode()
        elif not _apply(disk, call):
            continue
        yield Moment(said.rpartition("\n")[0].splitlines(), disk)
    assert said == done.stdout.decode(), "the trace has all that was said"
    for path, file in disk.seen.items():
        assert bytes(file.seen) == path.read_bytes(), f"the trace has all of {path}"


def _apply(disk: _Disk, call: re.Match[str]) -> bool:
    """Do what a call did; tell whether it was about the disk's folder."""
    name, words = call[1], call[2]
    if name == "openat":
        path = _path(call[4])
        if path.is_relative_to(disk.folder) and ("O_RDONLY" not in words or path.is_dir()):
            disk.opened(int(call[3]), path, words)
            return False
        return False
    if name in {"rename", "unlink"}:
        paths = [_path(text) for text in _TEXT.findall(words)]
        if not paths[0].is_relative_to(disk.folder):
            return False
        file = disk.seen.pop(paths[0])
        if name == "rename":
            disk.seen[paths[1]] = file
        return True
    found = _FILE.match(words)
    if found is None or not (path := _path(found[2])).is_relative_to(disk.folder):
        return False
    fd = int(found[1])
    if name in {"write", "pwrite64"}:
        at = int(words.rsplit(", ", 1)[1]) if name == "pwrite64" else None
        disk.written(fd, path, _bytes(words), at)
    elif name == "ftruncate":
        disk.seen[path].truncate(int(words.rsplit(", ", 1)[1]))
    elif name in {"fsync", "fdatasync"}:
        disk.sync(path)
    return name != "close"


def _path(escaped: str) -> Path:
    return Path(bytes.fromhex(escaped.replace("\\x", "")).decode())


def _bytes(words: str) -> bytes:
    found = _TEXT.search(words)
    assert found, words[:100]
    return bytes.fromhex(found[1].replace("\\x", ""))
