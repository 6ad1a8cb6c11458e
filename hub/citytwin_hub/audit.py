"""Audit log: who did what, as a chain of hashes in files that only grow (docs/specs/audit.md)."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from citytwin.errors import CityTwinError, StoreError
from citytwin.files import replace, sync

RECORD_BYTES_MAX: Final = 16 * 1024
SEGMENT_BYTES_MAX: Final = 16 * 1024 * 1024
ASIDE_MAX: Final = 1_000
"""Logs that were put aside."""
RESULT_CHARS_MAX: Final = 1_000
START: Final = "0" * 64
"""What the first record stands on."""
HASH_CHARS: Final = 64
HEAD: Final = "head"
KEY: Final = "key"
KEY_BYTES: Final = 32
LOCK: Final = "lock"
"""Who appends holds a lock on this file."""
_HEAD: Final = re.compile(rb"([0-9]{1,18}) ([0-9a-f]{64}) ([0-9a-f]{64})\n")
_SEGMENT: Final = re.compile(r"[0-9]{18}\.log")


class AuditError(CityTwinError):
    """The log is not what was written; names the file, the line and what is wrong."""


class Deed(NamedTuple):
    """What somebody did or read: ``what`` is a verb, ``on`` its object, ``result`` its outcome.

    ``source``: the address from where it was asked; empty where the hub or its machine did it.
    """

    who: str
    what: str
    on: str
    result: str = ""
    source: str = ""


class Entry(NamedTuple):
    """A record as it stands in the log; ``hash`` is of it and all before it."""

    number: int
    time_ns: int
    deed: Deed
    hash: str


class Verified(NamedTuple):
    """What a whole log ends with; ``torn_bytes`` of a record that a crash cut short follow."""

    number: int
    hash: str
    torn_bytes: int


class Audit:
    """The log of one hub, to which its command line may append, too. A record is durable on return.

    For any thread, and for several processes.
    """

    def __init__(self, folder: Path, *, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        """Open or create; verify all, and cut off what a crash left of a record.

        Raises:
            AuditError: somebody changed the log.
            StoreError: it cannot be read or written.
        """
        self._folder, self._segment_bytes_max = folder, segment_bytes_max
        self._failed, self._lock = "", threading.Lock()
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._turn = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._turn, fcntl.LOCK_EX)
            begun = bool(_segments(folder)) or (folder / HEAD).exists()
            if not begun and not (folder / KEY).exists():
                replace(folder / KEY, _new_key, mode=0o600)
            found = verify(folder) if begun else Verified(0, START, 0)
            self._key = (folder / KEY).read_bytes()
            self._number, self._hash = found.number, found.hash
            self._anchor()
            self._file = self._reopened(found.torn_bytes)
            fcntl.flock(self._turn, fcntl.LOCK_UN)
        except AuditError:
            os.close(self._turn)
            raise
        except OSError as error:
            raise StoreError(f"the audit log in {folder} cannot be used: {error}") from error

    def close(self) -> None:
        """Release the files."""
        os.close(self._file)
        os.close(self._turn)

    def append(self, deed: Deed, time_ns: int) -> Entry:
        """Write down a deed before it is done, at a moment in UTC.

        Raises:
            StoreError: it cannot be written, so the deed must not be done; nor may any other
                until the hub is started anew, which verifies what the disk holds.
        """
        with self._lock:
            try:
                fcntl.flock(self._turn, fcntl.LOCK_EX)
                try:
                    self._follow()
                    return self._append(deed, time_ns)
                finally:
                    fcntl.flock(self._turn, fcntl.LOCK_UN)
            except (AuditError, OSError) as error:
                raise StoreError(f"the audit log cannot be written: {error}") from error

    def _follow(self) -> None:
        """Take up what another process has appended since."""
        number, hashed = _head(self._folder)
        if (number, hashed) == (self._number, self._hash):
            return
        if number < self._number:
            raise AuditError(f"{self._folder / HEAD}: it was put back to record {number}")
        last = _segments(self._folder)[-1]
        if not _ends_with(last, hashed):
            raise AuditError(f"{last}: it does not end with record {number}; start the hub anew")
        os.close(self._file)
        self._file = self._opened(last)
        self._number, self._hash = number, hashed

    def _append(self, deed: Deed, time_ns: int) -> Entry:
        if self._failed:
            raise StoreError(self._failed)
        body = _body(self._number + 1, time_ns, deed)
        if len(body) > RECORD_BYTES_MAX:
            raise StoreError(f"a record of the audit log has at most {RECORD_BYTES_MAX} bytes")
        hashed = _hash(self._hash, body)
        line = hashed.encode() + b" " + body + b"\n"
        try:
            self._rotate(len(line))
            if os.write(self._file, line) != len(line):
                raise OSError("the disk took only a part of the record")
            os.fsync(self._file)
            self._number, self._hash = self._number + 1, hashed
            self._anchor()
        except OSError as error:
            self._failed = f"the audit log in {self._folder} cannot be written: {error}"
            raise StoreError(self._failed) from error
        return Entry(self._number, time_ns, deed, hashed)

    def _rotate(self, more: int) -> None:
        size = os.fstat(self._file).st_size
        if size and size + more > self._segment_bytes_max:
            following = self._opened(self._folder / f"{self._number + 1:018d}.log")
            os.close(self._file)
            self._file = following

    def _reopened(self, torn_bytes: int) -> int:
        segments = _segments(self._folder)
        last = segments[-1] if segments else self._folder / f"{1:018d}.log"
        file = self._opened(last)
        if torn_bytes:
            os.ftruncate(file, os.fstat(file).st_size - torn_bytes)
            os.fsync(file)
        return file

    def _opened(self, path: Path) -> int:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        sync(self._folder)
        return file

    def _anchor(self) -> None:
        line = _head_line(self._key, self._number, self._hash)
        replace(self._folder / HEAD, lambda file: file.write(line))


def opened(folder: Path, now_ns: int) -> Audit:
    """Return a log; what somebody has changed is put aside, and the new one begins by saying so.

    A city must not stand still because of its log: what happened is told and kept.

    Raises:
        StoreError: it cannot be read or written.
    """
    try:
        return Audit(folder)
    except AuditError as error:
        aside = next(
            one
            for number in range(1, ASIDE_MAX + 1)
            if not (one := folder.with_name(f"{folder.name}.damaged-{number}")).exists()
            or number == ASIDE_MAX
        )
        try:
            folder.rename(aside)
        except OSError as trouble:
            raise StoreError(f"{error}; and it cannot be put aside: {trouble}") from error
        audit = Audit(folder)
        audit.append(Deed("hub", "begin anew", str(aside), f"{error}"[:RESULT_CHARS_MAX]), now_ns)
        return audit


def verify(folder: Path, note: tuple[int, str] | None = None) -> Verified:
    """Check every byte of a log, to which a hub may append meanwhile.

    ``note`` is a number and its hash that were kept elsewhere and must be in it.

    Raises:
        AuditError: somebody changed, removed, moved or cut something.
        OSError: it cannot be read.
    """
    anchor = _head(folder)
    must = [anchor] if note is None else [anchor, note]
    number, last = 0, START
    for number, last in _chain(folder):
        for at, wanted in must:
            if at == number and wanted != last:
                raise AuditError(f"{folder}: record {number} is not the one that was written")
    for at, wanted in must:
        if at > number or (at == 0 and wanted != START):
            raise AuditError(f"{folder}: the log ends at {number}, but {at} was written")
    # The hub writes a record, then the head: more than one ahead came from somebody else.
    if number > _head(folder)[0] + 1:
        raise AuditError(
            f"{folder}: there are records after {anchor[0]} that the hub did not write"
        )
    return Verified(number, last, _torn(folder))


def entries(folder: Path, after: int = 0) -> Iterator[Entry]:
    """Yield the records after a number, of a log that ``verify`` has found whole.

    Raises:
        AuditError: a record is too long.
        OSError: it cannot be read.
    """
    for path in _segments(folder):
        for line in _lines(path):
            record = json.loads(line[HASH_CHARS + 1 :])
            if record["number"] > after:
                deed = Deed(*(record[name] for name in Deed._fields))
                hashed = line[:HASH_CHARS].decode()
                yield Entry(record["number"], record["time_ns"], deed, hashed)


def _chain(folder: Path) -> Iterator[tuple[int, str]]:
    number, last = 0, START
    segments = _segments(folder)
    for path in segments:
        if path.name != f"{number + 1:018d}.log":
            raise AuditError(f"{path}: record {number + 1} should be here; a file is missing")
        if path != segments[-1] and _rest(path):
            raise AuditError(f"{path}: its end is cut off, and other files follow")
        for row, line in enumerate(_lines(path), 1):
            body = line[HASH_CHARS + 1 : -1]
            hashed = _hash(last, body)
            if line[: HASH_CHARS + 1] != hashed.encode() + b" ":
                raise AuditError(f"{path}:{row}: this record, or one before it, was changed")
            number, last = number + 1, hashed
            if not body.startswith(b'{"number":%d,' % number):
                raise AuditError(f"{path}:{row}: this is not record {number}")
            yield number, last


def _lines(path: Path) -> Iterator[bytes]:
    limit = RECORD_BYTES_MAX + HASH_CHARS + 2
    with path.open("rb") as file:
        for row in range(1, SEGMENT_BYTES_MAX):
            line = file.readline(limit + 1)
            if len(line) > limit:
                raise AuditError(f"{path}:{row}: a record is longer than {RECORD_BYTES_MAX} bytes")
            if not line.endswith(b"\n"):
                return
            yield line


def _rest(path: Path) -> int:
    """Return how many bytes follow the last whole line."""
    data = path.read_bytes()
    return len(data) - (data.rfind(b"\n") + 1)


def _ends_with(path: Path, hashed: str) -> bool:
    """Tell whether the last whole line of a segment is a record of some hash."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - RECORD_BYTES_MAX - HASH_CHARS - 2))
        lines = file.read().split(b"\n")
    return len(lines) > 1 and lines[-1] == b"" and lines[-2].startswith(hashed.encode())


def _torn(folder: Path) -> int:
    segments = _segments(folder)
    return _rest(segments[-1]) if segments else 0


def _segments(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _SEGMENT.fullmatch(path.name))


def _head(folder: Path) -> tuple[int, str]:
    try:
        line, key = (folder / HEAD).read_bytes(), (folder / KEY).read_bytes()
    except FileNotFoundError as error:
        raise AuditError(f"{folder}: {error.filename} is missing") from error
    found = _HEAD.fullmatch(line)
    if found is None:
        raise AuditError(f"{folder / HEAD}: this is no head of an audit log")
    number, hashed = int(found[1]), found[2].decode()
    if not hmac.compare_digest(line, _head_line(key, number, hashed)):
        raise AuditError(f"{folder / HEAD}: it was not written by this hub")
    return number, hashed


def _head_line(key: bytes, number: int, hashed: str) -> bytes:
    text = f"{number} {hashed}"
    return f"{text} {hmac.digest(key, text.encode(), 'sha256').hex()}\n".encode()


def _body(number: int, time_ns: int, deed: Deed) -> bytes:
    record: dict[str, Any] = {"number": number, "time_ns": time_ns, **deed._asdict()}
    return json.dumps(record, separators=(",", ":")).encode()


def _hash(before: str, body: bytes) -> str:
    return hashlib.sha256(bytes.fromhex(before) + body).hexdigest()


def _new_key(file: Any) -> None:
    file.write(secrets.token_bytes(KEY_BYTES))
