"""Twin: the latest value of every point of the city, in columns by row.

>>> twin = Twin()
>>> twin.apply(Batch.of([3], 10**18, [1.5]), received_ns=10**18)
>>> twin.read([3]).value.tolist()
[1.5]
"""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from citytwin.batch import Batch, Float64, Int32, Int64, UInt8
from citytwin.errors import StoreError
from citytwin.files import replace

POINTS_MAX: Final = 20_000_000
"""41 bytes a row: a city of twenty million points takes 820 MB."""
_GROWTH_MIN: Final = 1024
_SAVED: Final = ("time", "value", "quality", "received", "order")


@dataclass(frozen=True, slots=True, eq=False)
class Latest:
    """Latest samples, columns of equal length; ``time_ns`` is 0 where there has been none.

    Attributes:
        row: int32; ``time_ns``, ``received_ns``: int64; ``value``: float64; ``quality``: uint8.
    """

    row: Int32
    time_ns: Int64
    value: Float64
    quality: UInt8
    received_ns: Int64


class Twin:
    """Latest values; applied by one thread, read by any."""

    def __init__(self, *, points_max: int = POINTS_MAX) -> None:
        """Begin empty."""
        self._points_max = points_max
        self._time = np.zeros(0, np.int64)
        self._value = np.zeros(0)
        self._quality = np.zeros(0, np.uint8)
        self._received = np.zeros(0, np.int64)
        self._order = np.zeros(0, np.int64)
        self._version = np.zeros(0, np.int64)
        self._lock = threading.Lock()
        self.version = 0

    def apply(self, batch: Batch, received_ns: int) -> None:
        """Take samples; one that is older than what is known changes nothing.

        A stamp ahead of ``received_ns`` counts as received now when two samples are compared, and
        what is known from a time that has not come yet counts as nothing: neither a gateway's
        wrong clock nor the hub's own, when it was set back, can hold a point for an hour.

        Raises:
            StoreError: a row is at or above ``points_max``.
        """
        if not len(batch):
            return
        with self._lock:
            self._apply(batch, received_ns)

    def _apply(self, batch: Batch, received_ns: int) -> None:
        self._reserve(int(batch.point.max()) + 1)
        order = np.minimum(batch.time_ns, received_ns)
        rows: npt.NDArray[np.intp]
        if (batch.point[1:] > batch.point[:-1]).all():
            rows = np.flatnonzero(self._is_due(batch.point, order, received_ns))
        else:
            # Of several samples of a row the newest one stays, the last one if they are equal.
            by_row = np.lexsort((order, batch.point))
            last = np.append(batch.point[by_row][1:] != batch.point[by_row][:-1], True)
            newest = by_row[last]
            rows = newest[self._is_due(batch.point[newest], order[newest], received_ns)]
        if not len(rows):
            return
        at = batch.point[rows]
        self.version += 1
        self._time[at] = batch.time_ns[rows]
        self._value[at] = batch.value[rows]
        self._quality[at] = batch.quality[rows]
        self._order[at] = order[rows]
        self._received[at] = received_ns
        self._version[at] = self.version

    def _is_due(self, point: Int32, order: Int64, received_ns: int) -> npt.NDArray[np.bool_]:
        known: Int64 = self._order[point]
        return (order >= known) | (known > received_ns)

    def read(self, rows: Sequence[int] | Int32 | None = None) -> Latest:
        """Return the latest samples of some rows, or of every row that has one."""
        with self._lock:
            return self._read(rows)

    def _read(self, rows: Sequence[int] | Int32 | None) -> Latest:
        if rows is None:
            chosen = np.flatnonzero(self._time).astype(np.int32)
        else:
            chosen = np.asarray(rows, np.int32)
            if len(chosen) and int(chosen.max()) >= len(self._time):
                self._reserve(int(chosen.max()) + 1)
        return Latest(
            chosen,
            self._time[chosen],
            self._value[chosen],
            self._quality[chosen],
            self._received[chosen],
        )

    def changed_since(self, version: int) -> tuple[Int32, int]:
        """Return the rows that changed after a version, and the version now."""
        if version == self.version:
            return np.empty(0, np.int32), version
        return np.flatnonzero(self._version > version).astype(np.int32), self.version

    def save(self, path: Path, position: int) -> None:
        """Write everything and the journal's position to a file, whole or not at all, durably.

        Raises:
            StoreError: it cannot be written; an older file stays.
        """
        self.saving(path, position)()

    def saving(self, path: Path, position: int) -> Callable[[], None]:
        """Return what ``save`` would do; it may be called on another thread, and holds copies."""
        rows = np.flatnonzero(self._time)
        columns = {name: getattr(self, f"_{name}")[rows] for name in _SAVED}
        columns |= {"row": rows, "position": np.array(position, np.int64)}
        return lambda: _write(path, columns)

    def load(self, path: Path) -> int:
        """Take up a file that ``save`` wrote; return its position, 0 if there is no such file.

        Raises:
            StoreError: the file is damaged; nothing of it was taken.
        """
        if not path.exists():
            return 0
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
                columns = {name: saved[name] for name in ("row", "position", *_SAVED)}
            rows, position = columns["row"], int(columns["position"])
            if any(columns[name].shape != rows.shape for name in _SAVED):
                raise ValueError("its columns differ in length")
            self._reserve(int(rows.max()) + 1 if len(rows) else 0)
        except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise StoreError(f"{path} is not a snapshot of the twin: {error}") from error
        for name in _SAVED:
            getattr(self, f"_{name}")[rows] = columns[name]
        self.version += 1
        self._version[rows] = self.version
        return position

    def _reserve(self, rows: int) -> None:
        if rows > self._points_max:
            raise StoreError(f"the twin holds {self._points_max} points; row {rows - 1} is beyond")
        if rows <= len(self._time):
            return
        more = max(rows, 2 * len(self._time), _GROWTH_MIN) - len(self._time)
        for name in ("_time", "_value", "_quality", "_received", "_order", "_version"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate((column, np.zeros(more, column.dtype))))


def _write(path: Path, columns: dict[str, np.ndarray]) -> None:
    try:
        replace(path, lambda file: np.savez(file, allow_pickle=False, **columns))
    except OSError as error:
        raise StoreError(f"the twin cannot be saved to {path}: {error}") from error
