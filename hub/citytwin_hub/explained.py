"""Explained: what kernels tell beside an alarm, for the sentence that an operator reads.

An alarm point hangs behind another point, and the end of its id says which kernel raises it
(docs/decisions/0018-anomaly-alarms.md). What explains it are points beside it, told with the stamp
of the alarm just before it. With the next sample they say something else, so it is kept.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from citytwin.batch import Batch, Int32
from citytwin.point import Kind, Point
from citytwin_hub.messages import Behind
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin

LIMIT, ANOMALY, PLANT, EVENT = "limit", "anomaly", "plant", "event"
"""Kinds of alarms of points: beyond its normal span, unlike its own past, unlike the other points
of its plant, and whatever else an alarm point is called."""
OF_POINTS: Final = frozenset({LIMIT, ANOMALY, PLANT, EVENT})
_ENDS: Final = {".alarm": LIMIT, ".anomaly": ANOMALY, ".plant": PLANT}
SHARE: Final = ".plant-share"
EXPECTED: Final = ".plant-expected"
_TOLD: Final = ("kernel", "expected", "score", "threshold", "since",
                "similar", "similar-2", "similar-3")  # fmt: skip
"""What follows the id of an alarm point, and a dash, in those of the points that explain it."""
BLOCKS_MAX: Final = 2
"""So many blocks of a gateway with explanations are remembered until its alarm comes: one tick's
may be cut in two."""
_NEW, _PLAIN, _ALARM, _TELLS = range(4)


class Why(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a kernel told when it raised an alarm; None where it told nothing.

    Attributes:
        kernel: its number in docs/decisions/0018-anomaly-alarms.md.
        expected: what it expected, in the point's unit.
        score, threshold: how far out of the ordinary, and from where on that is an alarm.
        since_s: so long before the alarm it had begun.
        similar_days: days since the like at this time of day, the latest first.
    """

    kernel: float | None = None
    expected: float | None = None
    score: float | None = None
    threshold: float | None = None
    since_s: float | None = None
    similar_days: tuple[float, ...] = ()


NOTHING: Final = Why()
LOW_BELOW: Final = 0.2
HIGH_FROM: Final = 0.8
"""How far the score of an anomaly is over its threshold. Scores are decimal logarithms of how
seldom, averaged over kernels; of the alarms of NAB's development half at a budget of one a month
four in ten were low and one in eight was high. It says how far, not how sure: windows had as many
of each."""


def severity_of(kind: str, why: Why) -> str:
    """Return low, medium or high: of an anomaly how far it is over its threshold, else by kind."""
    if kind in {"device", "gateway"}:
        return "high"
    if kind != ANOMALY or why.score is None or why.threshold is None:
        return "medium"
    over = why.score - why.threshold
    if over >= HIGH_FROM:
        return "high"
    return "low" if over < LOW_BELOW else "medium"


def kind_of(alarm_point: str) -> str:
    """Return the kind of alarm that a point raises."""
    return next((kind for end, kind in _ENDS.items() if alarm_point.endswith(end)), EVENT)


def behind(alarm_point: str) -> str:
    """Return the id of the point that a limit or an anomaly is about."""
    for end in (".alarm", ".anomaly"):
        alarm_point = alarm_point.removesuffix(end)
    return alarm_point


class Explained:
    """Looks for what explains an alarm. Belongs to the event loop."""

    def __init__(self, registry: Registry, twin: Twin) -> None:
        """Look into ``registry`` and ``twin``."""
        self._registry, self._twin = registry, twin
        self._plants: tuple[dict[str, list[int]], dict[str, list[int]]] = ({}, {})
        self._plants_of = -1
        self._what: npt.NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._blocks: dict[str, deque[Batch]] = {}

    def take(self, gateway: str, batch: Batch) -> npt.NDArray[np.intp]:
        """Remember what may explain the alarms that come next; return where alarm points are."""
        what = self._what_of(batch.point)
        tells = what == _TELLS
        if tells.any():
            blocks = self._blocks.setdefault(gateway, deque(maxlen=BLOCKS_MAX))
            blocks.append(batch.select(tells))
        return np.flatnonzero(what == _ALARM)

    def _what_of(self, rows: Int32) -> npt.NDArray[np.uint8]:
        """Return what rows are; each is looked at once, for a row never means something else."""
        if not len(rows):
            return np.zeros(0, np.uint8)
        beyond = int(rows.max()) + 1 - len(self._what)
        if beyond > 0:
            more = max(beyond, len(self._what))  # twice as many, so that growing costs little
            self._what = np.concatenate((self._what, np.zeros(more, np.uint8)))
        for row in set(rows[self._what[rows] == _NEW].tolist()):
            point = self._registry.points.get(row)
            if point is not None:
                self._what[row] = _what(point)
        return self._what[rows]

    def told(self, gateway: str, alarm_point: str, time_ns: int) -> Why:
        """Return what was told of an alarm with its stamp."""
        rows = [self._registry.row(f"{alarm_point}-{name}") for name in _TOLD]
        kernel, expected, score, threshold, since_s, *similar = (
            None if row is None else self._then(gateway, row, time_ns) for row in rows
        )
        days = tuple(one for one in similar if one)
        return Why(kernel, expected, score, threshold, since_s, days)

    def _then(self, gateway: str, row: int, time_ns: int) -> float | None:
        for block in reversed(self._blocks.get(gateway, ())):
            found = block.value[(block.point == row) & (block.time_ns == time_ns)]
            if len(found):
                return _finite(found[-1])
        latest = self._twin.read([row])
        return _finite(latest.value[0]) if latest.time_ns[0] == time_ns else None

    def latest(self, point_id: str) -> float | None:
        """Return the latest value of a point; None where there is none."""
        row = self._registry.row(point_id)
        if row is None:
            return None
        found = self._twin.read([row])
        value = float(found.value[0])
        return value if found.time_ns[0] > 0 and np.isfinite(value) else None

    def point(self, point_id: str) -> Point | None:
        """Return a point by its id."""
        return self._registry.points.get(self._registry.row(point_id) or 0)

    def value(self, alarm_point: str) -> float | None:
        """Return what the point of a limit or an anomaly says now."""
        is_about_value = kind_of(alarm_point) in {LIMIT, ANOMALY}
        return self.latest(behind(alarm_point)) if is_about_value else None

    def behind(
        self, alarm_point: str, since_ns: int, returned_ns: int, told: Why = NOTHING
    ) -> Behind:
        """Return what the sentence of an alarm says besides.

        Args:
            alarm_point: its id.
            since_ns, returned_ns: when the alarm was raised, and returned; 0 if it has not.
            told: what was kept of it when it was raised.
        """
        kind = kind_of(alarm_point)
        if kind == ANOMALY:
            severity = severity_of(kind, told)
            return Behind(
                told.kernel, told.expected, None, told.since_s, told.similar_days, severity
            )
        if kind != PLANT:
            return Behind()
        cause = None if returned_ns else self._cause(alarm_point, since_ns)
        if cause is None:
            return Behind(since_s=told.since_s)
        blame = (cause, self.latest(cause.id))
        return Behind(None, self.latest(cause.id + EXPECTED), blame, told.since_s)

    def _cause(self, alarm_point: str, since_ns: int) -> Point | None:
        """Return the point that accounts for most of a plant's deviation, as far as it is known.

        Nothing says to which of a gateway's plants a share belongs, so there is none while two of
        them have an alarm.
        """
        gateway = alarm_point.partition("/")[0]
        alarms, shares = self._of_plants()
        raised = self._twin.read(alarms.get(gateway, [])).value > 0
        if np.count_nonzero(raised) > 1:
            return None
        rows: Int32 = np.array(shares.get(gateway, []), np.int32)
        latest = self._twin.read(rows)
        told = latest.time_ns >= max(since_ns, int(latest.time_ns.max(initial=1)))
        told &= np.isfinite(latest.value)
        if not told.any():
            return None
        most = int(np.argmax(np.where(told, latest.value, -np.inf)))
        share = self._registry.points.get(int(rows[most]))
        return None if share is None else self.point(share.id.removesuffix(SHARE))

    def _of_plants(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Return the rows of plants' alarms and shares, by gateway."""
        if self._plants_of != self._registry.version:
            self._plants_of, self._plants = self._registry.version, ({}, {})
            for row, point in self._registry.points.items():
                if row in self._registry.gone:
                    continue
                if point.kind == Kind.ALARM and point.id.endswith(".plant"):
                    self._plants[0].setdefault(point.gateway, []).append(row)
                elif point.id.endswith(SHARE):
                    self._plants[1].setdefault(point.gateway, []).append(row)
        return self._plants


def _what(point: Point) -> int:
    if point.kind == Kind.ALARM:
        return _ALARM
    end = point.name.rpartition(".")[2]
    return _TELLS if end.partition("-")[2] in _TOLD else _PLAIN


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
