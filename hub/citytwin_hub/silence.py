"""Silence: which devices give nothing good, and which points of the others have fallen silent.

A point's own pace says when it is missing: three times the longest time that it took between two
good values lately. What a gateway or a whole device does not say is no silence of a point.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from citytwin.batch import SECOND_NS, Int32, Int64
from citytwin.point import Kind, Source
from citytwin.quality import Severity, severity
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin

FACTOR: Final = 3
"""A point is missing after so many times its longest pause."""
PAUSES_MIN: Final = 3
"""So many pauses have to be seen before they say what is usual."""
UNKNOWN_NS: Final = 86_400 * SECOND_NS
"""How long is waited for a point of which fewer are known: the hub has just begun, say."""
FORGETS_NS: Final = 2 * 86_400 * SECOND_NS
"""In this time a longest pause falls to 37 %, when none is as long again."""
PAUSE_NS_MAX: Final = 30 * 86_400 * SECOND_NS
MISSING_PER_DEVICE_MAX: Final = 10
"""So many points of a device are told one by one."""
JUDGED_EACH_NS: Final = 5 * SECOND_NS

Ints = npt.NDArray[np.int_]
Flags = npt.NDArray[np.bool_]


class Found(NamedTuple):
    """What is silent now.

    Attributes:
        devices: gateway/device of which every measured point that has spoken is bad or missing.
        points: row of a point that is missing, and when it last gave a good value (0: never).
        spoke: when each row that was ever good last was; shape (rows,).
    """

    devices: set[str]
    points: dict[int, int]
    spoke: Int64


class _Table(NamedTuple):
    """The measured points of the city, side by side by device; see ``_table``."""

    names: list[str]
    rows: Int32
    starts: Ints
    device: Ints
    judged: Flags


class Silence:
    """Looks about once a second; belongs to the event loop."""

    def __init__(self, registry: Registry, twin: Twin, missing_ns: int) -> None:
        """Judge points after ``missing_ns`` at the soonest."""
        self._registry, self._twin, self._missing_ns = registry, twin, missing_ns
        none = np.zeros(0, int)
        self._points = _Table([], np.zeros(0, np.int32), none, none, none.astype(bool))
        self._points_of = -1
        self._judged_ns = 0
        self._missing: dict[int, int] = {}
        self._spoke, self._from = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._longest, self._pauses = np.zeros(0), np.zeros(0, np.uint8)

    def look(self, heard: Container[str], now_ns: int) -> Found:
        """Return what is silent; of gateways that are not ``heard`` no point is judged."""
        if self._points_of != self._registry.version:
            self._points_of, self._points = self._registry.version, self._table()
        names, rows, starts, device, _ = self._points
        if not names:
            return Found(set(), {}, self._spoke)
        latest = self._twin.read(rows)
        seen = latest.time_ns > 0
        bad = severity(latest.quality) == Severity.BAD
        if not 0 <= now_ns - self._judged_ns < JUDGED_EACH_NS:
            self._judged_ns = now_ns
            away = _all(bad | ~seen, starts)
            away |= np.array([name.partition("/")[0] not in heard for name in names])
            self._judge(latest.received_ns, seen, bad, away[device], now_ns)
        lost = np.isin(rows, list(self._missing))
        silent = _all(bad | lost | ~seen, starts) & np.logical_or.reduceat(seen, starts)
        told = np.flatnonzero(lost & ~silent[device])
        rank = np.arange(len(told)) - np.searchsorted(device[told], device[told])
        shown = rows[told[rank < MISSING_PER_DEVICE_MAX]].tolist()
        devices = {names[index] for index in np.flatnonzero(silent)}
        return Found(devices, {row: self._missing[row] for row in shown}, self._spoke)

    def _judge(self, received_ns: Int64, seen: Flags, bad: Flags, away: Flags, now_ns: int) -> None:
        """Note who has spoken, learn pauses, and find out who is missing."""
        rows, judged = self._points.rows, self._points.judged
        self._from[rows[away | (self._from[rows] == 0)]] = now_ns
        before, after = self._spoke[rows], np.where(seen & ~bad, received_ns, 0)
        speaks = after > before
        usual = speaks & (before >= self._from[rows]) & (before > 0)
        at, pause = rows[usual], np.minimum((after - before)[usual], PAUSE_NS_MAX)
        kept = self._longest[at] * np.exp(-pause / FORGETS_NS)
        self._longest[at] = np.maximum(kept, pause)
        self._pauses[at] = np.minimum(self._pauses[at] + 1, PAUSES_MIN)
        self._spoke[rows[speaks]] = after[speaks]
        wait = np.maximum(FACTOR * self._longest[rows], self._missing_ns)
        wait[self._pauses[rows] < PAUSES_MIN] = max(UNKNOWN_NS, self._missing_ns)
        since = np.maximum(self._spoke[rows], self._from[rows])
        lost = judged & seen & ~away & (now_ns - since > wait)
        self._missing = dict(
            zip(rows[lost].tolist(), self._spoke[rows[lost]].tolist(), strict=True)
        )

    def _table(self) -> _Table:
        """Group measured points by device; make room for what is known of new ones."""
        points: dict[str, list[int]] = {}
        known = self._registry.points
        for row, point in known.items():
            if row in self._registry.gone:
                continue
            if point.source == Source.MEASURED and point.kind != Kind.ALARM:
                points.setdefault(f"{point.gateway}/{point.device}", []).append(row)
        rows = np.array([row for group in points.values() for row in group], np.int32)
        sizes = [len(group) for group in points.values()]
        paced = (Kind.ANALOG, Kind.COUNTER)  # a state or a text may be told only when it changes
        judged = np.array([known[row].kind in paced for row in rows.tolist()], bool)
        more = int(rows.max(initial=-1)) + 1 - len(self._spoke)
        if more > 0:
            self._spoke = np.concatenate((self._spoke, np.zeros(more, np.int64)))
            self._from = np.concatenate((self._from, np.zeros(more, np.int64)))
            self._longest = np.concatenate((self._longest, np.zeros(more)))
            self._pauses = np.concatenate((self._pauses, np.zeros(more, np.uint8)))
        starts = np.cumsum([0, *sizes[:-1]])
        return _Table(list(points), rows, starts, np.repeat(np.arange(len(sizes)), sizes), judged)


def _all(flags: Flags, starts: Ints) -> Flags:
    found: Flags = np.logical_and.reduceat(flags, starts)
    return found
