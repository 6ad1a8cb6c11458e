"""Tally: days and months of the local clock, and gaps."""

import msgspec
import numpy as np
import pytest

from citytwin import Quality
from citytwin_edge.kernels.air.exceedance import EXCEEDANCE
from tests.edge.kernels.air.monthly import days
from tests.edge.kernels.built import at, built, of, settings


def si(batch, **fields):
    kernel = built(EXCEEDANCE, ["mg/m3"], limit_mg_m3=0.5, **fields)
    return kernel.step(batch)


def test_it_is_told_at_local_midnight():
    made = si(days([0.1], [0.2]))
    assert sorted(set(made.time_ns.tolist())) == at(86_400 - 5 * 3600, 2 * 86_400 - 5 * 3600)


@pytest.mark.parametrize(
    ("period", "becomes"), [("month", [2.0, 2.0, 0.4]), ("year", [2.0, 2.0, 2.0])]
)
def test_a_new_month_begins_anew(period, becomes):
    # 30 and 31 January, 1 February.
    made = si(days([1.0], [0.1], [0.2], first=29), period=period)
    assert of(made, 1)[0] == pytest.approx(becomes)


@pytest.mark.parametrize(("seen", "quality"), [(54, Quality.GOOD), (53, Quality.UNCERTAIN_STALE)])
def test_three_quarters_must_be_seen(seen, quality):
    values = np.where(np.arange(72) < seen, 0.1, np.nan)
    assert of(si(days([values])), 1)[1] == [quality]


def test_the_length_of_a_mean_counts():
    # One reading in three is high: a peak of 20 minutes, and a third of it over an hour.
    batch = days([np.tile([1.5, 0.0, 0.0], 24)])
    assert of(si(batch), 1)[0] == [pytest.approx(3.0)]
    assert of(si(batch, average_min=60), 1)[0] == [pytest.approx(1.0)]


@pytest.mark.parametrize(
    "fields",
    [{"period": "week"}, {"average_min": 7}, {"utc_offset_h": 5.1}, {"utc_offset_h": 20}],
)
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(EXCEEDANCE, **{"limit_mg_m3": 0.5} | fields)
