"""Replay: plays a recording (CSV or Parquet: point, time, value) as if its device spoke now.

For commissioning without devices: everything behind the adapter is as it will be. The stamps are
those of the replay; the distances between them are those of the recording.
"""

from __future__ import annotations

import asyncio
import csv
import datetime
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
import numpy as np

from citytwin.adapter import Binding, Site
from citytwin.batch import SECOND_NS, Batch, Float64, Int32, Int64
from citytwin.errors import ConfigError, DeviceSilent
from citytwin.point import Kind
from citytwin.quality import Quality
from citytwin_edge.adapters import replay_parquet

ROWS_MAX: Final = 1_000_000
COLUMNS: Final = ("point", "time", "value")


class ReplayDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device's own settings.

    Attributes:
        file: the recording, CSV or, where it is called ``….parquet``, Parquet; relative to the
            folder in which the agent runs.
        speed: how much faster than it was recorded.
        repeat: begin again at the end.
    """

    file: str
    speed: Annotated[float, msgspec.Meta(gt=0, le=10_000)] = 1.0
    repeat: bool = True


class ReplayPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a point is in the recording.

    Attributes:
        recorded: its name there, where it has another.
    """

    recorded: str = ""


class Recording(NamedTuple):
    """What is played, in order of time.

    Attributes:
        point: int32, shape (n,): index of the binding.
        after_ns: int64, shape (n,): since the first sample.
        value: float64, shape (n,): NaN where the recording has none.
        round_ns: from one beginning to the next when it is repeated.
    """

    point: Int32
    after_ns: Int64
    value: Float64
    round_ns: int


class Replay:
    """One recording; see :class:`citytwin.adapter.Adapter` for the promises."""

    def __init__(self, settings: ReplayDevice, recording: Recording, site: Site) -> None:
        """Play a recording by the site's clock."""
        self._settings, self._recording, self._clock = settings, recording, site.clock
        self._closed = asyncio.Event()
        self._has_ended = False

    async def open(self) -> None:
        """Get ready."""
        self._closed.clear()

    async def close(self) -> None:
        """Stop playing."""
        self._closed.set()

    async def listen(self) -> AsyncIterator[Batch]:
        """Yield the samples when they are due, each time as many as are.

        Raises:
            DeviceSilent: the recording has ended and is not repeated; it is not begun again.
        """
        speed = self._settings.speed
        after_ns = (self._recording.after_ns / speed).astype(np.int64)
        begun_ns = self._clock.monotonic_ns()
        while not self._has_ended:
            row = 0
            while row < len(after_ns):
                passed_ns = self._clock.monotonic_ns() - begun_ns
                due = int(np.searchsorted(after_ns, passed_ns, side="right"))
                if due > row:
                    yield self._batch(row, due, after_ns - passed_ns)
                    row = due
                elif await self._waited(int(after_ns[row]) - passed_ns):
                    return
            self._has_ended = not self._settings.repeat
            begun_ns += int(self._recording.round_ns / speed)
        raise DeviceSilent(f"the recording {self._settings.file} has ended")

    def _batch(self, start: int, end: int, from_now_ns: Int64) -> Batch:
        rows = slice(start, end)
        value = self._recording.value[rows]
        quality = np.where(np.isnan(value), Quality.BAD_NOT_A_NUMBER, Quality.GOOD)
        time_ns = self._clock.now_ns() + from_now_ns[rows]
        return Batch(self._recording.point[rows], time_ns, value, quality.astype(np.uint8))

    async def _waited(self, wait_ns: int) -> bool:
        """Wait; return whether the adapter was closed meanwhile."""
        try:
            async with asyncio.timeout(wait_ns / SECOND_NS):
                await self._closed.wait()
        except TimeoutError:
            return False
        return True


class ReplayType:
    """The entry point ``replay``; see :class:`citytwin.adapter.AdapterType`."""

    guide: Final = "docs/guides/replay.md"
    device_settings: type[msgspec.Struct] = ReplayDevice
    point_settings: type[msgspec.Struct] = ReplayPoint

    def build(self, settings: ReplayDevice, bindings: Sequence[Binding], site: Site) -> Replay:
        """Read the recording and return an adapter.

        Raises:
            ConfigError: the recording cannot be read, or lacks a point; the text names the line.
        """
        names: dict[str, int] = {}
        for index, (point, address) in enumerate(bindings):
            if point.kind == Kind.TEXT:
                raise ConfigError(f"point {point.id}: a recording has numbers only, no texts")
            names[address.recorded or point.name] = index
        recording = read(Path(settings.file), names)
        missing = set(range(len(bindings))) - set(recording.point.tolist())
        if missing:
            raise ConfigError(
                f"point {bindings[min(missing)].point.id}: is not in the recording {settings.file}"
            )
        return Replay(settings, recording, site)


def read(path: Path, names: dict[str, int]) -> Recording:
    """Return the samples of the named points in a recording, in order of time.

    Times are ISO 8601 (UTC where no offset is given) or seconds, in Parquet time stamps as well.
    Rows of other points are left out.

    Raises:
        ConfigError: it cannot be read or a row is none; the text says file and line.
    """
    if path.suffix == replay_parquet.SUFFIX:
        found = replay_parquet.rows(path, COLUMNS, ROWS_MAX, moment_ns)
        rows = [(names[name], time_ns, value) for name, time_ns, value in found if name in names]
    else:
        rows = _lines(path, names)
    if not rows:
        raise ConfigError(f"{path}: has no rows of these points: {', '.join(sorted(names))}")
    point = np.array([row[0] for row in rows], np.int32)
    time_ns = np.array([row[1] for row in rows], np.int64)
    value = np.array([row[2] for row in rows], np.float64)
    order = np.argsort(time_ns, kind="stable")
    after_ns = time_ns[order] - time_ns.min()
    # The next round begins where one more sample would stand; at the least a second later.
    moments = len(np.unique(after_ns))
    step_ns = int(after_ns[-1]) // (moments - 1) if moments > 1 else SECOND_NS
    return Recording(point[order], after_ns, value[order], int(after_ns[-1]) + step_ns)


def _lines(path: Path, names: dict[str, int]) -> list[tuple[int, int, float]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(_rows(path, file, names))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: is not a CSV file in UTF-8: {error}") from None


def _rows(
    path: Path, lines: Iterator[str], names: dict[str, int]
) -> Iterator[tuple[int, int, float]]:
    """Yield point, time and value of the rows that are wanted."""
    reader = csv.reader(lines, strict=True)
    header = [name.strip() for name in next(reader, [])]
    if not set(COLUMNS) <= set(header):
        raise ConfigError(f"{path}:1: the first line must name the columns {', '.join(COLUMNS)}")
    columns = [header.index(name) for name in COLUMNS]
    for count, row in enumerate(reader):
        if count >= ROWS_MAX:
            raise ConfigError(f"{path}: has over {ROWS_MAX} rows")
        if not row:
            continue
        if len(row) != len(header):
            raise ConfigError(
                f"{path}:{reader.line_num}: has {len(row)} columns, the first line {len(header)}"
            )
        name, time, value = (row[column].strip() for column in columns)
        if name not in names:
            continue
        try:
            yield names[name], moment_ns(time), float(value or "nan")
        except (ValueError, OverflowError):
            raise ConfigError(
                f"{path}:{reader.line_num}: time {time!r} or value {value!r} is not one; times are "
                "ISO 8601 or seconds, values numbers or empty"
            ) from None


def moment_ns(text: str) -> int:
    """Return nanoseconds of ISO 8601 or of seconds."""
    try:
        return round(float(text) * SECOND_NS)
    except ValueError:
        moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return since // datetime.timedelta(microseconds=1) * 1000


REPLAY: Final = ReplayType()
