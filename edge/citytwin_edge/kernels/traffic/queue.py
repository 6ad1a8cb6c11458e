"""Queue: how many vehicles wait before a stop line, how long that is, and when it is too long.

Between a detector upstream and one at the stop line vehicles are conserved:

    N ← N + (flow in − flow out) · Δt            queued = N − flow in · length / free speed
    length of the queue = queued · spacing / lanes

Source: the input-output method; its limits are those of every count: errors add up, and what waits
behind the upstream detector is not seen (H. X. Liu, X. Wu, W. Ma, H. Hu, Real-time queue length
estimation for congested signalized intersections, Transportation Research Part C 17, 2009; read in
its abstract). So, ours: what is queued is forgotten with the time constant ``memory_s``, is never
below 0, and never more than fits; and the occupancy of the detector upstream says when a queue
stands on it: from ``occupancy_on`` for ``persist`` turns in a row the alarm is raised, at
``occupancy_off`` it returns. While it stands the queue is as long as the section at least:
``uncertain: range``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.batch import SECOND_NS, Batch
from citytwin.point import Kind, Label, Point
from citytwin.quality import Quality
from citytwin_edge.kernels.formula import Builtin, Gives, Reads
from citytwin_edge.kernels.traffic.watch import Watch, WatchSettings

READS: Final = (
    Reads("flow upstream", "{vehicles}/h"),
    Reads("occupancy upstream", "%"),
    Reads("flow at the stop line", "{vehicles}/h"),
)
GIVES: Final = (
    Gives(
        "queue", "1",
        Label(kk="Кезек детекторға дейін жетті", ru="Очередь дошла до детектора",
              en="Queue reaches the detector"),
        kind=Kind.ALARM,
    ),
    Gives(
        "queued", "{vehicles}",
        Label(kk="Кезекте тұрған көліктер", ru="Автомобилей в очереди", en="Queued vehicles"),
    ),
    Gives(
        "queue-length", "m",
        Label(kk="Кезектің ұзындығы", ru="Длина очереди", en="Queue length"),
    ),
)  # fmt: skip
HOUR_S: Final = 3600.0
KM_H: Final = 3.6
Percent = Annotated[float, Meta(gt=0, le=100)]


class QueueSettings(WatchSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section, and what a queue that stands on the detector looks like.

    Attributes:
        length_m: from the detector upstream to the stop line, in metres.
        occupancy_on: occupancy upstream from which a queue stands on the detector, in percent.
        occupancy_off: occupancy upstream at which none does any more, in percent; below the other.
        lanes: over which the queue is spread.
        free_speed_km_h: how fast one goes where nobody waits.
        spacing_m: from one waiting vehicle to the next, in metres.
        persist: so many turns in a row the occupancy must be high.
        memory_s: time constant with which the errors of counting are forgotten, in seconds; a queue
            that stands for much longer is told too short.
    """

    length_m: Annotated[float, Meta(gt=0, le=5000)]
    occupancy_on: Percent
    occupancy_off: Percent
    lanes: Annotated[int, Meta(ge=1, le=12)] = 1
    free_speed_km_h: Annotated[float, Meta(gt=0, le=150)] = 50.0
    spacing_m: Annotated[float, Meta(ge=4, le=30)] = 7.5
    persist: Annotated[int, Meta(ge=1, le=60)] = 2
    memory_s: Annotated[float, Meta(ge=60, le=86_400)] = 900.0

    def __post_init__(self) -> None:
        """Refuse an alarm that would come and go (ValueError)."""
        super().__post_init__()
        if self.occupancy_off >= self.occupancy_on:
            raise ValueError("occupancy_off must be below occupancy_on")


class Queue(Watch):
    """Gives what waits with each turn, and the alarm when the queue reaches the detector."""

    def __init__(self, settings: QueueSettings, inputs: Sequence[Point]) -> None:
        """Check the inputs (ConfigError)."""
        super().__init__("queue", settings, inputs, READS)
        self.outputs = tuple(one.point(inputs[0]) for one in GIVES)
        self._settings = settings
        self._fits = settings.length_m * settings.lanes / settings.spacing_m
        self._free_s = settings.length_m / settings.free_speed_km_h * KM_H
        self._said: list[tuple[int, float, float, int]] = []
        self._keep({"inside": np.zeros(1), "high": np.zeros(1, np.int64), "at": np.zeros(1, int)})

    def step(self, batch: Batch) -> Batch:
        """Return what waits, and the alarms that are raised and that return."""
        alarms, said = super().step(batch), self._said
        self._said = []
        if not said:
            return alarms
        times, queued, length, quality = (list(column) for column in zip(*said, strict=True))
        first, many = len(self.inputs), np.ones(len(said), np.int32)
        return Batch.concat([
            Batch.of((first + 1) * many, times, queued, np.array(quality, np.uint8)),
            Batch.of((first + 2) * many, times, length, np.array(quality, np.uint8)),
            alarms,
        ])  # fmt: skip

    def _judge(self, values: Sequence[float], raised: bool) -> bool:
        columns, settings = self._columns, self._settings
        entering, occupancy, leaving = (max(value, 0.0) for value in values)
        now_ns = int(columns["turn"][0])
        passed_s = (now_ns - int(columns["at"][0])) / SECOND_NS if columns["at"][0] else 0.0
        columns["at"][0] = now_ns
        high = occupancy >= settings.occupancy_on
        columns["high"][0] = min(int(columns["high"][0]) + 1, settings.persist) if high else 0
        stands = occupancy > settings.occupancy_off if raised else False
        stands = stands or int(columns["high"][0]) >= settings.persist
        moving = min(entering * self._free_s / HOUR_S, self._fits)
        inside = float(columns["inside"][0]) + (entering - leaving) * passed_s / HOUR_S
        waiting = (inside - moving) * math.exp(-passed_s / settings.memory_s)
        waiting = self._fits if stands else min(max(waiting, 0.0), self._fits)
        columns["inside"][0] = moving + waiting
        quality = Quality.UNCERTAIN_RANGE if stands else Quality.GOOD
        length = waiting * settings.spacing_m / settings.lanes
        self._said.append((now_ns, waiting, length, int(quality)))
        return stands


QUEUE: Final = Builtin(
    QueueSettings,
    Queue,
    READS,
    GIVES,
    "vehicles that wait before a stop line, and a queue that reaches the detector",
)
