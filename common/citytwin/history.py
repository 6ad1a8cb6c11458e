"""HistoryStore: where the samples of the whole city stay, and how they are read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from citytwin.batch import Batch, Float64, Int32, Int64, UInt8


class Block(NamedTuple):
    """A batch with its identity: nothing with the same (stream, number) is stored twice.

    Attributes:
        stream: 16 bytes that name the outbox the block came from.
        number: the outbox's number of it, growing.
        received_ns: when the hub took it, UTC nanoseconds.
        batch: samples; ``point`` is the hub's row.
    """

    stream: bytes
    number: int
    received_ns: int
    batch: Batch


@dataclass(frozen=True, slots=True, eq=False)
class Aggregates:
    """Samples summed up by point and time step; columns of equal length, ordered by point, time.

    Attributes:
        point: int32; ``time_ns``: int64, beginning of the step.
        low, mean, high: float64 over samples that are not of bad quality, NaN if there are none.
        count: int64, samples of any quality; ``quality``: uint8, the worst one seen.
    """

    point: Int32
    time_ns: Int64
    low: Float64
    mean: Float64
    high: Float64
    count: Int64
    quality: UInt8


@runtime_checkable
class HistoryStore(Protocol):
    """Durable samples by point and time.

    The hub promises: ``append`` is called from one thread, blocks of one stream in order of their
    number, and after a crash again from any earlier position. ``read``, ``ends`` and ``aggregate``
    may be called from any thread at the same time.
    The store promises: a block appended again changes nothing; what ``durable`` names survives a
    power cut; a read sees every appended block.
    """

    def append(self, blocks: Sequence[Block]) -> None:
        """Take blocks; repeated ones are dropped.

        Raises:
            StoreError: they cannot be kept; none of them counts as taken.
        """
        ...

    def flush(self) -> None:
        """Make everything appended so far durable."""
        ...

    def read(self, points: Sequence[int], start_ns: int, end_ns: int, *, samples_max: int) -> Batch:
        """Return samples with start_ns <= time < end_ns, ordered by point, then time.

        Raises:
            StoreLimit: there are more than ``samples_max``; the text says how to ask for less.
            StoreError: they cannot be read.
        """
        ...

    def ends(
        self, points: Sequence[int], start_ns: int, end_ns: int, *, count: int, newest: bool
    ) -> Batch:
        """Return the first, or the last, ``count`` samples of each point in a span.

        They are ordered by point, then time. With ``newest`` and a count of 1 they are what each
        point had given when the span ended.

        Raises:
            StoreError: they cannot be read.
        """
        ...

    def aggregate(
        self, points: Sequence[int], start_ns: int, end_ns: int, *, step_ns: int
    ) -> Aggregates:
        """Return the same span summed up in steps of ``step_ns`` aligned to 1970-01-01 UTC.

        Raises:
            StoreLimit: there are more steps than one answer holds.
            StoreError: samples cannot be read.
        """
        ...

    def close(self) -> None:
        """Flush and release files; the store is not used afterwards."""
        ...
