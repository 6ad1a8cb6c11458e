"""Books: what a gateway accepted, what the hub has of it, and what is missing or there twice.

A sample is *accepted* when its agent's outbox has kept it. Four independent witnesses say which:

- the meters: their answers are numbered, and those that one life of an agent accepted are the first
  so many of those that were given during it, without a gap;
- copies of the outbox, made when its agent had been killed: every entry in them must be in the
  hub's journal, sample by sample;
- the outbox's numbers, which have no gaps: each is in the journal once, or still in the outbox;
- what the agent says at the end of its last life that it has accepted.

What is in the history is asked of the running hub, as people ask.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from citytwin import Batch
from citytwin_edge.numbering import Numbering
from citytwin_edge.outbox import EntryKind, Outbox
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.journal.segments import SegmentJournal
from citytwin_protos.codec import unpack
from tests.faults.meters import Meter
from tests.site import Gateway, Site, asked, latest
from tests.waiting import answered

MS = 1_000_000
TIME_MS_MAX = 9_000_000_000_000
ROWS_AT_ONCE = 50


class Account(NamedTuple):
    """What one fault did, as a line of the table that the tests print."""

    fault: str
    tried: int
    samples: int
    lost: int
    repeated: int
    remark: str = ""


class Life(NamedTuple):
    """What a meter answered while an agent lived: after ``begin``, up to ``end``."""

    meter: Meter
    begin: int
    end: int


class Gap(NamedTuple):
    """How many numbers are missing in a row, and how many of them for a reason."""

    missing: int
    excused: int


def gaps(life: Life, accepted: int, values: Sequence[float]) -> Iterator[Gap]:
    """Find what is missing of one point, up to the last accepted number.

    Args:
        life: of the agent.
        accepted: the last number that it has accepted.
        values: what was written of the point, in the order of the answers; NaN: a reason.
    """
    number, reasons = life.begin, 0
    for value in [*values, accepted + 1]:
        if math.isnan(value):
            reasons += 1
        elif life.begin < value <= accepted + 1:
            lies = sum(number <= lie < value for lie in life.meter.lies_after)
            missing = max(0, int(value) - number - 1)
            spare = reasons - lies if life.meter.is_asked else 0
            if missing:
                yield Gap(missing, min(missing, max(0, spare)))
            number, reasons = max(number, int(value)), 0
        else:
            reasons = 0


class Kept(NamedTuple):
    """An outbox at rest: its entries' samples, in the gateway's numbers."""

    stream: bytes
    last: int
    thinned_samples: int
    refused: list[int]
    entries: dict[int, Batch]
    ids: dict[int, str]


class Watched:
    """A gateway and its meters; remembers each life of the agent, and copies its outbox.

    Attributes:
        lives: what each meter answered during each life.
        copies: the entries that the outbox held when its agent had been killed.
        kept_before: the last number that the outbox gave before the agent's last life.
    """

    def __init__(self, gateway: Gateway, *meters: Meter) -> None:
        """Watch; ``meters`` are those whose every answer counts."""
        self.gateway, self.meters = gateway, meters
        self.lives: list[Life] = []
        self.copies: dict[int, Batch] = {}
        self.kept_before = 0
        self._begins: dict[Meter, int] = {}

    async def start(self) -> None:
        """Start the agent."""
        self._begins = {meter: meter.answers for meter in self.meters}
        await self.gateway.start()

    async def kill(self) -> None:
        """End the agent with kill -9 and copy what its outbox held in that moment."""
        await self.gateway.kill()
        self._lived()
        if self.gateway.outbox.exists():
            kept = await asyncio.to_thread(kept_in, self.gateway.outbox)
            self.copies.update(kept.entries)
            self.kept_before = kept.last

    async def finish(self, timeout_s: float = 90.0) -> None:
        """Let the meters fall silent, the agent deliver what it has, and end it."""
        for meter in self.meters:
            await meter.close()
        await self.gateway.until_delivered(timeout_s)
        await self.gateway.stop()
        self._lived()

    def torn(self, meter: Meter) -> None:
        """Note that a meter's own line was torn: its latest answer may not have been heard."""
        self.lives.append(Life(meter, self._begins[meter], meter.answers))
        self._begins[meter] = meter.answers

    def _lived(self) -> None:
        for meter in self.meters:
            self.torn(meter)


class Books:
    """Everything that was written about one gateway.

    Attributes:
        kept: its outbox.
        records: its records in the hub's journal, in their order.
        history: its samples as the hub's REST interface gives them, ``point`` the hub's row and
            ``time_ns`` in whole milliseconds.
        rows: the hub's row of each point id.
    """

    def __init__(self, watched: Watched, kept: Kept, records: list[Record]) -> None:
        """Begin with what files say; ``opened`` asks the hub, too."""
        self.watched, self.kept, self.records = watched, kept, records
        self.history = Batch.empty()
        self.rows: dict[str, int] = {}

    def of(self, device: str, point: str) -> Batch:
        """Return the history of one point."""
        row = self.rows[f"{self.watched.gateway.name}/{device}/{point}"]
        return self.history.select(self.history.point == row)

    def batches(self) -> dict[int, Batch]:
        """Return the samples in the journal by entry number; outcomes have none."""
        return {
            record.number: Batch.empty() if record.kind == RecordKind.OUTCOME else record.batch()
            for record in self.records
        }

    def missing_numbers(self) -> list[int]:
        """Return the outbox's numbers that are neither journalled nor waiting nor set aside."""
        there = {record.number for record in self.records}
        there.update(self.kept.entries, self.kept.refused)
        return sorted(set(range(1, self.kept.last + 1)) - there)

    def missing_answers(self, life: Life) -> int:
        """Return how many accepted answers' samples the journal lacks, of one life.

        An answer on which the agent had given up was not accepted. Then it has said so: between
        the numbers around it the history has a reason for each such answer, besides those for
        the lies that were told there.
        """
        return sum(gap.missing - gap.excused for gap in self._gaps(life))

    def late_answers(self, life: Life) -> int:
        """Return how many answers the agent had given up on before they came."""
        return sum(gap.excused for gap in self._gaps(life)) // len(life.meter.points)

    def _gaps(self, life: Life) -> Iterator[Gap]:
        numbers = [self._answers(life, point) for point in life.meter.points]
        accepted = max((int(seen.max()) for seen in numbers if len(seen)), default=life.begin)
        for point in life.meter.points:
            yield from gaps(life, accepted, self._as_answered(life.meter.name, point))

    def _as_answered(self, device: str, point: str) -> list[float]:
        """Return the values of one point in the order of the answers, as far as an order has it.

        A clock that was set puts the history in another order; what waited for the time may be kept
        behind what came later.
        """
        row = self.rows[f"{self.watched.gateway.name}/{device}/{point}"]
        kept = self._kept_order.value[self._kept_order.point == row]
        numbers = kept[~np.isnan(kept)]
        is_sorted = bool((numbers[1:] >= numbers[:-1]).all())
        values: list[float] = (kept if is_sorted else self.of(device, point).value).tolist()
        return values

    @functools.cached_property
    def _kept_order(self) -> Batch:
        return Batch.concat(batch for _, batch in sorted(self.batches().items()))

    def not_accepted(self, life: Life) -> int:
        """Return how many answers at the end of a life were never accepted."""
        numbers = [self._answers(life, point) for point in life.meter.points]
        return life.end - max((int(seen.max()) for seen in numbers if len(seen)), default=life.end)

    def _answers(self, life: Life, point: str) -> np.ndarray:
        value = self.of(life.meter.name, point).value
        return value[(value > life.begin) & (value <= life.end)]

    def unlike_copies(self) -> int:
        """Return how many samples in the outbox's copies are not in the journal as they were."""
        rows = np.zeros(max(self.kept.ids, default=0) + 1, np.int32)
        for number, name in self.kept.ids.items():
            rows[number] = self.rows[name]
        there = self.batches()
        return sum(
            len(copy)
            for number, copy in self.watched.copies.items()
            if number not in there or there[number] != copy.renumbered(rows)
        )

    def invented(self) -> int:
        """Return how many values the history has that no meter answered while an agent lived."""
        found = 0
        for meter in self.watched.meters:
            spans = [(life.begin, life.end) for life in self.watched.lives if life.meter is meter]
            for point in meter.points:
                value = self.of(meter.name, point).value
                value = value[~np.isnan(value)]
                known = np.zeros(len(value), bool)
                for begin, end in spans:
                    known |= (value > begin) & (value <= end)
                found += int(np.count_nonzero(~known))
        return found

    def repeated(self) -> int:
        """Return how many samples or entries are there more often than once."""
        numbers = [record.number for record in self.records]
        twice = len(numbers) - len(set(numbers))
        for meter in self.watched.meters:
            for point in meter.points:
                value = self.of(meter.name, point).value
                value = value[~np.isnan(value)]
                twice += len(value) - len(np.unique(value))
        return twice + max(0, len(self.history) - self.journalled()) + max(0, -self.astray())

    def journalled(self) -> int:
        """Return how many samples the journal holds."""
        return sum(len(batch) for batch in self.batches().values())

    def astray(self) -> int:
        """Return how many samples fewer there are of the last life than its agent accepted."""
        accepted = int(self.watched.gateway.said("agent.stopped")[-1]["accepted"])
        there = {**self.kept.entries, **self.batches()}
        found = sum(
            len(batch) for number, batch in there.items() if number > self.watched.kept_before
        )
        return accepted - found - self.kept.thinned_samples

    def lost(self) -> int:
        """Return how many accepted samples are neither in the history nor waiting."""
        lost = sum(self.missing_answers(life) for life in self.watched.lives)
        lost += len(self.missing_numbers()) + self.unlike_copies()
        return lost + max(0, self.journalled() - len(self.history)) + max(0, self.astray())

    def account(self, fault: str, tried: int, remark: str = "") -> Account:
        """Return the line of the table."""
        assert self.invented() == 0, "the history has only what was measured"
        assert not self.kept.refused, "the hub took every entry"
        numbers = [record.number for record in self.records]
        assert numbers == sorted(numbers), "the journal has the entries in their order"
        return Account(fault, tried, self.journalled(), self.lost(), self.repeated(), remark)


async def opened(site: Site, watched: Watched) -> Books:
    """Read everything that there is about a gateway whose agent has ended; the hub runs."""
    kept = await asyncio.to_thread(kept_in, watched.gateway.outbox)
    records = await asyncio.to_thread(journalled_in, site.state / "journal", kept.stream)
    books = Books(watched, kept, records)
    async with site.web() as web:
        points = (await asked(web, "points", gateway=watched.gateway.name, limit=1000))["points"]
        books.rows = {point["id"]: point["row"] for point in points}
        parts = []
        for first in range(0, len(points), ROWS_AT_ONCE):
            rows = ",".join(str(point["row"]) for point in points[first : first + ROWS_AT_ONCE])
            answer = await asked(web, "history", rows=rows, start_ms=0, end_ms=TIME_MS_MAX)
            parts += [_samples(one) for one in answer["samples"]]
    books.history = Batch.concat(parts)
    return books


async def heard(site: Site, point: str, above: float) -> None:
    """Wait until the hub's latest value of a point is above a number."""
    async with site.web() as web:

        async def shown() -> bool:
            value = await latest(web, point)
            return value is not None and (value["value"] or 0) > above

        await answered(shown, f"{point} to be above {above:g}")


def _samples(answer: dict[str, list[float]]) -> Batch:
    count = len(answer["time_ms"])
    return Batch.of(
        np.full(count, answer["row"]),
        np.array(answer["time_ms"], np.int64) * MS,
        np.array(answer["value"], np.float64),
        answer["quality"],
    )


def kept_in(path: Path) -> Kept:
    """Return what an outbox holds, from a copy: the original is left as it is."""
    with _copied([path, path.with_name(path.name + "-wal")]) as folder:
        outbox = Outbox(folder / path.name, size_bytes_max=1 << 40)
        connection = outbox.connect()
        try:
            stats = outbox.stats()
            points = Numbering(connection).announcement().points
            refused = [int(row["number"]) for row in outbox.inspect("refused", 10_000)]
            entries = {
                entry.number: Batch.empty()
                if entry.kind == EntryKind.OUTCOME
                else unpack(entry.body)
                for entry in outbox.pending(0, 10**6)
            }
            ids = {number: point.id for number, point in points.items()}
            return Kept(
                outbox.stream, stats.last_number, stats.thinned_samples, refused, entries, ids
            )
        finally:
            connection.close()
            outbox.close()


def journalled_in(folder: Path, stream: bytes) -> list[Record]:
    """Return the records of one outbox in a journal that a hub may be writing to."""
    with _copied(sorted(folder.glob("*.journal"))) as copy:
        journal = SegmentJournal(copy)
        try:
            return [record for _, record in journal.read(0) if record.stream == stream]
        finally:
            journal.close()


@contextlib.contextmanager
def _copied(files: Sequence[Path]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            if file.exists():
                shutil.copy(file, folder)
        yield Path(folder)
