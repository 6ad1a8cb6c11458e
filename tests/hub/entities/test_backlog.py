"""What was written and is not matched yet."""

from citytwin_hub.entities.backlog import Backlog
from citytwin_hub.entities.entities import Written
from citytwin_hub.entities.store import Change
from tests.hub.entities.samples import entity, prop

CHANGE = Change(None, entity(1, level=prop(1)))


def written(number, changes=1):
    """Return what was written up to a record."""
    return Written([CHANGE] * changes, number, now_ns=number)


def close(backlog, number):
    """Close the gap that there is."""
    gap = backlog.gap
    assert gap is not None
    backlog.close_gap(gap, number)


def taken(backlog):
    """Return the number of what is taken."""
    first = backlog.take()
    assert first is not None
    return first.number


def test_it_begins_with_a_gap_that_the_evolution_fills():
    woken = []
    backlog = Backlog(lambda: woken.append(True))
    backlog.put(written(3))
    backlog.put(written(5))
    assert len(woken) == 2
    assert backlog.take() is None
    close(backlog, 3)
    assert backlog.gap is None
    assert taken(backlog) == 5
    assert backlog.take() is None


def test_when_it_is_full_it_has_a_gap():
    backlog = Backlog(lambda: None, changes_max=10)
    close(backlog, 0)
    backlog.put(written(8, changes=8))
    backlog.put(written(11, changes=3))
    assert backlog.gap is not None
    assert backlog.take() is None
    backlog.put(written(21, changes=10))
    close(backlog, 11)
    assert taken(backlog) == 21


def test_a_gap_that_came_meanwhile_stays():
    backlog = Backlog(lambda: None, changes_max=2)
    gap = backlog.gap
    backlog.put(written(3, changes=3))
    assert gap is not None
    backlog.close_gap(gap, 0)
    assert backlog.gap is not None
