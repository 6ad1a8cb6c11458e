"""Explained: what kernels tell beside an alarm, for the sentence that an operator reads.

An alarm point hangs behind another point, and the end of its id says which kernel raises it
(docs/decisions/0018-anomaly-alarms.md). What explains it are points beside it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from citytwin.batch import Int32
from citytwin.point import Kind, Point
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin

LIMIT, ANOMALY, PLANT, EVENT = "limit", "anomaly", "plant", "event"
"""Kinds of alarms of points: beyond its normal span, unlike its own past, unlike the other points
of its plant, and whatever else an alarm point is called."""
OF_POINTS: Final = frozenset({LIMIT, ANOMALY, PLANT, EVENT})
_ENDS: Final = {".alarm": LIMIT, ".anomaly": ANOMALY, ".plant": PLANT}
SHARE: Final = ".plant-share"
EXPECTED: Final = ".plant-expected"


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

    def why(self, alarm_point: str, since_ns: int, returned_ns: int) -> dict[str, Any]:
        """Return what :func:`citytwin_hub.messages.alarm_text` is to be told besides."""
        kind = kind_of(alarm_point)
        if kind == ANOMALY:
            # Told with the alarm, and again only with the next one of this point.
            names = ("kernel", "expected")
            return {name: self.latest(f"{alarm_point}-{name}") for name in names}
        if kind != PLANT or returned_ns:
            return {}
        cause = self._cause(alarm_point, since_ns)
        if cause is None:
            return {}
        expected = self.latest(cause.id + EXPECTED)
        return {"cause": (cause, self.latest(cause.id)), "expected": expected}

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
