"""The embedded journal: append-only segment files with a checksum on every record.

docs/specs/journal.md draws the bytes. A position is a byte offset into the whole log; a segment
file is named by the position at which it begins, and begins with the highest number of every
stream, so that trimming old segments never forgets what is a repeat.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import structlog

from citytwin.errors import StoreError
from citytwin.files import sync
from citytwin_hub.heads import Heads
from citytwin_hub.journal.contract import Record, RecordKind

MAGIC: Final = b"CTJ1"
SEGMENT_BYTES_MAX: Final = 64 * 1024 * 1024
RECORD_BYTES_MAX: Final = 8 * 1024 * 1024
REMEDY: Final = (
    "restore it from a backup, or move it away: then what it held and history has not is lost"
)
_FRAME: Final = struct.Struct("<II")  # length of the payload, CRC-32 of the payload
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[int, bytes, int, int, str, bytes])

_log = structlog.get_logger(__name__)


class SegmentJournal:
    """A :class:`citytwin_hub.journal.contract.Journal` in one folder."""

    def __init__(self, folder: Path, *, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        """Open or create; cuts off what a crash left half written.

        Raises:
            StoreError: the folder cannot be used, or a segment is damaged before its end.
        """
        self._folder = folder
        self._segment_bytes_max = segment_bytes_max
        self._heads = Heads()
        self._unclean = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            starts = self._starts()
            if not starts:
                self._begin_segment(0)
            else:
                self._recover(starts[-1])
        except OSError as error:
            raise StoreError(f"the journal in {folder} cannot be opened: {error}") from error

    @property
    def end(self) -> int:
        """The position behind the last record."""
        return self._start + self._size

    def durable_through(self, stream: bytes) -> int:
        """Return the highest number of a stream; 0 if there is none."""
        return self._heads[stream]

    def append(self, records: Sequence[Record]) -> int:
        """Make records durable; see the contract."""
        data = b"".join(_framed(record) for record in records)
        try:
            self._clean()
            if self._size + len(data) > self._segment_bytes_max and self._size > self._begun:
                self._roll(self.end)
            _write_all(self._file, data)
            os.fdatasync(self._file)
        except OSError as error:
            self._unclean = True
            with contextlib.suppress(OSError):  # the next append tries again before it writes
                self._clean()
            raise StoreError(f"the journal in {self._folder} cannot be written: {error}") from error
        self._size += len(data)
        for record in records:
            self._heads.grow(record.stream, record.number)
        return self.end

    def read(self, after: int) -> Iterator[tuple[int, Record]]:
        """Yield what is behind a position; see the contract."""
        starts = self._starts()
        for start, following in zip(starts, [*starts[1:], None], strict=True):
            if following is not None and following <= after:
                continue
            for end, record in _records(self._path(start), last=self._unclean):
                if start + end > self.end:
                    return  # what a failed append has left
                if start + end > after and record.kind != RecordKind.HEADS:
                    yield start + end, record

    def trim(self, through: int) -> None:
        """Delete the segments that lie wholly before a position; see the contract."""
        starts = self._starts()
        for start, following in pairwise(starts):
            if following <= through:
                self._path(start).unlink()

    def skip(self, to: int) -> None:
        """Begin a segment at a position that lies ahead; see the contract."""
        if to <= self.end:
            return
        try:
            self._clean()
            self._roll(to)
        except OSError as error:
            raise StoreError(f"the journal in {self._folder} cannot be written: {error}") from error

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)

    def _starts(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.journal"))

    def _path(self, start: int) -> Path:
        return self._folder / f"{start:020d}.journal"

    def _begin_segment(self, start: int) -> None:
        body = _ENCODER.encode(self._heads.saved())
        data = MAGIC + _framed(Record(RecordKind.HEADS, b"", 0, 0, "", body))
        path = self._path(start)
        partial = path.with_suffix(".partial")
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o640)
        try:
            _write_all(file, data)
            os.fsync(file)
            partial.rename(path)
            sync(self._folder)
        except OSError:
            os.close(file)
            partial.unlink(missing_ok=True)
            raise
        self._file, self._start, self._size, self._begun = file, start, len(data), len(data)

    def _roll(self, start: int) -> None:
        old = self._file
        self._begin_segment(start)
        os.close(old)

    def _clean(self) -> None:
        """Cut off what a failed append may have left: the next one must follow a whole record."""
        if self._unclean:
            os.ftruncate(self._file, self._size)
            self._unclean = False

    def _recover(self, start: int) -> None:
        path = self._path(start)
        size, whole = path.stat().st_size, 0
        for end, record in _records(path, last=True):
            whole = end
            if record.kind == RecordKind.HEADS:
                self._heads = Heads(msgspec.msgpack.decode(record.body, type=dict[str, int]))
                self._begun = end
            else:
                self._heads.grow(record.stream, record.number)
        if whole == 0:
            raise StoreError(f"{path} is not a journal segment; move it away to start anew")
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        if whole < size:
            self._cut(path, whole)
        self._start, self._size = start, whole

    def _cut(self, path: Path, whole: int) -> None:
        """Cut off what a crash left half written; what may be damage is kept beside it."""
        with path.open("rb") as file:
            file.seek(whole)
            tail = file.read(2 * (RECORD_BYTES_MAX + _FRAME.size))
        if _whole_record_follows(tail):
            # A power cut may leave a hole before a whole record, and so does a bad disk: nobody
            # can tell, so nothing is thrown away.
            kept = path.with_name(f"{path.stem}-{whole}.damaged")
            with path.open("rb") as file, kept.open("wb") as copy:
                file.seek(whole)
                shutil.copyfileobj(file, copy)
                os.fsync(copy.fileno())
            _log.error("journal.damaged", path=str(path), byte=whole, kept=str(kept))
        else:
            _log.warning("journal.torn_tail", path=str(path), byte=whole)
        os.ftruncate(self._file, whole)
        os.fsync(self._file)


def _framed(record: Record) -> bytes:
    payload = _ENCODER.encode((int(record.kind), *record[1:]))
    if len(payload) > RECORD_BYTES_MAX:
        raise StoreError(f"a journal record has at most {RECORD_BYTES_MAX} bytes")
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _records(path: Path, *, last: bool = False) -> Iterator[tuple[int, Record]]:
    """Yield (offset behind it, record).

    Args:
        path: the segment.
        last: it is the last one, which ends at the first record that is not whole.

    Raises:
        StoreError: the segment is damaged.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            if last:
                return
            raise StoreError(f"{path} is not a journal segment; {REMEDY}")
        end = len(MAGIC)
        while frame := file.read(_FRAME.size):
            payload = _payload(frame, file)
            if payload is None:
                if last:
                    return
                raise StoreError(f"{path} is damaged at byte {end}; {REMEDY}")
            end += _FRAME.size + len(payload)
            try:
                kind, stream, number, received_ns, gateway, body = _DECODER.decode(payload)
                record = Record(RecordKind(kind), stream, number, received_ns, gateway, body)
            except (msgspec.MsgspecError, ValueError):
                raise StoreError(
                    f"{path} holds a record that this version cannot read, before byte {end}; "
                    "was it written by a newer hub?"
                ) from None
            yield end, record


def _payload(frame: bytes, file: BinaryIO) -> bytes | None:
    """Return what a frame holds; None when it is not whole.

    No payload is empty: zeros, which a power cut may leave at the end of a file, are no record.
    """
    if len(frame) < _FRAME.size:
        return None
    length, checksum = _FRAME.unpack(frame)
    payload = file.read(length) if 0 < length <= RECORD_BYTES_MAX else b""
    whole = bool(payload) and len(payload) == length and zlib.crc32(payload) == checksum
    return payload if whole else None


def _whole_record_follows(tail: bytes) -> bool:
    """Tell whether behind a broken frame, by its own length, a whole one begins."""
    if len(tail) < _FRAME.size:
        return False
    length, _ = _FRAME.unpack_from(tail)
    rest = io.BytesIO(tail[_FRAME.size + length :])
    return _payload(rest.read(_FRAME.size), rest) is not None


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
