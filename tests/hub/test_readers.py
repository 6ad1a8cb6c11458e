"""Readers: whatever moment a crash picks, twin, history, alarms and commands come out the same."""

from random import Random

import numpy as np
import pytest

from citytwin import Batch, Kind, Outcome, OutcomeState, Point, Span
from citytwin_hub.alarms import Alarms
from citytwin_hub.commands import Commands
from citytwin_hub.history.parquet import ParquetHistory
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.journal.segments import SegmentJournal
from citytwin_hub.readers import Entry, Readers, entry_of, outcome_of
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin
from citytwin_protos.codec import outcome_to_bytes, pack
from tests.hub.doors import permit

NOW, SECOND = 1_767_225_600 * 10**9, 10**9
COMMAND = "c" * 32
POINTS = [
    *(Point(id=f"g/d/p{n}", unit="bar", writable=Span(0, 10)) for n in range(4)),
    Point(id="g/d/p0.alarm", kind=Kind.ALARM),
]


class Site:
    """Everything that follows a journal, in one folder, as the hub puts it together."""

    def __init__(self, folder):
        self.folder = folder
        self.registry = Registry(folder / "registry.db")
        self.rows = self.registry.rows(POINTS).tolist()
        self.journal = SegmentJournal(folder / "journal", segment_bytes_max=1500)
        self.twin, self.history = Twin(), ParquetHistory(folder / "history")
        self.alarms = Alarms(folder / "alarms.db", self.registry, self.twin)
        self.commands = Commands(folder / "commands.db", self.registry, lambda *_: True)
        snapshot = folder / "twin.snapshot"
        self.readers = Readers(self.journal, self.twin, self.history, snapshot)
        self.readers.listen(self.alarms.entry)
        self.readers.listen(self.commands.entry)
        self.replayed = self.readers.replay(self.history.position)
        self.alarms.reconcile()

    def submit(self):
        user = permit("aigul", "operator")
        self.commands.submit(user, "g/d/p1", 5.0, NOW, command_id=COMMAND)

    def take(self, records):
        position = self.journal.append(records)
        self.readers.take([entry for record in records if (entry := entry_of(record))], position)

    def write_out(self, steps):
        """Do the first steps of what the hub does now and then; a crash prevents the others."""
        if steps:
            self.alarms.save()
        position, save = self.readers.position, self.readers.saving()
        for step in (
            save,
            lambda: self.history.flush(position),
            lambda: self.journal.trim(position),
        )[:steps]:
            step()

    def end(self):
        """Leave as kill -9 does: nothing is written out, files are let go."""
        for store in (self.journal, self.registry, self.commands):
            store.close()
        self.alarms._db.close()  # close() would write out what a crash takes

    def crash(self):
        self.end()
        return Site(self.folder)

    def state(self):
        """All that anybody can see, and every alarm that there ever was."""
        self.alarms.save()
        latest = self.twin.read()
        columns = ("row", "time_ns", "value", "quality", "received_ns")
        seen = self.history.read(self.rows, 0, 2**62, samples_max=10**6)
        found = self.commands.find(COMMAND)
        assert found is not None
        return {
            "twin": {name: getattr(latest, name).tolist() for name in columns},
            "history": sorted(
                zip(seen.point.tolist(), seen.time_ns.tolist(), seen.value.tolist(), strict=True)
            ),
            "alarms": self.alarms._db.execute("SELECT * FROM alarms ORDER BY id").fetchall(),
            "open": [(alarm.id, alarm.state) for alarm in self.alarms.active()],
            "command": found.history,
        }


def story(rows):
    """Return groups of records: telemetry, late and early stamps, an alarm twice, an outcome."""
    random, number, groups = Random(3), 0, []

    def record(kind, body, at):
        nonlocal number
        number += 1
        return Record(kind, b"s" * 16, number, NOW + at * SECOND, "g", body)

    for at in range(1, 40):
        group = []
        for _ in range(random.randint(1, 3)):
            chosen = sorted(random.sample(rows[:4], 3))
            times = NOW + (at - random.choice([0, 0, 5, 30]) + random.choice([0, 0, 60])) * SECOND
            times += np.arange(3) + random.randrange(10**6)
            values = [round(random.random(), 3) for _ in chosen]
            group.append(record(RecordKind.TELEMETRY, pack(Batch.of(chosen, times, values)), at))
        if at in {5, 9, 20, 30}:
            alarm = Batch.of([rows[4]], NOW + at * SECOND, [float(at in {5, 20})])
            group.append(record(RecordKind.ALARM, pack(alarm), at))
        if at == 10:
            done = Outcome(command=COMMAND, state=OutcomeState.EXECUTED, at_ns=NOW + at * SECOND)
            group.append(record(RecordKind.OUTCOME, outcome_to_bytes(done), at))
        if at == 12:
            read = Batch.of([rows[1]], NOW + at * SECOND, [5.0])
            group.append(record(RecordKind.TELEMETRY, pack(read), at))
        groups.append(group)
    return groups


def told(folder, crashes):
    """Tell the story to a hub that crashes after some groups; ``crashes``: group → steps done."""
    folder.mkdir()
    site = Site(folder)
    site.submit()
    for index, group in enumerate(story(site.rows)):
        site.take(group)
        if index == 24:
            (alarm,) = site.alarms.active()
            site.alarms.acknowledge(alarm.id, "aigul", NOW)
        if index in crashes:
            site.write_out(crashes[index])
            site = site.crash()
    return site


def test_a_crash_at_any_moment_changes_nothing(tmp_path):
    calm = told(tmp_path / "calm", {}).state()
    assert (len(calm["alarms"]), calm["open"]) == (2, [])
    assert [step[0] for step in calm["command"]] == ["submitted", "sent", "executed", "settled"]
    assert len(calm["history"]) > 200
    for seed in range(6):
        random = Random(seed)
        crashes = {index: random.randint(0, 3) for index in random.sample(range(39), 8)}
        assert told(tmp_path / f"crashed-{seed}", crashes).state() == calm, crashes


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_a_crash_between_the_positions_replays_to_the_same(tmp_path, steps):
    calm = told(tmp_path / "calm", {}).state()
    site = told(tmp_path / "site", {20: 3})
    site.write_out(steps)
    assert site.crash().state() == calm


def test_after_trimming_the_snapshot_holds_what_the_journal_does_not(tmp_path):
    site = told(tmp_path / "site", {})
    before = site.state()
    site.write_out(3)
    left = sum(1 for _ in site.journal.read(0))
    assert left < 20, "most of it was trimmed"
    again = site.crash()
    assert again.replayed == 0
    assert again.state() == before


def test_without_its_snapshot_the_twin_comes_from_the_journal(tmp_path, capsys):
    site = told(tmp_path / "site", {})
    before = site.state()
    site.write_out(2)
    snapshot = site.folder / "twin.snapshot"
    whole = snapshot.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"PK\x03\x04" + bytes(100)):
        snapshot.write_bytes(damaged)
        again = site.crash()
        assert again.state() == before
        assert "twin.snapshot_unusable" in capsys.readouterr().out
        site = again


def test_a_journal_that_was_moved_away_loses_nothing_that_comes_after(tmp_path):
    site = told(tmp_path / "site", {30: 3})
    site.write_out(3)
    known = site.readers.position
    for path in (site.folder / "journal").glob("*.journal"):
        path.unlink()
    site = site.crash()
    assert site.journal.end >= known
    more = [
        Record(RecordKind.TELEMETRY, b"s" * 16, 10_000 + n, NOW + 99 * SECOND, "g",
               pack(Batch.of([site.rows[0]], NOW + (90 + n) * SECOND, [float(n)])))
        for n in range(3)
    ]  # fmt: skip
    site.take(more)
    before = site.state()
    assert site.crash().state() == before
    assert before["twin"]["value"][0] == 2.0


def test_an_older_journal_is_read_once_and_then_left_behind(tmp_path):
    """Somebody restored the journal of yesterday under the history of today."""
    site = told(tmp_path / "site", {})
    whole = site.state()
    site.write_out(2)
    site.end()
    paths = sorted((site.folder / "journal").glob("*.journal"))
    assert len(paths) > 3
    for path in paths[2:]:
        path.unlink()
    site = Site(site.folder)
    assert site.state()["history"] == whole["history"]
    assert site.journal.end >= site.history.position


def test_records_that_this_version_cannot_read_are_logged_and_passed(tmp_path, capsys):
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site")
    bad = Record(RecordKind.TELEMETRY, b"s" * 16, 1, NOW, "g", b"junk")
    assert entry_of(bad) is None
    assert outcome_of(Entry(bad._replace(kind=RecordKind.OUTCOME), Batch.empty())) is None
    good = bad._replace(number=2, body=pack(Batch.of([site.rows[0]], NOW, [1.5])))
    site.journal.append([bad, good])
    again = site.crash()
    assert again.replayed == 2
    assert again.twin.read([site.rows[0]]).value.tolist() == [1.5]
    assert "journal.unreadable" in capsys.readouterr().out
