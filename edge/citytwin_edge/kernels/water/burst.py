"""Bursts and leaks in the inflow of a district: what flows day and night alike is not demand.

The inflow of a half-hour is taken as s p(w) + b: the district's own pattern of a week p (336
half-hours, learned), times a level s that follows the season, plus what flows whatever the hour, b.
People's demand moves s; a leak moves b, for it runs at night as by day. So a season is no alarm,
and a leak far below the morning peak is found. s and b are followed by two Kalman filters with the
noise relative to the pattern (variance r p²): a quick one for bursts, and a patient one for small
and growing leaks, which starts again from the quick one where they contradict each other. The
excess is b less its long memory; the alarm is raised where it is both more than the setting and
more than four of its standard deviations, which are widened by what b is seen to do from day to day
and, on days without the week's shape (holidays), by the misfit. It returns when the excess has
been gone for three hours; then the level is taken anew.

This is the night-flow principle (minimum night flow against its past; IWA Water Loss Task Force;
LeakDB's reference algorithm) with all hours weighed by what they can tell. Source: of the filter,
R. E. Kalman, "A new approach to linear filtering and prediction problems", J. Basic Eng. 82, 1960
(not read); the rest is ours. The constants were chosen on 30 scenarios of
tests/bench/bench_leaks.py and on made-up disturbed districts, never on the scenarios that it
reports.

Limits: no alarm in the first ``learn_d`` days; a leak that runs from the first day is part of what
is normal; a constant new consumer is an excess until it is forgotten; where clocks change the week
moves by an hour. Pulses of single samples are averaged over the half-hour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta

from citytwin.batch import SECOND_NS, Batch, Float64, Int32, Int64
from citytwin.conversion import between
from citytwin.errors import InputError, UnitError
from citytwin.point import Kind, Label, Point
from citytwin.quality import Quality
from citytwin_edge.kernels.formula import Builtin, Gives, Reads
from citytwin_edge.kernels.state import load, save

NAME: Final = "burst"
VERSION: Final = 1
BIN_NS: Final = 1800 * SECOND_NS
DAY: Final = 48
WEEK: Final = 7 * DAY
GAP_MAX: Final = 8 * WEEK
"""After so many half-hours without a sample, doubt does not grow any further."""
LATE_MAX: Final = 10
"""So many samples in a row may belong to an earlier half-hour; then a clock was set back."""
WEEK_PART: Final = 0.9
"""The pattern begins when so much of a week has been seen."""

LEVEL_DRIFT: Final = 5e-7
QUICK_DRIFT: Final = 3e-6
PATIENT_DRIFT: Final = 3e-8
"""Variance that the level, and the steady part in either filter, may gain in half an hour."""
APART: Final = 5.0
SIGMAS: Final = 4.0
SIGMAS_BACK: Final = 1.5
PART_BACK: Final = 0.2
"""The alarm returns below this part of the greatest excess since it was raised."""
LIMIT_BACK: Final = 0.8
"""… or below this part of ``excess_min_percent``."""
QUIET_BINS: Final = 6
NOISE_BEGIN: Final = 0.015**2
NOISE_MIN: Final = 0.001**2
NOISE_BINS: Final = 14 * DAY
SPREAD_BINS: Final = 42 * DAY
MIDDLE_BINS: Final = 10 * DAY
PATTERN_WEEKS: Final = 26
"""The pattern is the mean of so many weeks, fading."""
PATTERN_MIN: Final = 0.02
"""Noise is relative to the pattern, of which no half-hour counts as less than this of the mean."""
MISFIT_MAX: Final = 25.0
LEVEL_MIN: Final = 0.1
LEVEL_ERROR: Final = 0.05
STEADY_ERROR: Final = 0.003
"""What is known of level and steady part after an alarm has returned."""
FLOW_MAX: Final = 10.0
"""A half-hour counts as at most so many times the mean inflow."""

NUMBERS: Final = (
    "sum", "mean", "normal", "middle", "noise", "misfit", "quick_spread", "spread", "peak",
)  # fmt: skip
COUNTS: Final = ("bin", "count", "last", "closed", "begun", "raised", "since", "quiet", "late")

READS: Final = (Reads("inflow", "m3/h"),)
GIVES: Final = (
    Gives("leak", "1", Label(kk="Су ағып кетуі", ru="Утечка", en="Leak"), kind=Kind.ALARM),
    Gives("leak-flow", "m3/h", Label(kk="Ағып кету шығыны", ru="Расход утечки", en="Leak flow")),
    Gives(
        "leak-since",
        "s",
        Label(kk="Ағып кету ұзақтығы", ru="Длительность утечки", en="Time since the leak began"),
    ),
)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told, and how long is learned.

    Attributes:
        excess_min_percent: the smallest leak that is told, in percent of the mean inflow.
        learn_d: days in which the pattern of the week is learned, without alarms.
        forget_d: time constant, in days, with which a lasting excess below the alarm, such as a
            changed habit, becomes normal.
    """

    excess_min_percent: Annotated[float, Meta(ge=0.1, le=100)] = 0.75
    learn_d: Annotated[int, Meta(ge=8, le=366)] = 14
    forget_d: Annotated[float, Meta(ge=30, le=36_600)] = 365.0


class _Track:
    """A Kalman filter of level s and steady part b; the inflow is s * pattern + b."""

    __slots__ = ("b", "bb", "s", "sb", "ss")

    def __init__(self) -> None:
        self.begin(1.0, 0.0, 0.1, 0.01)

    def begin(self, s: float, b: float, s_error: float, b_error: float) -> None:
        self.s, self.b = s, b
        self.ss, self.sb, self.bb = s_error**2, 0.0, b_error**2

    def step(self, flow: float, pattern: float, noise: float, drift: float, bins: int) -> None:
        self.ss += LEVEL_DRIFT * bins
        self.bb += drift * bins
        to_s = pattern * self.ss + self.sb
        to_b = pattern * self.sb + self.bb
        total = pattern * to_s + to_b + noise
        miss = flow - self.s * pattern - self.b
        self.s += to_s / total * miss
        self.b += to_b / total * miss
        self.ss -= to_s * to_s / total
        self.sb -= to_s * to_b / total
        self.bb -= to_b * to_b / total

    def columns(self) -> list[float]:
        return [self.s, self.b, self.ss, self.sb, self.bb]

    def set(self, columns: Sequence[float]) -> None:
        self.s, self.b, self.ss, self.sb, self.bb = columns


class Burst:
    """Watches the inflow of one district; see the module.

    Samples that are not good are passed over, and so are late ones; a half-hour without any is a
    gap, after which the filters are less sure. An output sample is stamped with the end of the
    half-hour that it follows from, and given with the first sample after it.
    """

    replaces = False

    def __init__(self, settings: Settings, inputs: Sequence[Point]) -> None:
        """Check the input.

        Raises:
            InputError: it is not one flow.
        """
        if len(inputs) != 1:
            raise InputError(
                f"it reads 1, not {len(inputs)}: inflow (m3/h)", min(len(inputs) - 1, 1)
            )
        (point,) = inputs
        if not _is_flow(point.unit):
            raise InputError(
                f"it reads the inflow, in m3/h, kg/h or a unit that can become one of them; "
                f"{point.id} is in {point.unit}",
                0,
            )
        self.inputs = (point.id,)
        alarm, flow, since = (one.point(point) for one in GIVES)
        self.outputs = (
            alarm,
            msgspec.structs.replace(flow, unit=point.unit),
            since,
        )
        self._least = settings.excess_min_percent / 100
        self._learn = settings.learn_d * DAY
        self._forget = 1 / (settings.forget_d * DAY)
        self._quick, self._patient = _Track(), _Track()
        self._pattern: list[float] = [0.0] * WEEK
        self._seen: list[int] = [0] * WEEK
        # The open half-hour: its number, sum and count of its samples; how many came late.
        self._bin, self._sum, self._count, self._late = -1, 0.0, 0, 0
        # The last half-hour that is over; how many are; how many since the first week that taught.
        self._last, self._closed, self._begun = -1, 0, 0
        # Inflow of the first week (0: not known yet); usual steady part, and that of late.
        self._mean, self._normal, self._middle = 0.0, 0.0, 0.0
        # Relative variance; by how much the misfit of a day, and b in either filter, exceed it.
        self._noise, self._misfit, self._quick_spread, self._spread = NOISE_BEGIN, 1.0, 1.0, 1.0
        # The alarm: since when, how far it went, for how long the excess has been gone.
        self._raised, self._since, self._peak, self._quiet = 0, -1, 0.0, 0

    def step(self, batch: Batch) -> Batch:
        """Return the excess, its age and the alarm's changes for each half-hour that is over."""
        good = (batch.quality == Quality.GOOD) & np.isfinite(batch.value)
        value, bins = batch.value[good], batch.time_ns[good] // BIN_NS
        made: list[tuple[int, int, float]] = []
        cuts = np.flatnonzero(np.diff(bins)) + 1
        for low, high in zip([0, *cuts.tolist()], [*cuts.tolist(), len(bins)], strict=True):
            if low < high:
                self._take(int(bins[low]), value[low:high], made)
        if not made:
            return Batch.empty()
        point, end, out = zip(*made, strict=True)
        return Batch.of(point, np.array(end, np.int64) * BIN_NS, out)

    def _take(self, number: int, value: Float64, made: list[tuple[int, int, float]]) -> None:
        if number < self._bin:
            # Late; but where more and more are, a clock was set back.
            passed = max(LATE_MAX - self._late, 0)
            self._late += len(value)
            value = value[passed:]
            if not len(value):
                return
        if number != self._bin:
            if number > self._bin and self._count:
                self._close(made)
            self._bin, self._sum, self._count = number, 0.0, 0
            self._last = min(self._last, number - 1)
        self._late = 0
        # A running sum in order, so that the cuts between batches make no difference.
        self._sum = float(np.cumsum(np.concatenate(([self._sum], value)))[-1])
        self._count += len(value)

    def _close(self, made: list[tuple[int, int, float]]) -> None:
        """Take the half-hour that is over."""
        number, flow = self._bin, self._sum / self._count
        bins = min(max(number - self._last, 1), GAP_MAX)
        self._last = number
        if not math.isfinite(flow):
            return
        self._closed += 1
        place = number % WEEK
        if not self._mean:
            self._first_week(place, flow)
            return
        flow = min(max(flow / self._mean, -FLOW_MAX), FLOW_MAX)
        if not self._seen[place]:
            # The first week had a gap here.
            self._pattern[place] = (flow - self._patient.b) / max(self._patient.s, LEVEL_MIN)
            self._seen[place] = 1
            return
        self._follow(place, flow, bins)
        if self._closed > self._learn:
            self._judge(place, number + 1, flow, made)
        self._learn_from(place, flow)

    def _first_week(self, place: int, flow: float) -> None:
        self._pattern[place] += flow
        self._seen[place] += 1
        known = sum(map(bool, self._seen))
        if known < WEEK * WEEK_PART or self._closed < WEEK * WEEK_PART:
            return
        means = [
            total / max(seen, 1) for total, seen in zip(self._pattern, self._seen, strict=True)
        ]
        mean = sum(means) / known
        if mean > 0:
            self._mean, self._pattern, self._begun = mean, [one / mean for one in means], 0

    def _follow(self, place: int, flow: float, bins: int) -> None:
        """Bring both filters up to this half-hour."""
        quick, patient = self._quick, self._patient
        pattern = self._pattern[place]
        noise = self._noise * self._relative(place) ** 2 * (1 + 1 / self._seen[place])
        quick.step(flow, pattern, noise, QUICK_DRIFT, bins)
        patient.step(flow, pattern, noise, PATIENT_DRIFT, bins)
        apart = APART * math.sqrt(quick.bb * max(1.0, self._quick_spread))
        if abs(quick.b - patient.b) > apart:
            patient.set(quick.columns())

    def _relative(self, place: int) -> float:
        """Return what the noise of a half-hour is relative to."""
        return max(abs(self._pattern[place]), PATTERN_MIN)

    def _judge(self, place: int, end: int, flow: float, made: list[tuple[int, int, float]]) -> None:
        """Raise or return the alarm, and say what is there."""
        was_raised = self._raised
        excess, quick = self._patient.b - self._normal, self._quick.b - self._normal
        width = math.sqrt(self._patient.bb * max(1.0, self._spread))
        quick_width = math.sqrt(self._quick.bb * max(1.0, self._quick_spread))
        if self._raised:
            self._peak = max(self._peak, excess)
            least = max(LIMIT_BACK * self._least, PART_BACK * self._peak, SIGMAS_BACK * width)
            self._quiet = self._quiet + 1 if excess < least else 0
            if self._quiet >= QUIET_BINS:
                self._return(place, flow)
                self._since, excess = end, 0.0
        else:
            if excess <= width:
                self._since = end
            needed = SIGMAS * math.sqrt(max(1.0, self._misfit))
            if excess > max(self._least, needed * width) or quick > max(
                self._least, needed * quick_width
            ):
                self._raised, self._peak, self._quiet = 1, 0.0, 0
        since_s = max(end - self._since, 1) * BIN_NS / SECOND_NS if self._raised else 0.0
        made.append((2, end, excess * self._mean))
        made.append((3, end, since_s))
        if was_raised != self._raised:
            # What explains an alarm stands before it (decision 0018).
            made.append((1, end, float(self._raised)))

    def _return(self, place: int, flow: float) -> None:
        """End the alarm: the steady part is what it was, the level must be found again."""
        self._raised, self._misfit = 0, 1.0
        level = max((flow - self._normal) / self._relative(place), LEVEL_MIN)
        for track in (self._quick, self._patient):
            track.begin(level, self._normal, LEVEL_ERROR, STEADY_ERROR)

    def _learn_from(self, place: int, flow: float) -> None:
        """Learn pattern, noise and what is normal; what looks like a leak teaches nothing."""
        quick, patient = self._quick, self._patient
        pattern, relative, seen = self._pattern[place], self._relative(place), self._seen[place]
        miss = (flow - quick.s * pattern - quick.b) / relative
        self._misfit += (min(miss**2 / self._noise, MISFIT_MAX) - self._misfit) / DAY
        if self._raised:
            return
        self._begun += 1
        seen = self._seen[place] = min(seen + 1, PATTERN_WEEKS)
        # What is left has no steady part, so the pattern never takes up a leak.
        left = flow - patient.s * pattern - patient.b
        self._pattern[place] += left / max(patient.s, LEVEL_MIN) / seen
        square = (left / relative) ** 2 / (1 + 1 / seen)
        self._noise += (min(square, 9 * self._noise) - self._noise) / NOISE_BINS
        self._noise = max(self._noise, NOISE_MIN)
        self._normal += (patient.b - self._normal) * max(self._forget, 1 / self._begun)
        seen_spread = (patient.b - self._middle) ** 2 / patient.bb
        self._spread += (min(seen_spread, 9 * self._spread) - self._spread) / SPREAD_BINS
        seen_spread = (quick.b - self._middle) ** 2 / quick.bb
        self._quick_spread += (
            min(seen_spread, 9 * self._quick_spread) - self._quick_spread
        ) / SPREAD_BINS
        self._middle += (patient.b - self._middle) * max(1 / MIDDLE_BINS, 1 / self._begun)

    def held(self, inputs: Int32) -> Batch:
        """Return the end of an alarm that is raised; see :class:`citytwin.kernel.Holds`."""
        if not self._raised or not len(inputs):
            return Batch.empty()
        return Batch.of(1, (self._last + 1) * BIN_NS, 0.0)

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save(NAME, VERSION, self._columns())

    def _columns(self) -> dict[str, Float64 | Int64]:
        return {
            "pattern": np.array(self._pattern),
            "seen": np.array(self._seen, np.int64),
            "tracks": np.array(self._quick.columns() + self._patient.columns()),
            "numbers": np.array([getattr(self, f"_{name}") for name in NUMBERS], np.float64),
            "counts": np.array([getattr(self, f"_{name}") for name in COUNTS], np.int64),
        }

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        columns = self._columns()
        load(state, NAME, VERSION, columns)
        self._pattern, self._seen = columns["pattern"].tolist(), columns["seen"].tolist()
        tracks = columns["tracks"].tolist()
        self._quick.set(tracks[:5])
        self._patient.set(tracks[5:])
        for names, column in ((NUMBERS, "numbers"), (COUNTS, "counts")):
            for name, value in zip(names, columns[column].tolist(), strict=True):
                setattr(self, f"_{name}", value)


def _is_flow(unit: str) -> bool:
    for flow in ("m3/h", "kg/h"):
        try:
            between(unit, flow)
        except UnitError:
            continue
        return True
    return False


BURST: Final = Builtin(
    Settings, Burst, READS, GIVES, "bursts and leaks in the inflow of a district (night flow)"
)
