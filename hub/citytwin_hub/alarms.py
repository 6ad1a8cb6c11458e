"""Alarms: what is wrong now, since when, and who has seen it.

Three sources: ALARM points that kernels on the gateways raise, devices that give no good value,
and gateways that are silent. An alarm is raised, acknowledged by somebody, and returns; it is
listed until both have happened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog

from citytwin.batch import SECOND_NS
from citytwin.errors import StoreError
from citytwin.point import Kind, Point, Source
from citytwin.quality import Severity, severity
from citytwin_hub.messages import alarm_text
from citytwin_hub.readers import Entry
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin

ALARMS_MAX: Final = 10_000
BUSY_S_MAX: Final = 5.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Alarm:
    """One alarm; times are UTC nanoseconds, 0 for not yet.

    Attributes:
        key: what it is about: ``point:<id>``, ``device:<gateway>/<device>``, ``gateway:<name>``.
        kind: limit, device or gateway.
    """

    id: int
    key: str
    kind: str
    gateway: str
    point: str
    row: int
    since_ns: int
    value: float | None = None
    returned_ns: int = 0
    acknowledged_ns: int = 0
    acknowledged_by: str = ""

    @property
    def state(self) -> str:
        """Raised, acknowledged or returned."""
        if self.returned_ns:
            return "returned"
        return "acknowledged" if self.acknowledged_ns else "raised"


class Alarms:
    """Active alarms in memory, their whole life in SQLite. Belongs to the event loop."""

    def __init__(
        self,
        path: Path,
        registry: Registry,
        twin: Twin,
        *,
        device_bad_ns: int = 30 * SECOND_NS,
        gateway_silent_ns: int = 30 * SECOND_NS,
    ) -> None:
        """Open or create the journal of alarms and take up those that are open."""
        self._registry, self._twin = registry, twin
        self._device_bad_ns, self._gateway_silent_ns = device_bad_ns, gateway_silent_ns
        self._bad_since: dict[str, int] = {}
        self._open: dict[str, Alarm] = {}
        self.version = 0
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS alarms (id INTEGER PRIMARY KEY AUTOINCREMENT, "
                "key TEXT NOT NULL, kind TEXT NOT NULL, gateway TEXT NOT NULL, "
                "point TEXT NOT NULL, row INTEGER NOT NULL, since_ns INTEGER NOT NULL, "
                "value REAL, returned_ns INTEGER NOT NULL, acknowledged_ns INTEGER NOT NULL, "
                "acknowledged_by TEXT NOT NULL) STRICT"
            )
            for row in self._db.execute(
                "SELECT id, key, kind, gateway, point, row, since_ns, value, returned_ns, "
                "acknowledged_ns, acknowledged_by FROM alarms "
                "WHERE returned_ns = 0 OR acknowledged_ns = 0 ORDER BY id DESC LIMIT ?",
                (ALARMS_MAX,),
            ):
                alarm = Alarm(*row)
                self._open.setdefault(alarm.key, alarm)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the alarms in {path} cannot be read: {error}") from error

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def active(self) -> list[Alarm]:
        """Return the alarms that have not both returned and been acknowledged, newest first."""
        return sorted(self._open.values(), key=lambda alarm: -alarm.since_ns)

    def described(self) -> list[dict[str, Any]]:
        """Return them as the APIs show them (docs/architecture.md)."""
        return [self._described(alarm) for alarm in self.active()]

    def acknowledge(self, number: int, user: str, now_ns: int) -> Alarm | None:
        """Note who has seen an alarm; None when there is no such alarm."""
        alarm = next((one for one in self._open.values() if one.id == number), None)
        if alarm is None:
            return None
        if not alarm.acknowledged_ns:
            alarm.acknowledged_ns, alarm.acknowledged_by = now_ns, user
            self._store(alarm)
        return alarm

    def entry(self, entry: Entry) -> None:
        """Take the transitions of ALARM points from a journal record."""
        for row, value, time_ns in zip(
            entry.batch.point.tolist(),
            entry.batch.value.tolist(),
            entry.batch.time_ns.tolist(),
            strict=True,
        ):
            point = self._registry.points.get(row)
            if point is None or point.kind != Kind.ALARM:
                continue
            key = f"point:{point.id}"
            if value > 0:
                self._raise(key, "limit", point.gateway, point.id, row, time_ns)
            else:
                self._return(key, time_ns)

    def check(self, connected: dict[str, int], now_ns: int) -> None:
        """Look for devices without good values and silent gateways; called about once a second.

        Args:
            connected: last time each enrolled gateway was heard; its devices are only judged while
                it is.
        """
        for gateway, heard_ns in connected.items():
            key = f"gateway:{gateway}"
            if now_ns - heard_ns > self._gateway_silent_ns:
                self._raise(key, "gateway", gateway, "", 0, heard_ns)
            else:
                self._return(key, now_ns)
        silent = {key.removeprefix("gateway:") for key in self._open if key.startswith("gateway:")}
        for device, bad in self._devices():
            key, gateway = f"device:{device}", device.split("/")[0]
            if not bad:
                self._bad_since.pop(key, None)
                self._return(key, now_ns)
            elif gateway in connected and gateway not in silent:
                since_ns = self._bad_since.setdefault(key, now_ns)
                if now_ns - since_ns >= self._device_bad_ns:
                    self._raise(key, "device", gateway, device, 0, since_ns)

    def _devices(self) -> Iterable[tuple[str, bool]]:
        """Yield (gateway/device, whether every measured point of it that has spoken is bad)."""
        points: dict[str, list[int]] = {}
        for row, point in self._registry.points.items():
            if point.source == Source.MEASURED and point.kind != Kind.ALARM:
                points.setdefault(f"{point.gateway}/{point.device}", []).append(row)
        for device, rows in points.items():
            latest = self._twin.read(rows)
            seen = latest.time_ns > 0
            bad = severity(latest.quality[seen]) == Severity.BAD
            yield device, bool(len(bad)) and bool(np.all(bad))

    def _raise(
        self, key: str, kind: str, gateway: str, point: str, row: int, since_ns: int
    ) -> None:
        present = self._open.get(key)
        if present is not None and not present.returned_ns:
            return
        if len(self._open) >= ALARMS_MAX:
            _log.error("alarms.full", limit=ALARMS_MAX, dropped=key)
            return
        value = self._value_behind(point) if kind == "limit" else None
        cursor = self._db.execute(
            "INSERT INTO alarms (key, kind, gateway, point, row, since_ns, value, returned_ns, "
            "acknowledged_ns, acknowledged_by) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, '')",
            (key, kind, gateway, point, row, since_ns, value),
        )
        number = int(cursor.lastrowid or 0)
        self._open[key] = Alarm(number, key, kind, gateway, point, row, since_ns, value)
        self.version += 1
        _log.warning("alarm.raised", key=key, kind=kind)

    def _return(self, key: str, now_ns: int) -> None:
        alarm = self._open.get(key)
        if alarm is None or alarm.returned_ns:
            return
        alarm.returned_ns = now_ns
        self._store(alarm)
        _log.info("alarm.returned", key=key)

    def _store(self, alarm: Alarm) -> None:
        self._db.execute(
            "UPDATE alarms SET returned_ns = ?, acknowledged_ns = ?, acknowledged_by = ? "
            "WHERE id = ?",
            (alarm.returned_ns, alarm.acknowledged_ns, alarm.acknowledged_by, alarm.id),
        )
        self.version += 1
        if alarm.returned_ns and alarm.acknowledged_ns:
            self._open.pop(alarm.key, None)

    def _value_behind(self, point_id: str) -> float | None:
        """Return the value of the point that an alarm point hangs behind."""
        row = self._registry.row(point_id.removesuffix(".alarm"))
        if row is None:
            return None
        value = float(self._twin.read([row]).value[0])
        return value if np.isfinite(value) else None

    def _described(self, alarm: Alarm) -> dict[str, Any]:
        origin = self._origin(alarm)
        return {
            "id": alarm.id,
            "state": alarm.state,
            "kind": alarm.kind,
            "row": alarm.row or None,
            "point": alarm.point or None,
            "gateway": alarm.gateway,
            "since_ms": alarm.since_ns // 1_000_000,
            "returned_ms": alarm.returned_ns // 1_000_000 or None,
            "acknowledged_by": alarm.acknowledged_by or None,
            "severity": "medium" if alarm.kind == "limit" else "high",
            "text": alarm_text(alarm.kind, alarm.gateway, alarm.point, origin, alarm.value),
            "value": alarm.value,
        }

    def _origin(self, alarm: Alarm) -> Point | None:
        """Return the point an alarm is about: the measured one, or any of the device's."""
        if alarm.kind == "limit":
            row = self._registry.row(alarm.point.removesuffix(".alarm"))
            return self._registry.points.get(row or 0)
        if alarm.kind == "device":
            prefix = alarm.point + "/"
            rows = self._registry.points.values()
            return next((point for point in rows if point.id.startswith(prefix)), None)
        return None
