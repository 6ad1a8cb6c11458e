"""US air quality index of one pollutant's average.

    I = (I_high − I_low) / (B_high − B_low) · (c − B_low) + I_low      rounded; c is truncated

Source: 40 CFR Part 58, Appendix G, with the PM2.5 breakpoints in force since May 2024, and US EPA,
Technical Assistance Document EPA-454/B-24-002 (May 2024), table 6: c is truncated, not rounded, to
0.1 µg/m³ (PM2.5), 1 µg/m³ (PM10), 0.001 ppm (O₃), 0.1 ppm (CO), 1 ppb (SO₂, NO₂). The rule itself
could not be read for this kernel: its numbers are as programs have them that follow it.

Above the table the index is the last one, ``uncertain: range``: 500, or 300 for 8 hours of ozone
and 200 for one hour of SO₂, which say no more. Below it (one hour of ozone under 0.125 ppm, 24
hours of SO₂ under 305 ppb) there is none: ``bad: out of range``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from citytwin.batch import Float64
from citytwin.conversion import Scale
from citytwin.point import Kind, Label, Point
from citytwin_edge.kernels.air.concentration import Celsius, HectoPascal, scale
from citytwin_edge.kernels.formula import Ages, Builtin, Gives, Limited, Reads

NOISE: Final = 1e-6
"""So much of a step is the rounding of a number in binary: 0.29 is no 0.28."""
INDEX: Final = ((0, 50), (51, 100), (101, 150), (151, 200), (201, 300), (301, 500))
GIVES: Final = (
    Gives(
        "aqi",
        "1",
        Label(kk="Ауа сапасының индексі", ru="Индекс качества воздуха", en="Air quality index"),
        "airQualityIndex",
    ),
    Gives(
        "aqi-category",
        "1",
        Label(
            kk="Ауа сапасының санаты", ru="Категория качества воздуха", en="Air quality category"
        ),
        kind=Kind.STATE,
    ),
)
READS: Final = (Reads("average of a pollutant", "ug/m3"),)


class Table(NamedTuple):
    """Breakpoints of a pollutant.

    Attributes:
        unit: in which it is calculated.
        gas: of MOLAR_G; empty for particles.
        per_unit: so many steps of truncation are one unit.
        first: the category of the first row, from 0.
        rows: lowest and highest concentration of each category, in steps.
    """

    unit: str
    gas: str
    per_unit: int
    first: int
    rows: tuple[tuple[int, int], ...]


TABLES: Final = {
    "pm25": Table("ug/m3", "", 10, 0,
        ((0, 90), (91, 354), (355, 554), (555, 1254), (1255, 2254), (2255, 3254))),
    "pm10": Table("ug/m3", "", 1, 0,
        ((0, 54), (55, 154), (155, 254), (255, 354), (355, 424), (425, 604))),
    "o3-8h": Table("[ppm]", "o3", 1000, 0,
        ((0, 54), (55, 70), (71, 85), (86, 105), (106, 200))),
    "o3-1h": Table("[ppm]", "o3", 1000, 2,
        ((125, 164), (165, 204), (205, 404), (405, 604))),
    "co-8h": Table("[ppm]", "co", 10, 0,
        ((0, 44), (45, 94), (95, 124), (125, 154), (155, 304), (305, 504))),
    "so2-1h": Table("[ppb]", "so2", 1, 0,
        ((0, 35), (36, 75), (76, 185), (186, 304))),
    "so2-24h": Table("[ppb]", "so2", 1, 4,
        ((305, 604), (605, 1004))),
    "no2-1h": Table("[ppb]", "no2", 1, 0,
        ((0, 53), (54, 100), (101, 360), (361, 649), (650, 1249), (1250, 2049))),
}  # fmt: skip


class AqiSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which pollutant, and to what a gas in µg/m³ refers.

    Attributes:
        pollutant: what the input is, with the hours of its average.
        temperature_c: to which a mass in a volume refers, in °C; needed for a gas in µg/m³.
        pressure_hpa: to which a mass in a volume refers, in hPa; needed for a gas in µg/m³.
    """

    pollutant: Literal["pm25", "pm10", "o3-8h", "o3-1h", "co-8h", "so2-1h", "so2-24h", "no2-1h"]
    temperature_c: Celsius | None = None
    pressure_hpa: HectoPascal | None = None


def index(concentration: Float64, table: Table) -> Float64:
    """Return index, category from 1 and 1 where it is beyond the table; shape (3, n).

    ``concentration``: shape (n,), in the table's unit. NaN where there is no index.
    """
    low, high = np.array(table.rows, float).T
    bands = np.array(INDEX[table.first : table.first + len(low)], float)
    # A little below zero is the noise of an instrument in clean air.
    steps = np.floor(np.maximum(concentration, 0.0) * table.per_unit + NOISE)
    beyond = steps > high[-1]
    inside = np.where(np.isfinite(steps), np.minimum(steps, high[-1]), -1.0)
    place = np.searchsorted(low, inside, side="right") - 1
    known, place = place >= 0, np.maximum(place, 0)
    lowest, highest = bands[place].T
    exact = (highest - lowest) * (inside - low[place]) / (high[place] - low[place]) + lowest
    rounded = np.where(known, np.floor(exact + 0.5), np.nan)
    category = np.where(known, table.first + place + 1.0, np.nan)
    return np.array([rounded, category, beyond.astype(float)])


class Aqi(Limited):
    """Gives index and category with every sample; doubtful beyond the table."""

    def __init__(self, settings: AqiSettings, inputs: Sequence[Point]) -> None:
        """Check the input (ConfigError)."""
        table = TABLES[settings.pollutant]
        factor: Scale = scale(
            inputs, table.unit, table.gas, settings.temperature_c, settings.pressure_hpa
        )
        super().__init__(
            "us-aqi",
            inputs,
            (Reads("average", inputs[0].unit),),
            GIVES,
            lambda values: index(values[0] * factor.factor + factor.offset, table),
            age_s_max=settings.age_s_max,
        )


US_AQI: Final = Builtin(
    AqiSettings, Aqi, READS, GIVES, "US air quality index (40 CFR 58, Appendix G, of 2024)"
)
