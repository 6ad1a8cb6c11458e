"""Alarms: raised, acknowledged, returned; the same after a restart; a full disk hides none."""

import sqlite3

import numpy as np
import pytest

from citytwin import Batch, Kind, Label, Point
from citytwin.errors import StoreError
from citytwin_hub import alarms as module
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.readers import Entry
from citytwin_hub.registry import Registry
from tests.hub.alarm_scenes import NOW, POINTS, SECOND, Room


def test_a_limit_from_its_rise_to_its_end(tmp_path):
    room = Room(tmp_path)
    room.measure({room.level: 4.5}, 1)
    room.transition(True, 1)
    (shown,) = room.alarms.described()
    assert (shown["state"], shown["kind"], shown["row"]) == ("raised", "limit", room.alarm)
    assert (shown["value"], shown["severity"]) == (4.5, "medium")
    assert shown["text"]["en"] == "ps: Level outside normal (4.5 m)"
    assert shown["since_ms"] == NOW // 10**6 + 1000
    number = shown["id"]
    for user in ("aigul", "marat"):
        acknowledged = room.alarms.acknowledge(number, user, NOW + 2 * SECOND)
        assert acknowledged is not None
        assert acknowledged.acknowledged_by == "aigul", "the first one"
    assert room.shown == [("limit", "g/ps/level.alarm", "acknowledged")]
    room.transition(False, 9)
    assert room.shown == []
    assert room.alarms.acknowledge(number, "aigul", NOW) is None


def test_a_plant_and_what_else_kernels_find_say_it_in_their_words(tmp_path):
    room = Room(tmp_path)
    label = Label("Су ағып кетуі", "Утечка", "Leak")
    points = [
        Point(id="g/ps/flow.plant", kind=Kind.ALARM),
        Point(id="g/ps/flow.leak", kind=Kind.ALARM, label=label),
        Point(id="g/ps/level.plant-share"),
        Point(id="g/ps/level.plant-expected", unit="m"),
    ]
    plant, leak, share, expected = room.registry.rows(points).tolist()
    room.measure({room.level: 4.5, share: 0.9, expected: 2.5}, 1)
    for room.alarm in (plant, leak):
        room.transition(True, 1)
    found = {one["kind"]: one for one in room.alarms.described()}
    assert {one["severity"] for one in found.values()} == {"medium"}
    assert found["event"]["text"]["ru"] == "ps: сигнал «Утечка»"
    assert found["event"]["value"] is None
    assert found["plant"]["text"]["en"] == (
        "ps: the plant behaves unusually, most of all Level (4.5 m), expected 2.5 m"
    )
    assert room.restart().alarms.described() == room.alarms.described()


def test_what_has_returned_stays_until_somebody_has_seen_it(tmp_path):
    room = Room(tmp_path)
    room.transition(True, 1)
    room.transition(False, 2)
    assert room.shown == [("limit", "g/ps/level.alarm", "returned")]
    room = room.restart()
    (shown,) = room.alarms.described()
    assert shown["returned_ms"] == NOW // 10**6 + 2000
    room.alarms.acknowledge(shown["id"], "aigul", NOW + 3 * SECOND)
    assert room.shown == []
    assert room.restart().shown == []


def test_raised_again_before_it_was_seen_it_is_one_alarm_and_the_old_never_comes_back(tmp_path):
    room = Room(tmp_path)
    for at_s in (1, 5, 9):
        room.transition(True, at_s)
        room.transition(False, at_s + 1)
    room.transition(True, 20)
    (shown,) = room.alarms.described()
    assert shown["since_ms"] == NOW // 10**6 + 20_000
    room.transition(False, 21)
    room.alarms.acknowledge(shown["id"], "aigul", NOW)
    assert room.shown == []
    assert room.restart().shown == []


def test_transitions_told_again_change_nothing(tmp_path):
    room = Room(tmp_path)
    told = [(True, 1), (False, 2), (True, 3), (False, 3)]
    for raised, at_s in told:
        room.transition(raised, at_s)
    (shown,) = room.alarms.described()
    room.alarms.acknowledge(shown["id"], "aigul", NOW)
    for again in (room, room.restart()):
        version = again.alarms.version
        for raised, at_s in told:
            again.transition(raised, at_s)
        assert (again.shown, again.alarms.version) == ([], version)


def test_a_clock_that_is_ahead_does_not_hold_an_alarm(tmp_path):
    room = Room(tmp_path)
    room.transition(True, 3600, received_s=1)
    room.transition(False, 5)
    assert room.shown == [("limit", "g/ps/level.alarm", "returned")]


def test_what_the_disk_lost_comes_from_the_twin(tmp_path):
    """Power was cut: the twin's snapshot knows of a transition that this file has not."""
    room = Room(tmp_path)
    room.transition(True, 1)
    room.alarms.close()
    room.registry.close()
    for path in tmp_path.glob("alarms.db*"):
        path.unlink()
    room = Room(tmp_path, room.twin)
    assert room.shown == []
    room.alarms.reconcile()
    assert room.shown == [("limit", "g/ps/level.alarm", "raised")]
    room.alarms.reconcile()
    assert len(room.shown) == 1
    (tmp_path / "quiet").mkdir()
    quiet = Room(tmp_path / "quiet")
    quiet.alarms.reconcile()
    assert quiet.shown == [], "a point that was never heard of is no alarm"


def test_a_device_without_a_good_value_for_long_enough(tmp_path):
    room = Room(tmp_path)
    room.measure({room.level: 1.0, room.flow: None, room.other: None}, 0)
    room.check(1)
    room.check(40)
    assert room.shown == [("device", "g/other", "raised")]
    room.measure({room.level: None}, 41)
    room.check(41)
    room.check(70)
    assert len(room.shown) == 1
    room.check(71)
    assert [alarm[1] for alarm in room.shown] == ["g/ps", "g/other"]
    assert room.alarms.described()[0]["since_ms"] == NOW // 10**6 + 41_000
    room.measure({room.flow: 2.0, room.other: None}, 72)
    room.check(72)
    assert room.shown[0] == ("device", "g/ps", "returned")
    assert room.shown[1] == ("device", "g/other", "raised")


def test_a_device_that_is_gone_has_no_alarm(tmp_path):
    room = Room(tmp_path)
    room.transition(1, 0)
    room.measure({room.level: None, room.flow: None, room.other: 1.0}, 0)
    room.check(1)
    room.check(40)
    assert [alarm[:2] for alarm in room.shown] == [
        ("device", "g/ps"),
        ("limit", "g/ps/level.alarm"),
    ]
    # A last sample of each point says that it is no more, and the announcement does.
    batch = Batch.of([room.alarm], NOW + 41 * SECOND, [np.nan], 0x86)
    room.alarms.entry(
        Entry(Record(RecordKind.ALARM, b"s" * 16, 2, NOW + 41 * SECOND, "g", b""), batch)
    )
    room.registry.rows(POINTS, gone={0, 1, 2})
    room.check(42)
    assert {alarm[2] for alarm in room.shown} == {"returned"}


def test_a_point_that_falls_silent_while_its_device_speaks(tmp_path):
    """Every ten seconds for an hour; then the flow is told no more, and the level is."""
    room = Room(tmp_path)
    for at_s in range(0, 3610, 10):
        room.measure({room.level: 1.0, room.flow: 2.0, room.other: 1.0}, at_s)
        room.check(at_s)
    assert room.shown == []
    for at_s in range(3610, 4510, 10):
        room.measure({room.level: 1.0, room.other: 1.0}, at_s)
        room.check(at_s)
    assert room.shown == [], "not before a quarter of an hour"
    room.check(4510)
    (shown,) = room.alarms.described()
    assert (shown["kind"], shown["row"], shown["severity"]) == ("missing", room.flow, "medium")
    assert shown["since_ms"] == NOW // 10**6 + 3600_000, "of its last value"
    assert shown["text"] == {
        "kk": "ps: flow бойынша дерек тоқтады",
        "ru": "ps: flow — данные перестали поступать",
        "en": "ps: flow gives no data any more",
    }
    room = room.restart()
    room.check(4520)
    assert room.shown == [("missing", "g/ps/flow", "raised")], "whose pace nobody knows by now"
    room.measure({room.flow: 2.0}, 4530)
    room.check(4530)
    assert room.shown == [("missing", "g/ps/flow", "returned")]


def test_a_missing_point_that_is_no_more_has_no_alarm(tmp_path):
    room = Room(tmp_path)
    for at_s in range(0, 100_000, 1000):
        room.measure({room.level: 1.0} | ({room.flow: 1.0} if at_s < 10_000 else {}), at_s)
        room.check(at_s)
    assert room.shown == [("missing", "g/ps/flow", "raised")]
    room.registry.rows(POINTS, gone={1})
    room.check(100_001)
    assert room.shown == [("missing", "g/ps/flow", "returned")]


def test_points_that_come_later_are_judged_too(tmp_path):
    room = Room(tmp_path)
    room.check(0)
    (row,) = room.registry.rows([Point(id="g/new/flow")]).tolist()
    room.measure({row: None}, 1)
    room.check(1)
    room.check(40)
    assert room.shown == [("device", "g/new", "raised")]


def test_a_silent_gateway_is_one_alarm_and_not_one_for_each_device(tmp_path):
    room = Room(tmp_path)
    room.measure({room.level: 1.0, room.other: 1.0}, 0)
    room.check(31, heard_s=0)
    assert room.shown == [("gateway", None, "raised")]
    room.measure({room.level: None, room.flow: None, room.other: None}, 32)
    room.check(33, heard_s=0)
    room.check(90, heard_s=0)
    assert len(room.shown) == 1
    room.check(91)
    assert room.shown[0] == ("gateway", None, "returned")
    room.check(130)
    assert [alarm[0] for alarm in room.shown].count("device") == 2, "now it is their turn"


def test_refused_entries_are_an_alarm_that_returns_when_there_are_no_more(tmp_path):
    room = Room(tmp_path)
    at_ns = NOW + 10 * SECOND
    room.check(11, refused={"g": at_ns})
    room.check(12, refused={"g": at_ns})
    (shown,) = room.alarms.described()
    assert (shown["kind"], shown["state"], shown["gateway"]) == ("refused", "raised", "g")
    assert "refused data of gateway g" in shown["text"]["en"]
    room.check(310, refused={"g": at_ns})
    assert room.shown == [("refused", None, "returned")]
    room = room.restart()
    room.check(311, refused={"g": at_ns})
    assert room.shown == [("refused", None, "returned")], "an old one is not told again"
    room.check(400, refused={"g": NOW + 399 * SECOND})
    assert room.shown == [("refused", None, "raised")]


def test_a_full_disk_hides_no_alarm(tmp_path, monkeypatch, capsys):
    """Another process holds the file: the same as a full disk, and real."""
    monkeypatch.setattr(module, "BUSY_S_MAX", 0.02)
    room = Room(tmp_path)
    other = sqlite3.connect(tmp_path / "alarms.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    room.transition(True, 1)
    number = room.alarms.described()[0]["id"]
    room.alarms.acknowledge(number, "aigul", NOW + SECOND)
    room.transition(False, 2)
    room.transition(True, 3)
    room.check(4)
    assert room.shown == [("limit", "g/ps/level.alarm", "raised")]
    assert "database is locked" in capsys.readouterr().out
    other.execute("ROLLBACK")
    room.check(5)
    rows = other.execute("SELECT id, acknowledged_by, returned_ns FROM alarms ORDER BY id")
    assert rows.fetchall() == [(number, "aigul", NOW + 2 * SECOND), (number + 1, "", 0)]
    other.close()
    assert room.restart().shown == [("limit", "g/ps/level.alarm", "raised")]


def test_a_flood_waits_for_the_disk_once(tmp_path):
    """A district without power: a thousand alarms at the same moment."""
    room = Room(tmp_path)
    rows = room.registry.rows([Point(id=f"g/d{n}/x.alarm", kind=Kind.ALARM) for n in range(1000)])
    commits = []
    room.alarms._db.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    batch = Batch.of(rows, NOW, np.ones(1000))
    room.alarms.entry(Entry(Record(RecordKind.ALARM, b"s" * 16, 1, NOW, "g", b""), batch))
    assert len(room.shown) == 1000
    room.check(1)
    assert len(commits) == 1
    assert len(room.restart().shown) == 1000


def test_there_is_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ALARMS_MAX", 3)
    monkeypatch.setattr(module, "KEPT_MAX", 100)
    room = Room(tmp_path)
    names = {f"g-{n}": NOW for n in range(5)}
    room.alarms.check(names, NOW + 60 * SECOND)
    assert len(room.shown) == 3
    room.alarms.check(dict.fromkeys(names, NOW + 61 * SECOND), NOW + 61 * SECOND)
    for alarm in room.alarms.active():
        room.alarms.acknowledge(alarm.id, "aigul", NOW)
    for at_s in range(0, 2400, 2):
        room.transition(True, at_s)
        room.transition(False, at_s + 1)
        if at_s % 100 == 0:
            room.alarms.save()
    room.alarms.save()
    with sqlite3.connect(tmp_path / "alarms.db") as other:
        (count,) = other.execute("SELECT count(*) FROM alarms").fetchone()
    other.close()
    assert count == 100
    assert len(room.shown) == 1


def test_what_is_no_file_of_alarms(tmp_path):
    Registry(tmp_path / "registry.db")
    (tmp_path / "alarms.db").write_bytes(b"junk" * 1000)
    with pytest.raises(StoreError, match=r"alarms\.db cannot be read"):
        Room(tmp_path)
