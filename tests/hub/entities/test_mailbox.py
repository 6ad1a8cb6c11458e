"""What waits for one subscriber."""

import pytest

from citytwin.batch import SECOND_NS
from citytwin_hub.entities import mailbox
from citytwin_hub.entities.mailbox import Item, Mailbox
from citytwin_hub.entities.store import Change
from tests.hub.entities.samples import entity, prop


def item(number: int, tank: int = 1, before: int | None = 0, after: int | None = 1) -> Item:
    """Return the change of a tank's level, written with the record of a number."""
    made = [None if level is None else entity(tank, level=prop(level)) for level in (before, after)]
    return Item(number, number - 1, Change(*made), number * 1000)


def levels(told):
    """Return what a notification tells."""
    return [(one.change.id[-1], one.number) for one in told.values()]


def test_no_entity_is_twice_in_one_notification():
    box = Mailbox(passed=0)
    for number, tank in ((1, 1), (2, 2), (3, 1), (4, 3)):
        box.put(item(number, tank), merge=False)
    first = box.next()
    assert levels(first) == [("1", 1), ("2", 2)]
    assert box.next() == first, "it stays until it is done"
    box.done(first)
    assert levels(box.next()) == [("1", 3), ("3", 4)]
    assert box.cursor == 2


def test_what_had_passed_is_not_put():
    box = Mailbox(passed=5)
    box.put(item(5), merge=False)
    assert not box.has_work
    box.put(item(6), merge=False)
    assert (box.cursor, box.since_ns) == (5, 6000)
    box.done(box.next())
    assert (box.cursor, box.since_ns) == (None, None)


def test_merged_changes_go_from_the_first_to_the_last():
    box = Mailbox(passed=0)
    box.put(item(1, before=1, after=2), merge=True)
    box.put(item(2, before=2, after=3), merge=True)
    ((_, one),) = box.next().items()
    assert one.change == Change(entity(1, level=prop(1)), entity(1, level=prop(3)))
    assert (one.number, box.cursor) == (2, 0)


def test_what_came_and_went_between_two_notifications_is_not_told():
    box = Mailbox(passed=0)
    box.put(item(1, before=None, after=2), merge=True)
    box.put(item(2, before=2, after=None), merge=True)
    assert not box.has_work
    assert box.since_ns is None


def test_what_is_merged_while_it_is_sent_stays(monkeypatch):
    box = Mailbox(passed=0)
    box.put(item(1, after=1), merge=True)
    sent = box.next()
    box.put(item(2, before=1, after=2), merge=True)
    box.done(sent)
    assert levels(box.next()) == [("1", 2)]


def test_when_it_is_full_it_falls_behind_and_loses_nothing(monkeypatch):
    monkeypatch.setattr(mailbox, "PENDING_MAX", 3)
    box = Mailbox(passed=10)
    for number in range(11, 14):
        box.put(item(number, number), merge=False)
    sent = box.next()
    box.put(item(14, 14), merge=False)
    assert (box.behind, box.cursor, box.pending) == (10, 10, 0)
    box.put(item(15, 15), merge=False)
    assert box.pending == 0
    box.done(sent)
    assert box.cursor == 12, "the last write that was told may have had more in it"
    box.caught_up(14, in_step=False)
    assert box.cursor == 14
    box.caught_up(15, in_step=True)
    assert (box.cursor, box.passed, box.has_work) == (None, 15, False)
    box.put(item(15, 15), merge=False)
    assert not box.has_work


def test_after_each_failure_it_waits_longer_up_to_a_limit():
    box, waits = Mailbox(passed=0), []
    for _ in range(12):
        box.failed(0, cooldown_s=0)
        waits.append(box.ready_ns / SECOND_NS)
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == mailbox.BACKOFF_S_MAX
    box.succeeded(0, throttling_s=0)
    box.failed(0, cooldown_s=60)
    assert box.ready_ns == 60 * SECOND_NS


def test_skipped_and_rewound():
    box = Mailbox(passed=0)
    box.put(item(1), merge=False)
    box.failed(0, cooldown_s=0)
    box.skip(5)
    assert (box.has_work, box.ready_ns, box.cursor) == (False, 0, None)
    box.rewind(2, at_ns=77)
    assert (box.cursor, box.since_ns, box.has_work) == (2, 77, True)


@pytest.mark.parametrize("entities_max", [1, 2])
def test_a_notification_has_a_limit(monkeypatch, entities_max):
    monkeypatch.setattr(mailbox, "ENTITIES_MAX", entities_max)
    box = Mailbox(passed=0)
    for number in range(1, 5):
        box.put(item(number, number), merge=False)
    assert len(box.next()) == entities_max


def gave(tank: int, before: float, after: float) -> Change:
    """Return what a point gave a tank."""
    return Change(entity(tank, level=prop(before)), entity(tank, level=prop(after)))


def test_of_what_points_gave_an_entity_one_change_waits():
    box = Mailbox(passed=0)
    box.put_live(gave(1, 1, 2), 100, 150)
    box.put_live(gave(2, 5, 6), 100, 150)
    box.put_live(gave(1, 2, 3), 200, 250)
    assert (box.pending, box.live_cursor, box.since_ns, box.cursor) == (2, 100, 150, None)
    told = box.next()
    assert [one.change for one in told.values()] == [gave(1, 1, 3), gave(2, 5, 6)]
    box.put_live(gave(1, 3, 4), 300, 350)
    box.done(told)
    ((_, left),) = box.next().items()
    assert left.change == gave(1, 3, 4), "what came while it was told goes on from there"
    box.done(box.next())
    assert (box.has_work, box.live_cursor, box.since_ns) == (False, None, None)


def test_what_was_written_and_what_points_gave_are_two_notifications():
    box = Mailbox(passed=0)
    box.put_live(gave(1, 1, 2), 100, 150)
    box.put(item(1, tank=1), merge=True)
    box.put(item(2, tank=2), merge=True)
    first = box.next()
    assert levels(first) == [("1", 1), ("2", 2)]
    box.done(first)
    assert [one.change for one in box.next().values()] == [gave(1, 1, 2)]


def test_of_too_much_that_points_gave_the_moment_is_kept(monkeypatch):
    monkeypatch.setattr(mailbox, "PENDING_MAX", 2)
    box = Mailbox(passed=0)
    for tank in (1, 2, 3):
        box.put_live(gave(tank, 1, 2), 100 * tank, 150)
    assert (box.live_behind, box.pending, box.has_work) == (100, 0, True)
    box.put_live(gave(4, 1, 2), 400, 450)
    assert box.pending == 0
    assert box.take_live_behind() == 100
    box.put_live(gave(4, 1, 2), 400, 450)
    assert (box.pending, box.live_cursor) == (1, 400)
    box.fall_live_behind(100)
    assert (box.pending, box.live_cursor) == (0, 100)
    box.skip(0)
    assert not box.has_work
