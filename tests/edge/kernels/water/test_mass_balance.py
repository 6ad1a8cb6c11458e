"""Mass balance: what is unaccounted for, volumes, what was not seen, and what is refused."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.water.mass_balance import MASS_BALANCE
from tests.edge.kernels.built import built, of, settings
from tests.edge.kernels.water.running import days, run

MINUTE = 60 * 10**9
START = 1_767_294_000 * 10**9
ROLES = ["inflow", "inflow", "outflow", "volume", "consumption"]
UNITS = ["m3/h", "L/s", "m3/h", "m3", "m3/h"]
AREA = {"zone": "Asia/Almaty", "roles": ROLES}
GOOD, STALE, MISSING = Quality.GOOD, Quality.UNCERTAIN_STALE, Quality.BAD_STALE


def hours(count, *laws, gone=()):
    """Return samples of each minute: a value of each input as a function of the hour."""
    rows = [
        (number, START + minute * MINUTE, law(minute / 60))
        for minute in range(count * 60)
        for number, law in enumerate(laws)
        if not any(number == who and low <= minute < high for who, low, high in gone)
    ]
    point, times, values = zip(*rows, strict=True)
    end = Batch.of([0], START + count * 60 * MINUTE, [0.0])
    return Batch.concat([Batch.of(point, times, values), end])


def constant(value):
    return lambda hour: value


AREA_LAWS = (
    constant(100), constant(5), constant(8), lambda hour: 500 + 10 * hour, constant(80)
)  # fmt: skip


def test_the_balance_of_an_hour():
    made = built(MASS_BALANCE, UNITS, **AREA).step(hours(3, *AREA_LAWS))
    # 100 + 18 in, 8 out, 10 stored: 100 supplied, of which 80 were used.
    supply, quality = of(made, 5)
    assert supply[1:] == pytest.approx([100, 100])
    assert quality == [MISSING, GOOD, GOOD]
    assert of(made, 6) == ([100] * 3, [GOOD] * 3)
    assert of(made, 7)[0][1:] == pytest.approx([20, 20])
    assert of(made, 8)[0][1:] == pytest.approx([100 * 20 / 118] * 2)
    assert made.time_ns[0] == START + 60 * MINUTE


def test_without_volumes_and_consumption():
    kernel = built(MASS_BALANCE, ["m3/h", "m3/h"], zone="Asia/Almaty", roles=["inflow", "outflow"])
    made = kernel.step(hours(1, constant(30), constant(12)))
    assert len(kernel.outputs) == 2
    assert of(made, 2) == ([18], [GOOD])


@pytest.mark.parametrize(
    ("gone", "quality", "percent"),
    [
        ((), [GOOD, GOOD], [100, 100]),
        (((1, 60, 75),), [STALE, GOOD], [75, 100]),
        (((4, 60, 105),), [MISSING, GOOD], [25, 100]),
        (((3, 60, 100),), [GOOD, GOOD], [100, 100]),  # of a volume only the ends count
        (((3, 105, 120),), [MISSING, MISSING], [100, 100]),
    ],
)
def test_what_was_not_seen(gone, quality, percent):
    made = built(MASS_BALANCE, UNITS, **AREA).step(hours(3, *AREA_LAWS, gone=gone))
    assert of(made, 7)[1][1:] == quality
    assert of(made, 6)[0][1:] == percent
    assert np.isnan(of(made, 7)[0][1]) == (quality[0] == MISSING)


def test_over_an_interval_without_any_sample_volumes_are_not_compared():
    batch = hours(4, *AREA_LAWS, gone=[(number, 60, 120) for number in range(5)])
    made = built(MASS_BALANCE, UNITS, **AREA).step(batch)
    assert of(made, 5)[1] == [MISSING, MISSING, GOOD]


def test_a_share_of_no_inflow_is_none():
    laws = (constant(0), constant(0), *AREA_LAWS[2:])
    made = built(MASS_BALANCE, UNITS, **AREA).step(hours(2, *laws))
    assert of(made, 7)[1][1] == GOOD
    assert of(made, 8)[1][1] == MISSING


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(MASS_BALANCE, UNITS, **AREA),
        days(9, [100, 5, 8, 500, 80]),
    )
    assert set(made.point.tolist()) == set(range(5, 9))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"roles": ["outflow"]}, "roles must hold an inflow"),
        ({"roles": ["inflow"] * 101}, "at most 100 inputs"),
        ({"roles": ["flow"]}, "'flow'"),
        ({"interval_min": 50}, "interval_min must divide a day"),
        ({"interval_min": 40}, "step_min interval_min"),
        ({"interval_min": 0}, ">= 1"),
        ({"zone": "Mars"}, 'zone "Mars" is not known'),
        ({"colour": 1}, "unknown field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        settings(MASS_BALANCE, **AREA | fields)


def test_other_inputs_are_refused():
    with pytest.raises(ConfigError, match="there are 4 inputs and 5 roles"):
        built(MASS_BALANCE, UNITS[:4], **AREA)
    with pytest.raises(ConfigError, match="input 4 is the volume, in m3"):
        built(MASS_BALANCE, [*UNITS[:3], "m", "m3/h"], **AREA)


def test_a_gateway_runs_it(tmp_path):
    table = f'kernel = "mass-balance"\nzone = "Asia/Almaty"\nroles = {ROLES}\n'.replace("'", '"')
    points, found = run(tmp_path, UNITS, table, hours(2, *AREA_LAWS))
    assert [point.id for point in points] == [
        "g/d/a.supply", "g/d/a.balance-seen", "g/d/a.unaccounted", "g/d/a.unaccounted-percent",
    ]  # fmt: skip
    assert found[2][0][1] == pytest.approx(20)
