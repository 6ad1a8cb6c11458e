"""The embedded journal: append-only segment files with a checksum on every record.

docs/specs/journal.md draws the bytes. A position is a byte offset into the whole log; a segment
file is named by the position at which it begins, and begins with the highest number of every
stream, so that trimming old segments never forgets what is a repeat.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
import structlog

from citytwin.errors import StoreError
from citytwin_hub.journal.contract import Record, RecordKind

MAGIC: Final = b"CTJ1"
SEGMENT_BYTES_MAX: Final = 64 * 1024 * 1024
RECORD_BYTES_MAX: Final = 8 * 1024 * 1024
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
        self._heads: dict[bytes, int] = {}
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
        return self._heads.get(stream, 0)

    def append(self, records: Sequence[Record]) -> int:
        """Make records durable; see the contract."""
        data = b"".join(_framed(record) for record in records)
        try:
            if self._size + len(data) > self._segment_bytes_max and self._size > self._begun:
                self._roll()
            _write_all(self._file, data)
            os.fdatasync(self._file)
        except OSError as error:
            self._take_back()
            raise StoreError(f"the journal in {self._folder} cannot be written: {error}") from error
        self._size += len(data)
        for record in records:
            self._heads[record.stream] = max(self._heads.get(record.stream, 0), record.number)
        return self.end

    def read(self, after: int) -> Iterator[tuple[int, Record]]:
        """Yield what is behind a position; see the contract."""
        starts = self._starts()
        for index, start in enumerate(starts):
            if index + 1 < len(starts) and starts[index + 1] <= after:
                continue
            for end, record in _records(self._path(start)):
                if start + end > after and record.kind != RecordKind.HEADS:
                    yield start + end, record

    def trim(self, through: int) -> None:
        """Delete the segments that lie wholly before a position; see the contract."""
        starts = self._starts()
        for start, following in pairwise(starts):
            if following <= through:
                self._path(start).unlink()

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)

    def _starts(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.journal"))

    def _path(self, start: int) -> Path:
        return self._folder / f"{start:020d}.journal"

    def _begin_segment(self, start: int) -> None:
        heads = {stream.hex(): number for stream, number in self._heads.items()}
        body = _ENCODER.encode(heads)
        data = MAGIC + _framed(Record(RecordKind.HEADS, b"", 0, 0, "", body))
        path = self._path(start)
        partial = path.with_suffix(".partial")
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o640)
        try:
            _write_all(file, data)
            os.fsync(file)
            partial.rename(path)
            _sync_folder(self._folder)
        except OSError:
            os.close(file)
            partial.unlink(missing_ok=True)
            raise
        self._file, self._start, self._size, self._begun = file, start, len(data), len(data)

    def _roll(self) -> None:
        old = self._file
        self._begin_segment(self.end)
        os.close(old)

    def _take_back(self) -> None:
        """Cut off what a failed append may have left: the next one follows a whole record."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError as error:
            _log.error("journal.truncate_failed", folder=str(self._folder), error=str(error))

    def _recover(self, start: int) -> None:
        path = self._path(start)
        size, whole = path.stat().st_size, 0
        for end, record in _records(path, torn_tail=True):
            whole = end
            if record.kind == RecordKind.HEADS:
                heads = msgspec.msgpack.decode(record.body, type=dict[str, int])
                self._heads = {bytes.fromhex(name): number for name, number in heads.items()}
                self._begun = end
            else:
                known = self._heads.get(record.stream, 0)
                self._heads[record.stream] = max(known, record.number)
        if whole == 0:
            raise StoreError(f"{path} is not a journal segment; move it away to start anew")
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        if whole < size:
            _log.warning("journal.torn_tail", path=str(path), bytes_cut=size - whole)
            os.ftruncate(self._file, whole)
            os.fsync(self._file)
        self._start, self._size = start, whole


def _framed(record: Record) -> bytes:
    payload = _ENCODER.encode((int(record.kind), *record[1:]))
    if len(payload) > RECORD_BYTES_MAX:
        raise StoreError(f"a journal record has at most {RECORD_BYTES_MAX} bytes")
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _records(path: Path, *, torn_tail: bool = False) -> Iterator[tuple[int, Record]]:
    """Yield (offset behind it, record); an end that is cut off is the end.

    Raises:
        StoreError: a whole record is damaged and ``torn_tail`` does not excuse it.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return
        end = len(MAGIC)
        while len(frame := file.read(_FRAME.size)) == _FRAME.size:
            length, checksum = _FRAME.unpack(frame)
            payload = file.read(length) if length <= RECORD_BYTES_MAX else b""
            if len(payload) < length or zlib.crc32(payload) != checksum:
                if torn_tail or len(payload) < length:
                    return
                raise StoreError(f"{path} is damaged at byte {end}; restore it from a backup")
            end += _FRAME.size + length
            kind, stream, number, received_ns, gateway, body = _DECODER.decode(payload)
            yield end, Record(RecordKind(kind), stream, number, received_ns, gateway, body)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
