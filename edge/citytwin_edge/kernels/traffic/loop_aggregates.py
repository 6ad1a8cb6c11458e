"""Loop aggregates: count, flow, speed and occupancy by intervals, of a sample for each vehicle.

    q = n / T        time-mean speed = Σ vᵢ / n        occupancy = Σ time over the loop / T

10 vehicles in 30 s are 1,200 veh/h. Source: Traffic Flow Theory, A State-of-the-Art Report
(Gartner, Messer, Rathi; TRB/FHWA, 2001), chapter 2. An interval without a vehicle has a flow of 0
and no speed, which is told as ``bad: not a number``. Cited from knowledge, not read for this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from citytwin.batch import SECOND_NS
from citytwin.point import Label, Point
from citytwin.quality import SEVERITY_SHIFT, Quality, Severity
from citytwin_edge.kernels.formula import Builtin, Gives
from citytwin_edge.kernels.traffic.passages import READS, Passages, PassageSettings

COUNT: Final = Gives(
    "count",
    "{vehicles}",
    Label(kk="Көлік саны", ru="Число автомобилей", en="Vehicles"),
    "intensity",
)
FLOW: Final = Gives(
    "flow", "{vehicles}/h", Label(kk="Көлік ағыны", ru="Интенсивность движения", en="Traffic flow")
)
SPEED: Final = Gives(
    "mean-speed",
    "km/h",
    Label(kk="Орташа жылдамдық", ru="Средняя скорость", en="Mean speed"),
    "averageVehicleSpeed",
)
OCCUPANCY: Final = Gives("occupancy", "%", Label(kk="Толымдылық", ru="Занятость", en="Occupancy"))


class LoopSettings(PassageSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is read of each vehicle.

    Attributes:
        reads: what the inputs are, in their order: "speed", "occupied" or both.
    """

    reads: tuple[Literal["speed", "occupied"], ...] = ("speed",)


class LoopAggregates(Passages):
    """Gives count, flow, and what can be had of the inputs."""

    def __init__(self, settings: LoopSettings, inputs: Sequence[Point]) -> None:
        """Check the inputs (ConfigError)."""
        gives = [COUNT, FLOW]
        gives += [SPEED] if "speed" in settings.reads else []
        gives += [OCCUPANCY] if "occupied" in settings.reads else []
        super().__init__("loop-aggregates", settings, inputs, settings.reads, gives)
        self._interval_s = settings.interval_s

    def _told(self, doubt: int) -> Iterator[tuple[float, int]]:
        state = self._columns
        yield float(state["count"][0]), doubt
        yield self._flow, doubt
        if "speed" in self._where:
            bad = doubt >> SEVERITY_SHIFT == Severity.BAD
            empty = not state["count"][self._where["speed"]]
            yield self._mean("speed"), int(Quality.BAD_NOT_A_NUMBER) if empty and not bad else doubt
        if "occupied" in self._where:
            occupied = float(state["sum"][self._where["occupied"]])
            # A vehicle that came before the interval is counted where it leaves the loop.
            yield min(100 * occupied * SECOND_NS / self._slot_ns, 100.0), doubt


LOOP_AGGREGATES: Final = Builtin(
    LoopSettings,
    LoopAggregates,
    (READS["speed"], READS["occupied"]),
    (COUNT, FLOW, SPEED, OCCUPANCY),
    "count, flow, speed and occupancy by intervals, of a sample for each vehicle",
)
