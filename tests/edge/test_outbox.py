"""The outbox: numbers never come again, kill -9 loses nothing, a full one thins what it may."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from itertools import pairwise

import pytest

from citytwin.errors import StoreError, StoreFull
from citytwin_edge.outbox import SCHEMA, EntryKind, NewEntry, Outbox
from tests.powercut import moments

MB = 1 << 20
T, A = EntryKind.TELEMETRY, EntryKind.ALARM


def test_entries_come_back_in_order_until_acknowledged(tmp_path):
    outbox = Outbox(tmp_path / "outbox.db", size_bytes_max=MB)
    numbers = outbox.append_many([NewEntry(T, b"a", 3), NewEntry(A, b"b", 1)], {"rules": b"s"})
    assert [(e.number, e.kind, e.body, e.samples) for e in outbox.pending(0, 10)] == [
        (numbers[0], T, b"a", 3),
        (numbers[1], A, b"b", 1),
    ]
    assert [e.number for e in outbox.pending(numbers[0], 10)] == numbers[1:]
    outbox.acknowledge(numbers[0])
    assert [e.number for e in outbox.pending(0, 10)] == numbers[1:]
    assert outbox.snapshots() == {"rules": b"s"}
    stats = outbox.stats()
    assert (stats.entries, stats.samples, stats.oldest_number) == (1, 1, numbers[1])


def test_a_stream_begins_anew_only_when_the_hub_has_more_than_was_made(tmp_path):
    path = tmp_path / "outbox.db"
    outbox = Outbox(path, size_bytes_max=MB)
    last = outbox.append_many([NewEntry(T, b"x", 1)] * 3)[-1]
    stream = outbox.stream
    assert not outbox.begin_anew(last)
    assert outbox.stream == stream
    assert outbox.begin_anew(last + 1)
    assert len(outbox.stream) == 16
    assert outbox.stream != stream
    assert [e.number for e in outbox.pending(0, 10)] == [1, 2, 3], "what waits goes on waiting"
    again = outbox.stream
    outbox.close()
    assert Outbox(path, size_bytes_max=MB).stream == again


def test_numbers_are_never_used_again(tmp_path):
    path = tmp_path / "outbox.db"
    outbox = Outbox(path, size_bytes_max=MB)
    last = outbox.append_many([NewEntry(T, b"x", 1)] * 10)[-1]
    stream = outbox.stream
    outbox.acknowledge(last)
    outbox.close()
    outbox = Outbox(path, size_bytes_max=MB)
    assert outbox.stream == stream
    assert outbox.append(T, b"y", 1) == last + 1
    assert outbox.stats().last_number == last + 1


def test_refused_entries_are_set_aside(tmp_path):
    outbox = Outbox(tmp_path / "outbox.db", size_bytes_max=MB)
    first, second = outbox.append_many([NewEntry(T, b"x", 1)] * 2)
    outbox.refuse(first, "point 7 is unknown")
    assert [e.number for e in outbox.pending(0, 10)] == [second]
    assert outbox.stats().refused_entries == 1
    (row,) = outbox.inspect("refused")
    assert (row["number"], row["reason"], row["kind"]) == (first, "point 7 is unknown", "telemetry")
    assert outbox.inspect("entries")[0]["bytes"] == 1


def test_when_full_telemetry_is_thinned_oldest_first_and_alarms_stay(tmp_path):
    outbox = Outbox(tmp_path / "outbox.db", size_bytes_max=60_000)
    alarms = [outbox.append(A, b"a" * 50, 1) for _ in range(20)]
    written = [outbox.append(T, b"t" * 400, 10) for _ in range(400)]
    stats = outbox.stats()
    kept = outbox.pending(0, 1000)
    assert stats.bytes <= 60_000
    assert [e.number for e in kept if e.kind == A] == alarms
    telemetry = [e.number for e in kept if e.kind == T]
    assert telemetry[-1] == written[-1]
    # The whole span is there, coarser at its beginning.
    assert telemetry[0] < written[60]
    middle = len(telemetry) // 2
    gaps = [b - a for a, b in pairwise(telemetry)]
    assert sum(gaps[:middle]) > sum(gaps[middle:])
    assert stats.thinned_samples == 10 * (400 - len(telemetry))
    assert sum(e.samples for e in kept) == stats.samples


def test_full_with_alarms_alone_is_said_and_loses_nothing(tmp_path):
    outbox = Outbox(tmp_path / "outbox.db", size_bytes_max=3000)
    kept = []
    with pytest.raises(StoreFull, match="alarms"):
        for _ in range(100):
            kept.append(outbox.append(A, b"a" * 50, 1))
    assert [e.number for e in outbox.pending(0, 1000)] == kept
    outbox.acknowledge(kept[-1])
    assert outbox.append(A, b"a", 1) > kept[-1]


def test_the_file_stays_small(tmp_path):
    outbox = Outbox(tmp_path / "outbox.db", size_bytes_max=MB)
    for _ in range(30):
        last = outbox.append_many([NewEntry(T, b"x" * 1000, 1)] * 100)[-1]
        outbox.acknowledge(last)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size < 6 * MB


def of_a_newer_agent(path, oldest_reader):
    """Change an outbox as a newer agent would that adds a column."""
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE entries ADD COLUMN urgency INTEGER NOT NULL DEFAULT 0")
        db.execute("CREATE TABLE later (name TEXT) STRICT")
        db.execute(
            "INSERT OR REPLACE INTO counters (name, value) VALUES ('oldest_reader', ?)",
            (oldest_reader,),
        )
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")


def test_a_newer_file_that_says_so_is_read_and_written_by_its_predecessor(tmp_path):
    path = tmp_path / "outbox.db"
    outbox = Outbox(path, size_bytes_max=MB)
    stream, first = outbox.stream, outbox.append(T, b"before", 2)
    outbox.close()
    of_a_newer_agent(path, SCHEMA)
    again = Outbox(path, size_bytes_max=MB)
    second = again.append(A, b"after", 1)
    assert again.stream == stream
    assert [(e.number, e.body, e.samples) for e in again.pending(0, 9)] == [
        (first, b"before", 2), (second, b"after", 1),
    ]  # fmt: skip
    assert second > first
    again.close()
    with sqlite3.connect(path) as db:  # the newer agent still finds it to be its own
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA + 1,)


@pytest.mark.parametrize("oldest_reader", [SCHEMA + 1, 0, -1, "all"])
def test_a_newer_file_that_says_anything_else_is_refused(tmp_path, oldest_reader):
    path = tmp_path / "outbox.db"
    Outbox(path, size_bytes_max=MB).close()
    of_a_newer_agent(path, oldest_reader)
    with pytest.raises(StoreError, match=rf"\(schema {SCHEMA + 1}, this one knows {SCHEMA}\)"):
        Outbox(path, size_bytes_max=MB)


def test_a_newer_file_and_a_broken_one_are_refused_in_words(tmp_path):
    path = tmp_path / "outbox.db"
    Outbox(path, size_bytes_max=MB).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer agent"):
        Outbox(path, size_bytes_max=MB)
    # And nothing was done to it.
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (99,)
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match=r"broken.db cannot be opened"):
        Outbox(broken, size_bytes_max=MB)


WRITER = """
import sys
from pathlib import Path
from citytwin_edge.outbox import SCHEMA, EntryKind, NewEntry, Outbox
outbox = Outbox(Path(sys.argv[1]), size_bytes_max=1 << 30)
while True:
    numbers = outbox.append_many([NewEntry(EntryKind.TELEMETRY, b"x" * 300, 1)] * 3)
    sys.stdout.write(f"{numbers[-1]}\\n")
    sys.stdout.flush()
"""


def test_fifty_kills_lose_no_accepted_entry(tmp_path):
    rng, accepted = random.Random(5), 0
    path = tmp_path / "outbox.db"
    for _ in range(50):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout
        for _ in range(rng.randrange(1, 25)):
            accepted = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        accepted = max([accepted, *(int(line) for line in rest[:-1])])
    numbers = [e.number for e in Outbox(path, size_bytes_max=1 << 30).pending(0, 10**6)]
    assert numbers == sorted(set(numbers))
    assert numbers[:accepted] == list(range(1, accepted + 1))
    assert accepted > 100


STEPS = """
import sys
from pathlib import Path
from citytwin_edge.outbox import SCHEMA, EntryKind, NewEntry, Outbox
def say(*words):
    print(*words, flush=True)
outbox = Outbox(Path(sys.argv[1]), size_bytes_max=60_000)
outbox._db.execute(f"PRAGMA synchronous = {sys.argv[2]}")
for step in range(40):
    kinds = [EntryKind.TELEMETRY, EntryKind.ALARM]
    numbers = outbox.append_many([NewEntry(kind, bytes([step]) * 900, 1) for kind in kinds])
    say("kept", numbers[-1])
    if step % 7 == 6:
        say("acknowledging", numbers[0] - 4)
        outbox.acknowledge(numbers[0] - 4)
"""


def cut_the_power_at_every_moment(tmp_path, synchronous):
    """Check what is left each time; return how many moments there were."""
    folder, count = tmp_path / "state", 0
    command = [sys.executable, "-c", STEPS, str(folder / "outbox.db"), synchronous]
    for moment in moments(command, folder, tmp_path / "trace"):
        count += 1
        left = tmp_path / f"cut-{count}"
        moment.cut(left, seed=count)
        outbox = Outbox(left / "outbox.db", size_bytes_max=60_000)
        entries = {entry.number: entry for entry in outbox.pending(0, 10**6)}
        said = [line.split() for line in moment.said]
        kept = max([0, *(int(number) for word, number in said if word == "kept")])
        gone = max([0, *(int(number) for word, number in said if word == "acknowledging")])
        lost = [number for number in range(gone + 1, kept + 1) if number not in entries]
        assert not lost, f"lost at moment {count}"
        for number, entry in entries.items():
            assert entry.body == bytes([(number - 1) // 2]) * 900, "what is there is whole"
        assert outbox.append(EntryKind.ALARM, b"next", 1) > kept, "no number is used again"
        outbox.close()
        shutil.rmtree(left)
    return count


def test_a_power_cut_at_any_moment_loses_no_accepted_entry(tmp_path):
    assert cut_the_power_at_every_moment(tmp_path, "FULL") > 300


def test_such_a_test_notices_what_is_not_synced(tmp_path):
    with pytest.raises(AssertionError, match="lost at moment"):
        cut_the_power_at_every_moment(tmp_path, "NORMAL")
