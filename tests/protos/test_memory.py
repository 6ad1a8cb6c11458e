"""Memory of a stream: what it expects follows from what it has seen, and it has an end."""

import numpy as np
import pytest

from citytwin.errors import MalformedError
from citytwin_protos import memory as m


def column(*values):
    return np.array(values, np.int32)


def test_groups_sort_a_column_by_point():
    groups = m.Groups(column(3, 1, 3, 2))
    assert groups.order is not None
    assert groups.order.tolist() == [1, 3, 0, 2]
    assert groups.points.tolist() == [1, 2, 3]
    assert groups.counts.tolist() == [1, 1, 2]
    assert groups.spread(np.array([10, 20, 30])).tolist() == [10, 20, 30, 30]
    assert groups.total(np.array([1, 2, 3, 4])).tolist() == [1, 2, 7]


def test_groups_of_a_sorted_column_need_no_order():
    groups = m.Groups(column(1, 4, 9))
    assert groups.order is None
    assert groups.single


def test_points_are_found_where_they_were_put():
    memory = m.PointMemory()
    first = memory.find(column(5, 9))
    memory.last[first] = [50, 90]
    again = memory.find(column(1, 5, 7, 9, 11))
    assert memory.last[again].tolist() == [0, 50, 0, 90, 0]


def test_the_number_of_points_has_a_limit():
    memory = m.PointMemory()
    memory.find(np.arange(m.POINTS_MAX, dtype=np.int32))
    with pytest.raises(MalformedError, match="points"):
        memory.find(column(-1))


def learn(memory, steps):
    groups = m.Groups(column(7))
    at = memory.find(groups.points)
    for step in steps:
        _, _, drift = memory.expect(at)
        memory.learn(at, groups, np.array([step], np.int64), drift)
    return [int(part[0]) for part in memory.expect(at)]


def test_the_shift_follows_the_size_of_the_steps():
    memory = m.PointMemory()
    shift, drift, _ = learn(memory, [1000, -1000] * 40)
    assert shift in {10, 11}
    assert drift == 0
    shift, _, _ = learn(memory, [0] * 600)
    assert shift == 0


def test_a_counter_drifts_and_noise_does_not():
    shift, drift, _ = learn(m.PointMemory(), [99, 100, 101] * 100)
    assert drift in {99, 100}
    assert shift <= 2
    assert learn(m.PointMemory(), [5, -5, 4, -4] * 20)[1] == 0
    assert learn(m.PointMemory(), ([50] + [0] * 15) * 5)[1] == 0


def test_the_largest_steps_overflow_nothing():
    memory, groups = m.PointMemory(), m.Groups(np.zeros(100_000, np.int32))
    at = memory.find(groups.points)
    steps = np.full(100_000, -(2**63), np.int64)
    for _ in range(3):
        _, _, drift = memory.expect(at)
        memory.learn(at, groups, steps, drift)
    shift, _, _ = memory.expect(at)
    assert 40 <= int(shift[0]) <= 63
