"""Travel time: between two places, of vehicles that were recognised at both.

A sample is one sighting; its value stands for the vehicle: a whole number from 1 to 2⁵³ − 1 that
the reader makes of a plate or a radio address by a salted hash, the same at both places. The last
sighting at the first place and the first one at the second make a travel time.

    MAD = median |tᵢ − median|        kept: |tᵢ − median| ≤ 3 · 1.4826 · max(MAD, 2 % of the median)

What is told with each match is the median of what is kept of the last ``window_s``. A travel time
that is put aside stays in the window, so that a jam, at first a few outliers, wins. Source: of the
rule, F. R. Hampel, The influence curve and its role in robust estimation, JASA 69, 1974; not read.

At most 4,096 vehicles under way and 64 travel times are remembered, the newest ones; a vehicle is
forgotten when it is matched, or after ``travel_s_max``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import numpy as np

from citytwin.batch import SECOND_NS, Batch
from citytwin.point import Label, Point
from citytwin.quality import Quality
from citytwin_edge.kernels.formula import Builtin, Gives, Reads, Scales
from citytwin_edge.kernels.slots import Row, Sample, row, samples, told
from citytwin_edge.kernels.state import Columns, load, save

VEHICLES_MAX: Final = 4096
TIMES_MAX: Final = 64
NUMBER_MAX: Final = 2**53 - 1
"""The largest whole number up to which float64 tells all of them apart."""
KEPT: Final = 3 * 1.4826
SPREAD_MIN: Final = 0.02
READS: Final = (
    Reads("vehicle seen at the first place", "1"),
    Reads("vehicle seen at the second place", "1"),
)
GIVES: Final = (
    Gives("travel-time", "s", Label(kk="Жүру уақыты", ru="Время проезда", en="Travel time")),
    Gives(
        "matches",
        "{vehicles}",
        Label(kk="Танылған көліктер", ru="Опознанные автомобили", en="Matched vehicles"),
    ),
    Gives(
        "travel-speed",
        "km/h",
        Label(kk="Жүру жылдамдығы", ru="Скорость сообщения", en="Travel speed"),
    ),
)


class TravelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be a travel time.

    Attributes:
        length_m: way between the two places, in metres.
        travel_s_min: shorter ones are no travel, in seconds.
        travel_s_max: longer ones are no travel but a stay, in seconds.
        window_s: matches of so long count, in seconds.
        matches_min: with fewer of them the result is doubtful.
    """

    length_m: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    travel_s_min: Annotated[float, msgspec.Meta(gt=0, le=86_400)]
    travel_s_max: Annotated[float, msgspec.Meta(gt=0, le=86_400)]
    window_s: Annotated[float, msgspec.Meta(ge=60, le=86_400)] = 900.0
    matches_min: Annotated[int, msgspec.Meta(ge=1, le=TIMES_MAX)] = 3

    def __post_init__(self) -> None:
        """Refuse a span in which nothing can lie (ValueError)."""
        if self.travel_s_min >= self.travel_s_max:
            raise ValueError("travel_s_min must be below travel_s_max")


class TravelTime:
    """Gives travel time, matches and speed with each vehicle that is recognised."""

    replaces = False

    def __init__(self, settings: TravelSettings, inputs: Sequence[Point]) -> None:
        """Check the inputs (ConfigError)."""
        Scales(inputs, READS)
        self.inputs = tuple(point.id for point in inputs)
        self.outputs = tuple(one.point(inputs[0]) for one in GIVES)
        self._settings = settings
        self._shortest = int(settings.travel_s_min * SECOND_NS)
        self._longest = int(settings.travel_s_max * SECOND_NS)
        self._window = int(settings.window_s * SECOND_NS)
        self._columns: Columns = {
            "vehicle": np.zeros(VEHICLES_MAX),
            "seen": np.zeros(VEHICLES_MAX, np.int64),
            "doubt": np.zeros(VEHICLES_MAX, np.uint8),
            "time": np.zeros(TIMES_MAX, np.int64),
            "travel": np.full(TIMES_MAX, np.nan),
            "doubtful": np.zeros(TIMES_MAX, np.uint8),
            "next": np.zeros(1, np.int64),
        }

    def step(self, batch: Batch) -> Batch:
        """Return what follows from these sightings."""
        rows: list[Row] = []
        for sample in samples(batch):
            if not (sample.usable and 1 <= sample.value <= NUMBER_MAX):
                continue
            if sample.point == 0:
                self._leaves(sample)
            elif self._arrives(sample):
                rows += self._told(sample.time_ns)
        return told(rows, len(self.inputs))

    def _leaves(self, sample: Sample) -> None:
        """Remember when a vehicle was seen at the first place, in place of the oldest."""
        state = self._columns
        known = np.flatnonzero(state["vehicle"] == sample.value)
        place = int(known[0]) if len(known) else int(np.argmin(state["seen"]))
        state["vehicle"][place], state["seen"][place] = sample.value, sample.time_ns
        state["doubt"][place] = sample.quality

    def _arrives(self, sample: Sample) -> bool:
        """Tell whether a vehicle at the second place makes a travel time; remember that."""
        state = self._columns
        known = np.flatnonzero(state["vehicle"] == sample.value)
        if not len(known):
            return False
        place = int(known[0])
        travel = sample.time_ns - int(state["seen"][place])
        if travel < self._shortest:
            return False
        doubt = max(int(state["doubt"][place]), sample.quality)
        for column in ("vehicle", "seen", "doubt"):
            state[column][place] = 0
        if travel > self._longest:
            return False
        number = int(state["next"][0])
        state["time"][number], state["travel"][number] = sample.time_ns, travel / SECOND_NS
        state["doubtful"][number] = doubt
        state["next"][0] = (number + 1) % TIMES_MAX
        return True

    def _told(self, time_ns: int) -> list[Row]:
        state, settings = self._columns, self._settings
        recent = np.isfinite(state["travel"]) & (np.abs(time_ns - state["time"]) <= self._window)
        travel = state["travel"][recent]
        median = float(np.median(travel))
        distance = np.abs(travel - median)
        kept = distance <= KEPT * max(float(np.median(distance)), SPREAD_MIN * median)
        seconds, count = float(np.median(travel[kept])), int(np.count_nonzero(kept))
        quality = int(state["doubtful"][recent][kept].max())
        if count < settings.matches_min:
            quality = max(quality, int(Quality.UNCERTAIN_STALE))
        return [
            row(time_ns, 0, seconds, quality),
            row(time_ns, 1, float(count), int(Quality.GOOD)),
            row(time_ns, 2, settings.length_m / seconds * 3.6, quality),
        ]

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save("travel-time", 1, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, "travel-time", 1, self._columns)


TRAVEL_TIME: Final = Builtin(
    TravelSettings,
    TravelTime,
    READS,
    GIVES,
    "travel time between two places, of vehicles that were recognised at both",
)
