"""Alarms keep what explained them when they were raised, whatever is said later."""

import sqlite3

import numpy as np

from citytwin import Batch, Kind, Point
from citytwin_hub.explained import Why
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.readers import Entry
from tests.hub.alarm_scenes import NOW, SECOND, Room


def test_an_anomaly_says_what_was_expected(tmp_path):
    room = Room(tmp_path)
    names = ("", "-kernel", "-expected")
    points = [Point(id=f"g/ps/level.anomaly{name}") for name in names]
    points[0] = Point(id=points[0].id, kind=Kind.ALARM)
    room.alarm, kernel, expected = room.registry.rows(points).tolist()
    room.measure({room.level: 4.5, kernel: 1.0, expected: 2.5}, 1)
    room.transition(True, 1)
    (shown,) = room.alarms.described()
    assert (shown["kind"], shown["severity"], shown["value"]) == ("anomaly", "medium", 4.5)
    assert shown["text"]["en"] == (
        "ps: Level out of the ordinary (4.5 m), expected 2.5 m, for this time of day"
    )
    room = room.restart()
    assert room.shown == [("anomaly", "g/ps/level.anomaly", "raised")]


def watched(folder):
    """A room with a point that is watched for anomalies, and the rows of what explains them."""
    room = Room(folder)
    names = ("kernel", "expected", "score", "threshold", "since", "similar", "similar-2")
    points = [Point(id=f"g/ps/level.anomaly-{name}") for name in names]
    room.alarm, *rows = room.registry.rows(
        [Point(id="g/ps/level.anomaly", kind=Kind.ALARM), *points]
    ).tolist()
    return room, rows


def block(room, kind, points, times_s, values):
    """Hand on what a gateway sends as one block."""
    batch = Batch.of(points, NOW + np.array(times_s) * SECOND, values)
    received_ns = NOW + max(times_s) * SECOND
    room.twin.apply(batch, received_ns)
    return Entry(Record(kind, b"s" * 16, 1, received_ns, "g", b""), batch)


SENTENCE = "ps: Level out of the ordinary (4.5 m), expected 2.5 m, for this time of day"


def test_what_explained_an_alarm_stays_while_later_samples_say_something_else(tmp_path):
    """With ``trace`` every look tells kernel, expected value and score; the alarm stands."""
    room, rows = watched(tmp_path)
    room.measure({room.level: 4.5}, 1)
    told = block(room, RecordKind.TELEMETRY, rows, [1] * 7, [1, 2.5, 3.0, 2.5, 600, 3, 9])
    room.alarms.entry(told)
    room.transition(True, 1)
    (alarm,) = room.alarms.active()
    kept = Why(1.0, 2.5, 3.0, 2.5, 600.0, (3.0, 9.0))
    assert alarm.why == kept
    (shown,) = room.alarms.described()
    assert shown["since_ms"] - shown["began_ms"] == 600_000
    assert (shown["kernel"], shown["expected"], shown["similar_days"]) == (1.0, 2.5, [3.0, 9.0])
    assert (shown["severity"], shown["score"], shown["threshold"]) == ("medium", 3.0, 2.5)
    assert shown["text"]["en"] == (
        f"{SENTENCE}, began 10 min before the alarm, the like at this time 3 and 9 days ago"
    )
    assert room.alarms.described()[0]["text"]["en"].startswith(SENTENCE)
    later = block(room, RecordKind.TELEMETRY, rows[:4], [2] * 4, [5, 4.4, 0.1, 2.6])
    room.alarms.entry(later)
    room.measure({room.level: 4.4}, 2)
    assert room.alarms.described()[0]["text"]["en"].startswith(SENTENCE)
    room = room.restart()
    assert room.alarms.active()[0].why == kept
    assert room.alarms.described()[0]["text"]["en"].startswith(SENTENCE)


def test_a_backlog_tells_what_was_said_then(tmp_path):
    """The twin is ahead of an alarm: its later samples came in the same block, or were first."""
    room, rows = watched(tmp_path)
    times = [1] * 4 + [2] * 4
    told = block(
        room, RecordKind.TELEMETRY, rows[:4] * 2, times, [1, 2.5, 3.0, 2.5, 5, 4.4, 0.1, 2.6]
    )
    rises = block(room, RecordKind.ALARM, [room.alarm], [1], [1.0])
    block(room, RecordKind.TELEMETRY, rows[:4], [3] * 4, [6, 4.3, 0.1, 2.6])
    for entry in (told, rises):
        room.alarms.entry(entry)
    assert room.alarms.active()[0].why == Why(1.0, 2.5, 3.0, 2.5)


def test_what_was_told_with_another_stamp_explains_nothing(tmp_path):
    room, rows = watched(tmp_path)
    room.alarms.entry(block(room, RecordKind.TELEMETRY, rows[:2], [1, 1], [1, 2.5]))
    room.transition(True, 2)
    assert room.alarms.active()[0].why == Why()
    assert room.alarms.described()[0]["text"]["en"] == "ps: Level out of the ordinary"


def test_a_journal_of_an_older_version_is_taken_up(tmp_path):
    room = Room(tmp_path)
    room.transition(True, 1)
    room.alarms.close()
    with sqlite3.connect(tmp_path / "alarms.db") as other:
        other.execute("ALTER TABLE alarms DROP COLUMN why")
    other.close()
    room.registry.close()
    room = Room(tmp_path)
    assert room.shown == [("limit", "g/ps/level.alarm", "raised")]
    room.transition(False, 2)
    assert room.restart().shown == [("limit", "g/ps/level.alarm", "returned")]
