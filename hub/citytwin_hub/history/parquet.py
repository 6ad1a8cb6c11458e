"""History in sorted Parquet files by day and gateway, read by DuckDB; nothing but open files.

Blocks are in memory first, where every read sees them at once; the journal is what makes them
durable until ``flush`` has written them out. A file counts when the manifest names it, and the
manifest also holds the highest number of every stream, so a crash at any moment neither loses nor
repeats a block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from citytwin.batch import SECOND_NS, Batch, Int32
from citytwin.errors import StoreError, StoreLimit
from citytwin.files import replace, sync
from citytwin.history import Aggregates, Block
from citytwin_hub.heads import Heads

DAY_NS: Final = 86_400 * SECOND_NS
MERGE_FILES: Final = 8
"""So many files of one day and gateway are merged into one …"""
MERGE_SAMPLES_MAX: Final = 1_000_000
"""… of those that hold less: what a merge reads, and writes anew each time, has a limit."""
STEPS_MAX: Final = 1_000_000
THREADS: Final = 2
READ_TRIES: Final = 3
NEAR_NS: Final = 3600 * SECOND_NS
"""The first stretch that is looked through for the last samples of points …"""
FARTHER: Final = 24
"""… and how much longer each next one is."""
MEMORY_MAX: Final = "1GB"

_log = structlog.get_logger(__name__)


class _File(msgspec.Struct, frozen=True):
    """One Parquet file as the manifest names it; times are inclusive."""

    name: str
    group: str
    first_ns: int
    last_ns: int
    samples: int


class _Manifest(msgspec.Struct):
    """What counts: the files, the highest number of each stream (hexadecimal), the next file."""

    files: list[_File] = []
    streams: dict[str, int] = {}
    position: int = 0
    next_file: int = 1


class ParquetHistory:
    """A :class:`citytwin.history.HistoryStore` in one folder."""

    def __init__(self, folder: Path, group_of: Callable[[int], str] | None = None) -> None:
        """Open or create; ``group_of`` gives the part of the city (a gateway) that a row is in.

        Raises:
            StoreError: the folder cannot be used.
        """
        self._folder = folder
        self._group_of = group_of or (lambda _row: "city")
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._recent: list[Block] = []
        self.recent_samples = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._manifest = self._read_manifest()
            self._sweep()
        except OSError as error:
            raise StoreError(f"the history in {folder} cannot be opened: {error}") from error
        self._heads = Heads(self._manifest.streams)
        self._duck = duckdb.connect(":memory:")
        self._duck.execute(f"SET threads = {THREADS}")
        self._duck.execute(f"SET memory_limit = '{MEMORY_MAX}'")

    @property
    def position(self) -> int:
        """The journal's position up to which everything is in files."""
        return self._manifest.position

    def append(self, blocks: Sequence[Block]) -> None:
        """Take blocks; see the contract."""
        with self._lock:
            for block in blocks:
                if self._heads.grow(block.stream, block.number):
                    self._recent.append(block)
                    self.recent_samples += len(block.batch)

    def flush(self, position: int = 0) -> None:
        """Write out what is in memory; ``position`` is the journal's for everything appended.

        Raises:
            StoreError: the files cannot be written; nothing is lost from memory.
        """
        with self._flushing:
            with self._lock:
                blocks, heads = list(self._recent), self._heads.saved()
            try:
                files = self._write(Batch.concat([block.batch for block in blocks]))
                merged, kept = self._merge([*self._manifest.files, *files])
                manifest = _Manifest(
                    [*kept, *merged],
                    heads,
                    max(position, self._manifest.position),
                    self._manifest.next_file,
                )
                self._write_manifest(manifest)
            except (OSError, pa.ArrowException) as error:
                raise StoreError(f"the history in {self._folder}: {error}") from error
            with self._lock:
                self._manifest = manifest
                del self._recent[: len(blocks)]
                self.recent_samples -= sum(len(block.batch) for block in blocks)
            self._sweep()

    def read(self, points: Sequence[int], start_ns: int, end_ns: int, *, samples_max: int) -> Batch:
        """Return samples; see the contract."""
        columns = self._query(
            "SELECT point, time_ns, value, quality FROM samples "  # noqa: S608  # whole numbers only
            f"ORDER BY point, time_ns LIMIT {int(samples_max) + 1}",
            points,
            start_ns,
            end_ns,
        )
        if len(columns["point"]) > samples_max:
            raise StoreLimit(
                f"there are more than {samples_max} samples in this span; ask for a shorter one, "
                "for fewer points, or for steps"
            )
        return _samples(columns)

    def ends(
        self, points: Sequence[int], start_ns: int, end_ns: int, *, count: int, newest: bool
    ) -> Batch:
        """Return the first or last samples; see the contract."""
        end_ns = min(end_ns, self._last_ns() + 1)
        start_ns = max(start_ns, self._first_ns())
        left, found, span_ns = list(points), [Batch.empty()], NEAR_NS
        while left and start_ns < end_ns:
            # Most points have said something lately: the whole span is read for the others only.
            near_ns = (max(start_ns, end_ns - span_ns), end_ns) if newest else (
                start_ns, min(end_ns, start_ns + span_ns)
            )  # fmt: skip
            part = self._ends(left, *near_ns, count=count, newest=newest)
            whole = near_ns == (start_ns, end_ns)
            rows, counts = np.unique(part.point, return_counts=True)
            done = {int(row) for row in rows[counts >= count]} if not whole else set(left)
            found.append(part.select(np.isin(part.point, list(done))))
            left = [row for row in left if row not in done]
            span_ns *= FARTHER
        every = Batch.concat(found)
        return every.select(np.lexsort((every.time_ns, every.point)))

    def _ends(
        self, points: Sequence[int], start_ns: int, end_ns: int, *, count: int, newest: bool
    ) -> Batch:
        order = "DESC" if newest else "ASC"
        return _samples(
            self._query(
                "SELECT point, time_ns, value, quality FROM samples "  # noqa: S608  # our words
                "QUALIFY row_number() OVER "
                f"(PARTITION BY point ORDER BY time_ns {order}) <= {int(count)}",
                points,
                start_ns,
                end_ns,
            )
        )

    def _first_ns(self) -> int:
        with self._lock:
            known = [file.first_ns for file in self._manifest.files]
            known += [int(one.batch.time_ns.min()) for one in self._recent if len(one.batch)]
        return min(known, default=0)

    def _last_ns(self) -> int:
        with self._lock:
            known = [file.last_ns for file in self._manifest.files]
            known += [int(one.batch.time_ns.max()) for one in self._recent if len(one.batch)]
        return max(known, default=0)

    def aggregate(
        self, points: Sequence[int], start_ns: int, end_ns: int, *, step_ns: int
    ) -> Aggregates:
        """Return sums by step; see the contract."""
        if step_ns <= 0:
            raise StoreError("a step is longer than nothing")
        seen = "FILTER (WHERE quality < 128)"
        columns = self._query(
            f"SELECT point, time_ns - (time_ns % {int(step_ns)}) AS step, "  # noqa: S608  # as above
            f"min(value) {seen} AS low, avg(value) {seen} AS mean, max(value) {seen} AS high, "
            "count(*) AS n, max(quality) AS quality FROM samples "
            f"GROUP BY point, step ORDER BY point, step LIMIT {STEPS_MAX + 1}",
            points,
            start_ns,
            end_ns,
        )
        if len(columns["point"]) > STEPS_MAX:
            raise StoreLimit(f"there are more than {STEPS_MAX} steps; ask for longer ones")
        return Aggregates(
            columns["point"].astype(np.int32),
            columns["step"].astype(np.int64),
            _floats(columns["low"]),
            _floats(columns["mean"]),
            _floats(columns["high"]),
            columns["n"].astype(np.int64),
            columns["quality"].astype(np.uint8),
        )

    def close(self) -> None:
        """Write out and release; see the contract."""
        try:
            self.flush()
        finally:
            self._duck.close()

    def _query(self, sql: str, points: Sequence[int], start_ns: int, end_ns: int) -> dict[str, Any]:
        rows = np.fromiter(points, np.int32)
        for _ in range(READ_TRIES):
            try:
                return self._query_once(sql, rows, start_ns, end_ns)
            except duckdb.IOException:
                # A flush has merged the files away since they were listed: list them again.
                continue
            except duckdb.Error as error:
                raise StoreError(f"the history cannot be read: {error}") from error
        raise StoreError("the history's files change too fast to be read; try again")

    def _query_once(self, sql: str, rows: Int32, start_ns: int, end_ns: int) -> dict[str, Any]:
        with self._lock:
            parts = [block.batch for block in self._recent if _overlaps(block, start_ns, end_ns)]
            groups = {self._group_of(int(row)) for row in rows}
            names = [
                str(self._folder / file.name)
                for file in self._manifest.files
                if file.group in groups and file.first_ns < end_ns and file.last_ns >= start_ns
            ]
        cursor = self._duck.cursor()
        try:
            cursor.register("recent", _table(_chosen(Batch.concat(parts), rows, start_ns, end_ns)))
            cursor.register("wanted", pa.table({"row": rows}))
            files = "SELECT * FROM recent"
            if names:
                files += (
                    " UNION ALL SELECT * FROM read_parquet($names) WHERE point IN "
                    "(SELECT row FROM wanted) AND time_ns >= $start AND time_ns < $end"
                )
            given = {"names": names, "start": start_ns, "end": end_ns} if names else {}
            return dict(cursor.execute(f"WITH samples AS ({files}) {sql}", given).fetchnumpy())
        finally:
            cursor.close()

    def _write(self, batch: Batch) -> list[_File]:
        files: list[_File] = []
        if not len(batch):
            return files
        rows, inverse = np.unique(batch.point, return_inverse=True)
        names, group = np.unique([self._group_of(int(row)) for row in rows], return_inverse=True)
        keys = np.stack((batch.time_ns // DAY_NS, group[inverse]))
        for day, number in np.unique(keys, axis=1).T:
            part = batch.select((keys[0] == day) & (keys[1] == number))
            files.append(self._write_file(part, str(names[number])))
        return files

    def _write_file(self, batch: Batch, group: str) -> _File:
        batch = batch.select(np.lexsort((batch.time_ns, batch.point)))
        day = np.datetime64(int(batch.time_ns[0]) // DAY_NS, "D")
        name = f"{day}-{group}-{self._manifest.next_file}.parquet"
        self._manifest.next_file += 1
        partial = self._folder / f"{name}.partial"
        pq.write_table(
            _table(batch),
            partial,
            compression="zstd",
            use_dictionary=False,
            column_encoding={
                "point": "DELTA_BINARY_PACKED",
                "time_ns": "DELTA_BINARY_PACKED",
                "value": "BYTE_STREAM_SPLIT",
            },
        )
        sync(partial)
        partial.rename(self._folder / name)
        first, last = int(batch.time_ns.min()), int(batch.time_ns.max())
        return _File(name, group, first, last, len(batch))

    def _merge(self, files: list[_File]) -> tuple[list[_File], list[_File]]:
        """Return (files made of several, files left as they are)."""
        piles: dict[tuple[int, str], list[_File]] = {}
        merged, kept = [], [file for file in files if file.samples >= MERGE_SAMPLES_MAX]
        for file in files:
            if file.samples < MERGE_SAMPLES_MAX:
                piles.setdefault((file.first_ns // DAY_NS, file.group), []).append(file)
        for (_, group), pile in piles.items():
            if len(pile) < MERGE_FILES:
                kept += pile
                continue
            try:
                parts = [_batch(pq.read_table(self._folder / file.name)) for file in pile]
            except (OSError, pa.ArrowException) as error:
                # New samples must not wait in memory because an old file is damaged.
                _log.error("history.merge_failed", folder=str(self._folder), reason=str(error))
                kept += pile
                continue
            merged.append(self._write_file(Batch.concat(parts), group))
        return merged, kept

    def _read_manifest(self) -> _Manifest:
        path = self._folder / "manifest.json"
        if not path.exists():
            if any(self._folder.glob("*.parquet")):
                # Without it every file would be taken for a leftover, and be deleted.
                raise StoreError(f"{path} is missing; restore it from a backup of {self._folder}")
            self._write_manifest(_Manifest())
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Manifest)
        except msgspec.MsgspecError as error:
            raise StoreError(f"{path} is damaged ({error}); restore it from a backup") from None

    def _write_manifest(self, manifest: _Manifest) -> None:
        data = msgspec.json.encode(manifest)
        # Its folder is synced, too: the files that it names are there when it is.
        replace(self._folder / "manifest.json", lambda file: file.write(data))

    def _sweep(self) -> None:
        """Delete what the manifest does not name: leftovers of a crash or of a merge."""
        named = {file.name for file in self._manifest.files}
        for path in self._folder.glob("*.parquet*"):
            if path.name not in named:
                path.unlink(missing_ok=True)


def _samples(columns: dict[str, Any]) -> Batch:
    return Batch(
        columns["point"].astype(np.int32),
        columns["time_ns"].astype(np.int64),
        columns["value"].astype(np.float64),
        columns["quality"].astype(np.uint8),
    )


def _overlaps(block: Block, start_ns: int, end_ns: int) -> bool:
    times = block.batch.time_ns
    return bool(len(times)) and bool(times.min() < end_ns) and bool(times.max() >= start_ns)


def _chosen(batch: Batch, rows: Int32, start_ns: int, end_ns: int) -> Batch:
    inside = (batch.time_ns >= start_ns) & (batch.time_ns < end_ns) & np.isin(batch.point, rows)
    return batch.select(inside)


def _table(batch: Batch) -> pa.Table:
    return pa.table(
        {
            "point": batch.point,
            "time_ns": batch.time_ns,
            "value": batch.value,
            "quality": batch.quality,
        }
    )


def _batch(table: pa.Table) -> Batch:
    columns = [table[name].to_numpy() for name in ("point", "time_ns", "value", "quality")]
    return Batch(*columns)


def _floats(column: Any) -> Any:
    """Return a column with NaN where DuckDB has NULL (a masked array)."""
    return np.ma.filled(np.ma.asarray(column, np.float64), np.nan)
