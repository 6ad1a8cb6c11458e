"""Travel times: matches, outliers, jams, stays, and how much is remembered."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.batch import SECOND_NS
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.travel_time import NUMBER_MAX, TRAVEL_TIME, VEHICLES_MAX
from tests.edge.kernels.built import START_NS, at, built, of, run, settings

WAY = {"length_m": 2000, "travel_s_min": 60, "travel_s_max": 1800}


def trips(*rows):
    """Return sightings in order of time: rows of vehicle, leaving and arriving (s)."""
    seen = [(leaves, 0, number) for number, leaves, _ in rows]
    seen += [(arrives, 1, number) for number, _, arrives in rows]
    times, points, numbers = zip(*sorted(seen), strict=True)
    return Batch.of(points, at(*times), numbers)


def travel(batch, **fields):
    return of(built(TRAVEL_TIME, ["1", "1"], **WAY | fields).step(batch), 2)


def test_three_vehicles():
    kernel = built(TRAVEL_TIME, ["1", "1"], **WAY)
    made = kernel.step(trips((11, 0, 120), (12, 10, 140), (13, 20, 145)))
    assert of(made, 2) == (
        [120, 125, 125], [Quality.UNCERTAIN_STALE, Quality.UNCERTAIN_STALE, Quality.GOOD]
    )  # fmt: skip
    assert of(made, 3) == ([1, 2, 3], [Quality.GOOD] * 3)
    assert of(made, 4)[0][-1] == pytest.approx(2000 / 125 * 3.6)


def test_one_who_stops_on_the_way_is_put_aside():
    rows = [(number, 10 * number, 10 * number + 120) for number in range(1, 9)]
    kernel = built(TRAVEL_TIME, ["1", "1"], **WAY)
    made = kernel.step(trips(*rows, (99, 0, 700)))
    assert of(made, 2)[0][-1] == 120
    assert of(made, 3)[0][-1] == 8


def test_a_jam_wins():
    free = [(number, 10 * number, 10 * number + 120) for number in range(1, 9)]
    jam = [(number, 10 * number, 10 * number + 600) for number in range(9, 30)]
    values, _ = travel(trips(*free, *jam))
    assert values[8] == 120, "the first one in the jam is an outlier"
    assert values[-1] == 600


@pytest.mark.parametrize("arrives", [30, 2000])
def test_what_is_no_travel(arrives):
    assert travel(trips((11, 0, arrives))) == ([], [])


def test_the_last_sighting_before_and_the_first_behind_count():
    points, times = [0, 0, 1, 1], at(0, 50, 170, 230)
    assert travel(Batch.of(points, times, [11] * 4))[0] == [120]


def test_old_matches_do_not_count():
    rows = [(1, 0, 100), (2, 10, 110), (3, 5000, 5300)]
    assert travel(trips(*rows))[0][-1] == 300


@pytest.mark.parametrize("number", [0, -5, np.nan, 2.0**53])
def test_numbers_that_are_no_vehicle(number):
    quality = [Quality.BAD_SILENT if np.isnan(number) else Quality.GOOD] * 2
    assert travel(Batch.of([0, 1], at(0, 120), [number] * 2, quality)) == ([], [])


def test_large_numbers_are_told_apart():
    points, times = [0, 0, 1], at(0, 10, 130)
    assert travel(Batch.of(points, times, [NUMBER_MAX, NUMBER_MAX - 1, NUMBER_MAX - 1]))[0] == [120]


def test_a_doubtful_sighting_makes_a_doubtful_time():
    batch = Batch.of([0, 1], at(0, 120), [11, 11], [Quality.UNCERTAIN_CLOCK, 0])
    assert travel(batch, matches_min=1)[1] == [Quality.UNCERTAIN_CLOCK]


def test_the_oldest_is_forgotten_first():
    count = VEHICLES_MAX + 1
    leaves = Batch.of(np.zeros(count), START_NS + np.arange(count) * 10**7, np.arange(1, count + 1))
    arrive = Batch.of([1, 1], at(200, 201), [1, count])
    kernel = built(TRAVEL_TIME, ["1", "1"], **WAY)
    made = kernel.step(Batch.concat([leaves, arrive]))
    assert len(of(made, 3)[0]) == 1
    assert len(kernel.snapshot()) < 100_000


def test_it_keeps_every_promise():
    random = np.random.default_rng(20)
    count = 3000
    times = START_NS + np.cumsum(random.choice([0, 1, 5, 20, 900, -30], count,
        p=[.1, .4, .3, .15, .01, .04])) * SECOND_NS  # fmt: skip
    quality = random.choice(
        [0, Quality.UNCERTAIN_CLOCK, Quality.BAD_SILENT], count, p=[0.8, 0.1, 0.1]
    )
    value = np.where(quality == Quality.BAD_SILENT, np.nan, random.integers(-1, 60, count))
    batch = Batch.of(random.integers(0, 2, count), times, value, quality)
    made = check_kernel(lambda: built(TRAVEL_TIME, ["1", "1"], **WAY), batch)
    assert {Quality.GOOD, Quality.UNCERTAIN_CLOCK} <= set(made.quality.tolist())


@pytest.mark.parametrize(
    "fields",
    [{}, WAY | {"length_m": 0}, WAY | {"travel_s_min": 1800}, WAY | {"window_s": 1},
     WAY | {"matches_min": 65}, WAY | {"ids": 1}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(TRAVEL_TIME, **fields)


def test_wrong_inputs_are_named():
    with pytest.raises(ConfigError, match="it reads 2, not 1"):
        built(TRAVEL_TIME, ["1"], **WAY)
    with pytest.raises(ConfigError, match="input 2 is the vehicle seen at the second place"):
        built(TRAVEL_TIME, ["1", "s"], **WAY)


def test_a_gateway_runs_it(tmp_path):
    table = (
        '[[kernel]]\nname = "k"\nkernel = "travel-time"\ninputs = ["d/a", "d/b"]\n'
        "length_m = 2000\ntravel_s_min = 60\ntravel_s_max = 1800\nmatches_min = 1\n"
    )
    made = run(tmp_path, ["1", "1"], table, Batch.of([0, 1], at(0, 120), [11.0, 11.0]))
    assert made["g/d/a.travel-time"] == ([120.0], [Quality.GOOD])
    assert made["g/d/a.travel-speed"] == ([pytest.approx(60)], [Quality.GOOD])
