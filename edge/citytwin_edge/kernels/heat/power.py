"""Heat power: power, energy and lost time of a water circuit, from a flow and two temperatures.

As a heat meter does it (EN 1434-1, the calculation of energy): the volume that has passed, times
the density where the flow meter sits, times the difference of the specific enthalpies:

    P = ρ(p, θm) · q · (h(p, θs) − h(p, θr))     θm = θs or θr, where the flow meter is

Density ρ and enthalpy h are those of water by IAPWS-IF97, region 1, at one pressure for both pipes,
16 bar where nothing else is set, as EN 1434-1 takes it. For water only: brine and glycol have other
properties. For heating only: what flows back is not counted.

- A difference below `difference_k_min` is one that a pair of sensors cannot measure well: the power
  is `uncertain: range`.
- A return that is warmer than the supply by more than that is a pair that is mounted the wrong way
  round: the power is `bad: out of range`. So it is with a flow below zero, and with a temperature
  below 0 °C or at which water boils. Without flow the power is 0, whatever the difference.
- The energy is the area below the power, in straight lines from one result to the next, over gaps
  of up to `gap_s_max` too. Over a longer gap nothing is counted: its length goes to the lost time,
  and the first total after it is `uncertain: stale`, as are those while the power is bad.
- The total has no roll-over, and it survives a restart. A result that comes late or twice counts
  nothing. After a clock was set back by more than `gap_s_max`, counting begins at the new time.

Source: EN 1434-1, the calculation of energy, which was not read in print; its worked numbers at 16
bar are tests, and the release of IAPWS was read (``if97``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import numpy as np
from msgspec import Meta

from citytwin.batch import SECOND_NS, Batch, Float64
from citytwin.point import Kind, Label, Point
from citytwin.quality import SEVERITY_SHIFT, Quality, Severity, worse
from citytwin_edge.kernels.formula import Ages, Builtin, Calculate, Formula, Gives, Reads
from citytwin_edge.kernels.heat.if97 import KELVIN, boiling_k, liquid

LIQUID_K_MAX: Final = 623.15
"""Where the equation for liquid water ends, whatever the pressure."""
HOUR_S: Final = 3600.0
STALE: Final = int(Quality.UNCERTAIN_STALE)

READS: Final = (
    Reads("flow", "m3/h"),
    Reads("supply temperature", "Cel"),
    Reads("return temperature", "Cel"),
)
GIVES: Final = (
    Gives(
        "heat-power", "kW", Label(kk="Жылу қуаты", ru="Тепловая мощность", en="Heat power")
    ),
    Gives(
        "heat-energy",
        "kW.h",
        Label(kk="Жылу энергиясы", ru="Тепловая энергия", en="Heat energy"),
        kind=Kind.COUNTER,
    ),
    Gives(
        "heat-lost-time",
        "h",
        Label(
            kk="Жылу есептелмеген уақыт",
            ru="Время без учёта тепла",
            en="Time in which no heat was counted",
        ),
        kind=Kind.COUNTER,
    ),
)  # fmt: skip


class HeatSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the flow meter is, and what counts.

    Attributes:
        flow_meter: the pipe in which the flow meter is; its density counts.
        pressure_bar: absolute pressure at which the properties of water are taken, in bar.
        difference_k_min: the smallest difference that the pair of sensors measures well, in K.
        flow_min: a flow up to it counts as none, in m³/h.
        gap_s_max: the longest gap between two results over which energy is counted, in seconds.
    """

    flow_meter: Literal["supply", "return"]
    pressure_bar: Annotated[float, Meta(ge=1, le=200)] = 16.0
    difference_k_min: Annotated[float, Meta(ge=0, le=20)] = 3.0
    flow_min: Annotated[float, Meta(ge=0, le=1e4)] = 0.0
    gap_s_max: Annotated[float, Meta(gt=0, le=86_400)] = 300.0


class HeatPower(Formula):
    """Power from a formula, and the energy below it."""

    def __init__(self, settings: HeatSettings, inputs: Sequence[Point]) -> None:
        """Check the inputs (ConfigError)."""
        super().__init__(
            "heat-power", inputs, READS, GIVES, power(settings), age_s_max=settings.age_s_max
        )
        self._gap_ns = int(settings.gap_s_max * SECOND_NS)
        self._columns |= {
            "energy": np.zeros(1),
            "lost": np.zeros(1),
            "since": np.zeros(1, np.int64),
            "power": np.zeros(1),
            "doubt": np.zeros(1, np.uint8),
        }

    def step(self, batch: Batch) -> Batch:
        """Return what follows from these samples."""
        found = super().step(batch)
        first = len(self.inputs)
        power, small = (found.select(found.point == number) for number in (first, first + 1))
        doubt = np.where(small.value > 0, np.uint8(Quality.UNCERTAIN_RANGE), np.uint8(Quality.GOOD))
        power = Batch(power.point, power.time_ns, power.value, worse(power.quality, doubt))
        rows = [
            (time_ns, *counted)
            for time_ns, value, quality in zip(
                power.time_ns.tolist(), power.value.tolist(), power.quality.tolist(), strict=True
            )
            if (counted := self._count(time_ns, value, quality)) is not None
        ]
        if not rows:
            return power
        times, energy, lost, qualities = zip(*rows, strict=True)
        return Batch.concat(
            [
                power,
                Batch.of(np.full(len(rows), first + 1), times, energy, qualities),
                Batch.of(np.full(len(rows), first + 2), times, lost, qualities),
            ]
        )

    def _count(
        self, time_ns: int, power_kw: float, quality: int
    ) -> tuple[float, float, int] | None:
        """Return energy in kWh, lost time in h and their quality; None for what comes late."""
        state = self._columns
        since = int(state["since"][0])
        passed_ns = time_ns - since
        hours = passed_ns / SECOND_NS / HOUR_S
        lost = since > 0 and passed_ns > self._gap_ns
        if quality >> SEVERITY_SHIFT == Severity.BAD:
            if since and passed_ns <= 0:
                return None
            more = hours if lost else 0.0
            return float(state["energy"][0]), float(state["lost"][0]) + more, STALE
        if since and -self._gap_ns <= passed_ns <= 0:
            return None
        said = quality
        if lost:
            state["lost"][0] += hours
            said = said or STALE
        elif since and passed_ns > 0:
            state["energy"][0] += (float(state["power"][0]) + max(power_kw, 0.0)) / 2 * hours
            said = said or int(state["doubt"][0])
        state["since"][0], state["power"][0], state["doubt"][0] = time_ns, max(power_kw, 0), quality
        return float(state["energy"][0]), float(state["lost"][0]), said


def power(settings: HeatSettings) -> Calculate:
    """Return what makes of flow, supply and return the power in kW, and 1 where it is doubtful."""
    pressure_mpa = settings.pressure_bar / 10
    hottest = min(boiling_k(pressure_mpa), LIQUID_K_MAX)
    least, none = settings.difference_k_min, settings.flow_min

    def calculate(values: Float64) -> Float64:
        flow, kelvin = values[0], values[1:] + KELVIN
        flow = np.where(np.abs(flow) <= none, 0.0, flow)
        wrong = ((kelvin < KELVIN) | (kelvin >= hottest)).any(axis=0) | (flow < 0)
        difference = kelvin[0] - kelvin[1]
        wrong |= (difference < -least) & (flow > 0)
        small = (np.abs(difference) < least) & (flow > 0)
        density, enthalpy = (
            column.reshape(kelvin.shape) for column in liquid(pressure_mpa, kelvin.ravel())
        )
        where = 0 if settings.flow_meter == "supply" else 1
        result = flow / HOUR_S * density[where] * (enthalpy[0] - enthalpy[1])
        return np.array([np.where(wrong, np.nan, result), small])

    return calculate


HEAT_POWER: Final = Builtin(
    HeatSettings,
    HeatPower,
    READS,
    GIVES,
    "heat power and energy of a water circuit, after EN 1434-1 with the properties of IAPWS-IF97",
)
