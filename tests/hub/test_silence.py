"""Silence: a point is missing by its own pace; what a gateway or a device does not say is not."""

import numpy as np
import pytest

from citytwin import Batch, Kind, Point
from citytwin_hub.registry import Registry
from citytwin_hub.silence import (
    FACTOR,
    MISSING_PER_DEVICE_MAX,
    PAUSES_MIN,
    UNKNOWN_NS,
    Silence,
)
from citytwin_hub.twin import Twin

NOW, SECOND, HOUR = 1_767_225_600 * 10**9, 10**9, 3600
MISSING_S = 900
BAD = 0x81


class City:
    """A device whose points speak as they are told to, looked at every ten seconds."""

    def __init__(self, folder, points):
        self.registry, self.twin = Registry(folder / "registry.db"), Twin()
        self.rows = self.registry.rows(points).tolist()
        self.silence = Silence(self.registry, self.twin, MISSING_S * SECOND)
        self.at_s, self.heard = 0, {"g"}

    def say(self, point, value=1.0, quality=0):
        at_ns = NOW + self.at_s * SECOND
        self.twin.apply(Batch.of([self.rows[point]], at_ns, [value], quality), at_ns)

    def live(self, seconds, paces, step_s=10):
        """Let time pass, each point speaking at its pace in seconds; return what was found."""
        found = self.look()
        for _ in range(seconds // step_s):
            self.at_s += step_s
            for point, pace_s in paces.items():
                if self.at_s % pace_s == 0:
                    self.say(point)
            found = self.look()
        return found

    def look(self):
        found = self.silence.look(self.heard, NOW + self.at_s * SECOND)
        return found.devices, sorted(self.rows.index(row) for row in found.points)


@pytest.fixture
def city(tmp_path):
    names = ("fast", "hourly", "state")
    kinds = (Kind.ANALOG, Kind.COUNTER, Kind.STATE)
    points = [Point(id=f"g/d/{name}", kind=kind) for name, kind in zip(names, kinds, strict=True)]
    return City(tmp_path, [*points, Point(id="g/other/p")])


def test_a_point_is_missing_after_three_of_its_own_pauses(city):
    assert city.live(5 * HOUR, {0: 10, 1: HOUR, 2: 10}) == (set(), [])
    assert city.live(MISSING_S, {1: HOUR, 2: 10}) == (set(), []), "not before missing_s"
    assert city.live(10, {1: HOUR, 2: 10}) == (set(), [0])
    rest_s = 3 * HOUR - MISSING_S - 10
    assert city.live(rest_s, {0: 10, 2: 10}) == (set(), []), "an hourly one has more time"
    assert city.live(10, {0: 10, 2: 10}) == (set(), [1])
    assert city.live(HOUR, {0: 10, 1: HOUR, 2: 10}) == (set(), []), "it speaks again"


def test_what_is_bad_is_missing_too_and_a_state_may_be_silent(city):
    city.live(HOUR, {0: 10, 1: 10, 2: 10})
    city.say(0, np.nan, BAD)
    assert city.live(MISSING_S + 10, {1: 10}) == (set(), [0])


def test_of_what_has_no_pace_yet_a_day_is_waited_for(city):
    assert PAUSES_MIN > 1
    city.live(20, {1: 10})
    city.say(0)
    assert city.live(UNKNOWN_NS // SECOND, {1: 60}, 60) == (set(), [])
    assert city.live(20, {1: 10}) == (set(), [0])


def test_a_pause_that_was_long_is_forgotten(city):
    city.live(HOUR, {0: 10, 1: 10})
    city.live(2 * HOUR, {0: 2 * HOUR, 1: 10})
    city.live(4 * 86_400, {0: 60, 1: 60}, 60)
    assert city.live(HOUR, {1: 10}) == (set(), [0]), f"2 h once, {FACTOR} times that long ago"


def test_a_device_without_anything_good_is_one_alarm_and_its_points_have_time_again(city):
    city.live(HOUR, {0: 10, 1: 10})
    for point in (0, 1):
        city.say(point, np.nan, BAD)
    assert city.live(HOUR, {}) == ({"g/d"}, [])
    city.say(0)
    assert city.live(MISSING_S - 10, {0: 10}) == (set(), []), "the other had no turn yet"
    assert city.live(30, {0: 10}) == (set(), [1])


def test_a_device_whose_every_point_falls_silent_is_one_alarm(city):
    city.live(HOUR, {0: 10, 1: 10})
    assert city.live(MISSING_S + 20, {}) == ({"g/d"}, [])


def test_a_gateway_that_is_away_makes_nothing_missing(city):
    city.live(HOUR, {0: 10, 1: 10})
    city.heard = set()
    assert city.live(6 * HOUR, {}) == (set(), [])
    city.heard = {"g"}
    assert city.live(MISSING_S - 10, {1: 10}) == (set(), [])
    assert city.live(30, {1: 10}) == (set(), [0]), "its pace is what it was before"


def test_there_is_a_limit_for_each_device(tmp_path):
    many = MISSING_PER_DEVICE_MAX + 5
    city = City(tmp_path, [Point(id=f"g/d/p{n}") for n in range(many)])
    city.live(HOUR, dict.fromkeys(range(many), 10))
    assert city.live(MISSING_S + 20, {0: 10}) == (set(), list(range(1, many - 4)))


def test_points_that_come_and_go(city):
    city.live(HOUR, {0: 10, 1: 10})
    assert city.live(MISSING_S + 20, {1: 10})[1] == [0]
    points = [city.registry.points[row] for row in city.rows]
    new = [*points, Point(id="g/d/new")]
    city.rows = city.registry.rows(new, gone={0}).tolist()
    assert city.live(20, {1: 10, 4: 10}) == (set(), []), "what is no more is not missing"
    assert city.live(HOUR, {1: 10, 4: 10}) == (set(), [])
    assert city.live(MISSING_S + 20, {1: 10}) == (set(), [4])
    assert Silence(city.registry, Twin(), 1).look({"g"}, NOW).points == {}
