"""The journal: what was acknowledged is there after kill -9, in order, once; a torn tail is cut."""

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest

from citytwin.errors import StoreError
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.journal.segments import SegmentJournal
from tests.powercut import moments

STREAM = b"s" * 16


def record(number, size=10):
    return Record(RecordKind.TELEMETRY, STREAM, number, 5, "medeu-1", bytes([number % 256]) * size)


def numbers(journal, after=0):
    return [entry.number for _, entry in journal.read(after)]


def test_records_come_back_behind_a_position(tmp_path):
    journal = SegmentJournal(tmp_path)
    middle = journal.append([record(1), record(2)])
    end = journal.append([record(3)])
    assert [entry for _, entry in journal.read(0)] == [record(1), record(2), record(3)]
    assert numbers(journal, middle) == [3]
    assert numbers(journal, end) == []
    assert journal.end == end
    assert journal.durable_through(STREAM) == 3
    assert journal.durable_through(b"x" * 16) == 0


def test_segments_roll_trim_and_remember_what_is_a_repeat(tmp_path):
    journal = SegmentJournal(tmp_path, segment_bytes_max=2000)
    positions = [journal.append([record(n, 100)]) for n in range(1, 101)]
    assert len(list(tmp_path.glob("*.journal"))) > 5
    assert numbers(journal) == list(range(1, 101))
    journal.trim(positions[89])
    left = numbers(journal)
    assert left[0] > 50
    assert left[-1] == 100
    assert numbers(journal, positions[89]) == list(range(91, 101))
    journal.close()
    again = SegmentJournal(tmp_path, segment_bytes_max=2000)
    assert again.durable_through(STREAM) == 100
    assert again.append([record(101)]) > positions[-1]
    assert numbers(again, positions[-1]) == [101]


@pytest.mark.parametrize("cut", [1, 5, 8, 20, 40])
def test_a_torn_tail_is_cut_off(tmp_path, cut):
    journal = SegmentJournal(tmp_path)
    journal.append([record(1)])
    journal.append([record(2)])
    journal.close()
    (path,) = tmp_path.glob("*.journal")
    os.truncate(path, path.stat().st_size - cut)
    again = SegmentJournal(tmp_path)
    assert numbers(again) == [1]
    assert again.durable_through(STREAM) == 1
    again.append([record(2), record(3)])
    assert numbers(again) == [1, 2, 3]


def test_damage_before_the_end_is_named(tmp_path):
    journal = SegmentJournal(tmp_path, segment_bytes_max=500)
    for number in range(1, 30):
        journal.append([record(number, 100)])
    first = sorted(tmp_path.glob("*.journal"))[0]
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 0xFF
    first.write_bytes(data)
    with pytest.raises(StoreError, match="damaged at byte"):
        list(journal.read(0))
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "00000000000000000000.journal").write_bytes(b"nothing")
    with pytest.raises(StoreError, match="not a journal segment"):
        SegmentJournal(tmp_path / "x")


def test_zeros_that_a_power_cut_left_are_cut_off(tmp_path):
    journal = SegmentJournal(tmp_path)
    journal.append([record(1)])
    journal.close()
    (path,) = tmp_path.glob("*.journal")
    with path.open("ab") as file:
        file.write(bytes(4096))
    again = SegmentJournal(tmp_path)
    again.append([record(2)])
    assert numbers(again) == [1, 2]
    assert not list(tmp_path.glob("*.damaged"))


def test_what_may_be_damage_is_kept_beside(tmp_path, capsys):
    journal = SegmentJournal(tmp_path)
    middle = journal.append([record(1)])
    journal.append([record(2)])
    journal.append([record(3)])
    journal.close()
    (path,) = tmp_path.glob("*.journal")
    data = bytearray(path.read_bytes())
    data[middle + 12] ^= 1
    path.write_bytes(data)
    again = SegmentJournal(tmp_path)
    assert numbers(again) == [1]
    kept = path.with_name(f"{path.stem}-{middle}.damaged")
    assert kept.read_bytes() == bytes(data[middle:])
    assert str(kept) in capsys.readouterr().out


def test_an_older_segment_that_was_cut_short_is_named(tmp_path):
    journal = SegmentJournal(tmp_path, segment_bytes_max=500)
    for number in range(1, 30):
        journal.append([record(number, 100)])
    first = min(tmp_path.glob("*.journal"))
    os.truncate(first, first.stat().st_size - 3)
    with pytest.raises(StoreError, match=f"{first.name} is damaged at byte .*backup"):
        numbers(journal)
    first.write_bytes(b"")
    with pytest.raises(StoreError, match="not a journal segment"):
        numbers(journal)
    first.unlink()
    assert numbers(journal)[-1] == 29, "moved away, as the error says, the rest can be read"


def test_a_record_of_a_newer_hub_is_named_and_nothing_is_cut(tmp_path):
    journal = SegmentJournal(tmp_path)
    journal.append([record(1)])
    journal.append([record(2)._replace(kind=9)])
    journal.close()
    (path,) = tmp_path.glob("*.journal")
    size = path.stat().st_size
    with pytest.raises(StoreError, match="newer hub"):
        SegmentJournal(tmp_path)
    assert path.stat().st_size == size


def test_a_full_disk_leaves_the_journal_sound(tmp_path):
    """A file size limit stands for the full disk: the write stops half way in either case."""
    script = textwrap.dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        from citytwin.errors import StoreError
        from citytwin_hub.journal.contract import Record, RecordKind
        from citytwin_hub.journal.segments import SegmentJournal
        journal = SegmentJournal(Path(sys.argv[1]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        record = lambda n, size: Record(RecordKind.TELEMETRY, b"s" * 16, n, 5, "g", bytes(size))
        journal.append([record(1, 100)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        try:
            journal.append([record(2, 100_000)])
        except StoreError as error:
            print("refused:", error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        journal.append([record(3, 100)])
        print([entry.number for _, entry in journal.read(0)])
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "refused: the journal in" in done.stdout
    assert done.stdout.splitlines()[-1] == "[1, 3]"


WRITER = """
import sys, structlog
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
from pathlib import Path
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.journal.segments import SegmentJournal
journal = SegmentJournal(Path(sys.argv[1]), segment_bytes_max=20_000)
number = journal.durable_through(b"s" * 16)
while True:
    records = [
        Record(RecordKind.TELEMETRY, b"s" * 16, number + n, 5, "g", bytes(200)) for n in range(1, 8)
    ]
    journal.append(records)
    number += 7
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def test_fifty_kills_lose_nothing_and_repeat_nothing(tmp_path):
    rng, acknowledged = random.Random(11), 0
    for _ in range(50):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert child.stdout
        for _ in range(rng.randrange(1, 30)):
            acknowledged = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        # The last line may itself be torn.
        acknowledged = max([acknowledged, *(int(line) for line in rest[:-1])])
    found = numbers(SegmentJournal(tmp_path))
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= acknowledged > 100


STEPS = """
import os, sys
from pathlib import Path
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.journal.segments import SegmentJournal
def say(*words):
    print(*words, flush=True)
if sys.argv[2] == "careless":
    os.fdatasync = lambda file: None
journal = SegmentJournal(Path(sys.argv[1]), segment_bytes_max=5_000)
number = 0
for step in range(60):
    group = [
        Record(RecordKind.TELEMETRY, b"s" * 16, n, 5, "g", bytes([n % 256]) * 300)
        for n in range(number + 1, number + 4)
    ]
    position = journal.append(group)
    number += 3
    say("kept", number)
    if step % 11 == 10:
        say("trimming", number)
        journal.trim(position)
"""


def cut_the_power_at_every_moment(tmp_path, how):
    """Check what is left each time; return how many moments there were."""
    folder, count = tmp_path / "journal", 0
    command = [sys.executable, "-c", STEPS, str(folder), how]
    for moment in moments(command, folder, tmp_path / "trace"):
        count += 1
        left = tmp_path / f"cut-{count}"
        moment.cut(left, seed=count)
        journal = SegmentJournal(left)
        said = [line.split() for line in moment.said]
        kept = max([0, *(int(number) for word, number in said if word == "kept")])
        gone = max([0, *(int(number) for word, number in said if word == "trimming")])
        found = {entry.number: entry.body for _, entry in journal.read(0)}
        lost = [number for number in range(gone + 1, kept + 1) if number not in found]
        assert not lost, f"lost at moment {count}"
        assert journal.durable_through(STREAM) >= kept, "a repeat would be known"
        assert list(found) == sorted(found)
        assert all(body == bytes([number % 256]) * 300 for number, body in found.items())
        journal.append([record(10_000)])
        assert [entry.number for _, entry in journal.read(0)] == [*found, 10_000]
        journal.close()
        shutil.rmtree(left)
    return count


def test_a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path):
    assert cut_the_power_at_every_moment(tmp_path, "careful") > 200


def test_such_a_test_notices_what_is_not_synced(tmp_path):
    with pytest.raises(AssertionError, match="lost at moment"):
        cut_the_power_at_every_moment(tmp_path, "careless")
