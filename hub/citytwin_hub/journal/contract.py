"""Journal: the contract of the hub's ingest log, and the record that it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from citytwin.batch import Batch
from citytwin.command import Outcome
from citytwin_protos.codec import outcome_from_bytes, unpack


class RecordKind(IntEnum):
    """What a record's body is."""

    HEADS = 0
    """The journal's own: highest number of every stream, at the beginning of a segment."""
    TELEMETRY = 1
    ALARM = 2
    OUTCOME = 3


class Record(NamedTuple):
    """One entry of one gateway.

    Attributes:
        kind: what the body is.
        stream: 16 bytes, the gateway's outbox; ``number``: its entry, growing.
        received_ns: when the hub took it, UTC nanoseconds.
        gateway: its name.
        body: a block in the hub's rows and texts, or an outcome.
    """

    kind: RecordKind
    stream: bytes
    number: int
    received_ns: int
    gateway: str
    body: bytes

    def batch(self) -> Batch:
        """Return the samples; ``point`` is the hub's row."""
        return unpack(self.body)

    def outcome(self) -> Outcome:
        """Return what became of a command."""
        return outcome_from_bytes(self.body)


class Journal(Protocol):
    """A durable log of records, by position.

    The hub promises: ``append`` and ``trim`` come from one thread at a time. The journal promises:
    what ``append`` returned for survives kill -9 and power cut; a failed append leaves no part of
    itself, or is found whole after a crash; records come back in the order in which they were
    appended; positions only grow.
    """

    @property
    def end(self) -> int:
        """The position behind the last record."""
        ...

    def append(self, records: Sequence[Record]) -> int:
        """Make records durable, all or none; return the position behind the last one.

        Raises:
            StoreError: they could not be kept.
        """
        ...

    def read(self, after: int) -> Iterator[tuple[int, Record]]:
        """Yield (position behind it, record) for every record behind ``after``."""
        ...

    def trim(self, through: int) -> None:
        """Forget records up to a position, as far as whole segments go."""
        ...

    def skip(self, to: int) -> None:
        """Let what is appended from now on lie behind a position.

        For a journal that is younger than those who follow it: they know positions that it has not
        reached, and would take its next records for ones that they have.

        Raises:
            StoreError: it cannot be written.
        """
        ...

    def durable_through(self, stream: bytes) -> int:
        """Return the highest number of a stream, trimmed records included; 0 if there is none."""
        ...
