"""Water loss: the worked number of UARL, a day's balance, doubt, and what is refused."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.water.water_loss import WATER_LOSS
from tests.edge.kernels.built import built, of, settings
from tests.edge.kernels.water.running import days, run

MINUTE = 60 * 10**9
DAY = 1_767_294_000 * 10**9  # 2026-01-02 00:00 in Almaty, 19:00 UTC of the day before
TOWN = {"zone": "Asia/Almaty", "mains_km": 100.0, "connections": 5000, "private_km": 25.0}
GOOD, DOUBT = Quality.GOOD, Quality.UNCERTAIN_RANGE
INFLOW, LOSSES, UARL, ILI, BACKGROUND = range(5)


def day(*values, start=DAY, missing=()):
    """Return a day of samples every five minutes, and one of the first input behind it."""
    times = start + np.arange(288) * 5 * MINUTE
    some = [
        Batch.of(np.full(288, number), times, np.full(288, value))
        for number, value in enumerate(values)
    ]
    whole = Batch.concat(some)
    whole = whole.select(np.argsort(whole.time_ns, kind="stable"))
    hour = (whole.time_ns - start) // (60 * MINUTE)
    gone = np.zeros(len(whole), bool)
    for number, hours in missing:
        gone |= (whole.point == number) & (hour < hours)
    return Batch.concat([whole.select(~gone), Batch.of([0], start + 1440 * MINUTE, [0.0])])


def outputs(kernel, batch):
    made = kernel.step(batch)
    return [of(made, len(kernel.inputs) + number) for number in range(5)]


def test_the_worked_number():
    # Lambert: 100 km, 5,000 connections, 25 km of private pipe, 40 m: 257,000 L/d.
    kernel = built(WATER_LOSS, ["m3/h", "m[H2O]"], **TOWN, authorised_m3_d=10_000, apparent_m3_d=86)
    found = outputs(kernel, day(500, 40))
    assert found[UARL] == ([pytest.approx(257)], [GOOD])
    assert found[INFLOW] == ([pytest.approx(12_000)], [GOOD])
    assert found[LOSSES] == ([pytest.approx(1914)], [GOOD])
    assert found[ILI] == ([pytest.approx(1914 / 257)], [GOOD])


@pytest.mark.parametrize(("pressure", "factor"), [(50, 1), (25, 0.5**1.5)])
def test_background_leakage(pressure, factor):
    # At 50 m: 20 L/h for a km of mains, 1.25 L/h for a connection, 33.3 L/h for a km of private.
    kernel = built(WATER_LOSS, ["m3/h", "m[H2O]"], **TOWN, authorised_m3_d=0, condition=2)
    litres_h = 20 * 100 + 1.25 * 5000 + 100 / 3 * 25
    assert outputs(kernel, day(500, pressure))[BACKGROUND] == (
        [pytest.approx(2 * litres_h * 24 / 1000 * factor)], [GOOD],
    )  # fmt: skip


def test_pressure_in_bar_and_consumption_that_is_read():
    kernel = built(WATER_LOSS, ["m3/h", "bar", "L/s"], **TOWN)
    found = outputs(kernel, day(500, 40 * 0.0980665, 100))
    assert found[UARL][0] == pytest.approx([257])
    assert found[LOSSES] == ([pytest.approx(12_000 - 8640)], [GOOD])


@pytest.mark.parametrize(
    ("change", "values", "missing", "qualities"),
    [
        ({}, (500, 40), (), [GOOD] * 5),
        ({"connections": 900}, (500, 40), (), [GOOD, GOOD, DOUBT, DOUBT, GOOD]),
        ({}, (500, 24), (), [GOOD, GOOD, DOUBT, DOUBT, GOOD]),
        ({}, (10, 40), (), [GOOD, DOUBT, GOOD, DOUBT, GOOD]),
        ({}, (500, 0), (), [GOOD, GOOD] + [Quality.BAD_STALE] * 3),
        (
            {}, (500, 40), ((0, 6),),
            [Quality.UNCERTAIN_STALE] * 2 + [GOOD, Quality.UNCERTAIN_STALE, GOOD],
        ),
        (
            {}, (500, 40), ((1, 13),),
            [GOOD, GOOD] + [Quality.BAD_STALE] * 3,
        ),
    ],
)  # fmt: skip
def test_doubt(change, values, missing, qualities):
    kernel = built(WATER_LOSS, ["m3/h", "m[H2O]"], **TOWN | change, authorised_m3_d=5000)
    found = outputs(kernel, day(*values, missing=missing))
    assert [quality for _, (quality,) in found] == qualities


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(WATER_LOSS, ["m3/h", "m[H2O]", "m3/h"], **TOWN),
        days(9, [500, 40, 200]),
    )
    assert set(made.point.tolist()) == set(range(3, 8))
    assert Quality.UNCERTAIN_STALE in made.quality


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mains_km": 0}, "> 0"),
        ({"connections": -1}, ">= 0"),
        ({"private_km": -1}, ">= 0"),
        ({"authorised_m3_d": -1}, ">= 0"),
        ({"apparent_m3_d": -1}, ">= 0"),
        ({"condition": 0}, "> 0"),
        ({"step_min": 7}, "step_min must divide a day"),
        ({"zone": "Mars"}, 'zone "Mars" is not known'),
        ({"colour": 1}, "unknown field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        settings(WATER_LOSS, **TOWN | fields)


def test_other_inputs_are_refused():
    both = "write authorised_m3_d, or the authorised consumption as the third input"
    with pytest.raises(ConfigError, match=both):
        built(WATER_LOSS, ["m3/h", "bar"], **TOWN)
    with pytest.raises(ConfigError, match=both):
        built(WATER_LOSS, ["m3/h", "bar", "m3/h"], **TOWN, authorised_m3_d=1)
    with pytest.raises(ConfigError, match=r"input 2 is the mean pressure, in m\[H2O\]"):
        built(WATER_LOSS, ["m3/h", "m"], **TOWN, authorised_m3_d=1)


def test_a_gateway_runs_it(tmp_path):
    table = (
        'kernel = "water-loss"\nzone = "Asia/Almaty"\nmains_km = 100\nconnections = 5000\n'
        "private_km = 25\nauthorised_m3_d = 10000\n"
    )
    points, found = run(tmp_path, ["m3/h", "bar"], table, day(500, 40 * 0.0980665))
    assert [point.id for point in points] == [
        f"g/d/a.{name}"
        for name in (
            "inflow-day", "losses", "unavoidable-losses", "leakage-index", "background-leakage"
        )
    ]  # fmt: skip
    assert found[UARL] == (pytest.approx([257]), [GOOD])
