"""US air quality index: published numbers, every breakpoint, and what lies beyond the tables."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.air.aqi import INDEX, TABLES, US_AQI, index
from tests.edge.kernels.built import START_NS, built, once, run, settings, shaken


@pytest.mark.parametrize(
    ("pollutant", "unit", "value", "becomes"),
    [
        ("o3-8h", "[ppm]", 0.07853333, 126),  # US EPA's own example
        ("o3-8h", "[ppb]", 78.53333, 126),
        ("pm25", "ug/m3", 35.92, 102),
        ("pm25", "mg/m3", 0.03592, 102),
        ("pm25", "ug/m3", 9.09, 50),  # truncated to 9.0, not rounded to 9.1
        ("pm25", "ug/m3", -0.4, 0),
        ("co-8h", "[ppm]", 8.4, 90),
        ("no2-1h", "[ppb]", 53.9, 50),
    ],
)
def test_published_numbers_and_truncation(pollutant, unit, value, becomes):
    kernel = built(US_AQI, [unit], pollutant=pollutant)
    assert once(kernel, value)[0][0] == becomes


@pytest.mark.parametrize("name", TABLES)
def test_every_breakpoint_gives_its_index(name):
    table = TABLES[name]
    for place, (low, high) in enumerate(table.rows, table.first):
        steps = np.array([low, high], float)
        found = index(steps / table.per_unit, table)
        assert found.tolist() == [list(map(float, INDEX[place])), [place + 1] * 2, [0, 0]]
    lows, highs = zip(*table.rows, strict=True)
    assert [low - 1 for low in lows[1:]] == list(highs[:-1]), "no gap and no overlap"


@pytest.mark.parametrize(
    ("pollutant", "unit", "value", "becomes"),
    [
        ("pm25", "ug/m3", 700, (500, Quality.UNCERTAIN_RANGE)),
        ("o3-8h", "[ppm]", 0.3, (300, Quality.UNCERTAIN_RANGE)),
        ("so2-1h", "[ppb]", 400, (200, Quality.UNCERTAIN_RANGE)),
        ("so2-24h", "[ppb]", 304.9, (np.nan, Quality.BAD_OUT_OF_RANGE)),
        ("o3-1h", "[ppm]", 0.124, (np.nan, Quality.BAD_OUT_OF_RANGE)),
        ("o3-1h", "[ppm]", 0.125, (101, Quality.GOOD)),
    ],
)
def test_beyond_the_table(pollutant, unit, value, becomes):
    values, quality = once(built(US_AQI, [unit], pollutant=pollutant), value)
    assert (values[0], quality) == pytest.approx(becomes, nan_ok=True)


def test_a_gas_in_micrograms_needs_temperature_and_pressure():
    with pytest.raises(ConfigError, match="write temperature_c and pressure_hpa"):
        built(US_AQI, ["ug/m3"], pollutant="o3-8h")
    kernel = built(US_AQI, ["ug/m3"], pollutant="o3-8h", temperature_c=25, pressure_hpa=1013.25)
    # 154.2 µg/m³ are 78.55 ppb at 25 °C.
    assert once(kernel, 154.2)[0][0] == 126


def test_a_bad_average_gives_no_index():
    kernel = built(US_AQI, ["ug/m3"], pollutant="pm25")
    made = kernel.step(Batch.of([0], START_NS, [np.nan], [Quality.BAD_STALE]))
    assert np.isnan(made.value).all()
    assert made.quality.tolist() == [Quality.BAD_STALE] * 2


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(US_AQI, ["ug/m3"], pollutant="pm25"), shaken(5, [600.0], [0, 60, 3600])
    )
    assert {Quality.GOOD, Quality.UNCERTAIN_RANGE, Quality.BAD_SILENT} <= set(made.quality.tolist())


@pytest.mark.parametrize(
    "fields",
    [{}, {"pollutant": "pm1"}, {"pollutant": "pm25", "temperature_c": 99},
     {"pollutant": "pm25", "pressure_hpa": 1}, {"pollutant": "pm25", "age_s_max": 0}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(US_AQI, **fields)


def test_a_gateway_runs_it(tmp_path):
    table = (
        '[[kernel]]\nname = "k"\nkernel = "us-aqi"\ninputs = ["d/a"]\npollutant = "no2-1h"\n'
        "temperature_c = 20\npressure_hpa = 920\n"
    )
    made = run(tmp_path, ["ug/m3"], table, Batch.of([0], START_NS, [100.0]))
    # 100 µg/m³ at 20 °C and 920 hPa are 57.6 ppb, 57 when truncated.
    assert made["g/d/a.aqi"] == ([54.0], [Quality.GOOD])
