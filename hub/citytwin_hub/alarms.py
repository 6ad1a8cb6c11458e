"""Alarms: what is wrong now, since when, and who has seen it.

Five sources: ALARM points that kernels on the gateways raise, devices that give no good value,
points of others that have fallen silent, gateways that are silent, and entries that the hub
refused. An alarm is raised, acknowledged by somebody, and returns; it is listed until both have
happened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import structlog

from citytwin.batch import SECOND_NS
from citytwin.errors import StoreError
from citytwin.point import Kind, Point
from citytwin.quality import Severity, severity
from citytwin_hub.explained import (
    ANOMALY,
    LIMIT,
    NOTHING,
    OF_POINTS,
    Explained,
    Why,
    behind,
    kind_of,
    severity_of,
)
from citytwin_hub.messages import Behind, alarm_text
from citytwin_hub.readers import Entry
from citytwin_hub.registry import Registry
from citytwin_hub.silence import Found, Silence
from citytwin_hub.twin import Twin

ALARMS_MAX: Final = 10_000
UNSAVED_MAX: Final = 100_000
KEPT_MAX: Final = 1_000_000
"""So many alarms are kept on disk, the newest."""
REFUSED_NS: Final = 300 * SECOND_NS
"""So long after the last refused entry its alarm returns."""
BUSY_S_MAX: Final = 5.0
MISSING: Final = "missing"
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS alarms (id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL, kind TEXT NOT NULL, gateway TEXT NOT NULL,
    point TEXT NOT NULL, row INTEGER NOT NULL, since_ns INTEGER NOT NULL,
    value REAL, returned_ns INTEGER NOT NULL, acknowledged_ns INTEGER NOT NULL,
    acknowledged_by TEXT NOT NULL, why TEXT NOT NULL DEFAULT '{}') STRICT;
CREATE INDEX IF NOT EXISTS alarms_key ON alarms (key);
"""
_FIELDS: Final = (
    "id, key, kind, gateway, point, row, since_ns, value, returned_ns, acknowledged_ns, "
    "acknowledged_by, why"
)
_ADDED: Final = "ALTER TABLE alarms ADD COLUMN why TEXT NOT NULL DEFAULT '{}'"
"""For a journal of an older version."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Alarm:
    """One alarm; times are UTC nanoseconds, 0 for not yet.

    Attributes:
        key: what it is about: ``point:<id>``, ``device:<gateway>/<device>``, ``missing:<id>``,
            ``gateway:<name>``, ``refused:<gateway>``.
        kind: limit, anomaly, plant, event, device, missing, gateway or refused.
        why: what its kernel told when it was raised.
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
    why: Why = NOTHING

    @property
    def state(self) -> str:
        """Raised, acknowledged or returned."""
        if self.returned_ns:
            return "returned"
        return "acknowledged" if self.acknowledged_ns else "raised"

    @property
    def moved(self) -> tuple[int, bool]:
        """When it was last raised or returned, and whether it was returned."""
        return max(self.since_ns, self.returned_ns), bool(self.returned_ns)


def _kept(alarm: Alarm) -> tuple[object, ...]:
    """Return an alarm as it stands in the file: _FIELDS."""
    return (alarm.id, alarm.key, alarm.kind, alarm.gateway, alarm.point, alarm.row, alarm.since_ns,
            alarm.value, alarm.returned_ns, alarm.acknowledged_ns, alarm.acknowledged_by,
            msgspec.json.encode(alarm.why).decode())  # fmt: skip


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
        missing_ns: int = 900 * SECOND_NS,
    ) -> None:
        """Open or create the journal of alarms and take up those that are open."""
        self._registry, self._twin = registry, twin
        self._explained = Explained(registry, twin)
        self._device_bad_ns, self._gateway_silent_ns = device_bad_ns, gateway_silent_ns
        self._bad_since: dict[str, int] = {}
        self._open: dict[str, Alarm] = {}
        self._last: dict[str, tuple[int, bool]] = {}
        self._unsaved: dict[int, Alarm] = {}
        self._silence = Silence(registry, twin, missing_ns)
        self.version = 0
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.executescript(_TABLE)
            if "why" not in {row[1] for row in self._db.execute("PRAGMA table_info(alarms)")}:
                self._db.execute(_ADDED)
            self._load()
        except (OSError, sqlite3.Error, msgspec.DecodeError) as error:
            raise StoreError(f"the alarms in {path} cannot be read: {error}") from error

    def _load(self) -> None:
        (self._number,) = self._db.execute("SELECT ifnull(max(id), 0) FROM alarms").fetchone()
        self._forget()
        # An older alarm of the same key was replaced by the newer one: it does not come back.
        newest = "id IN (SELECT max(id) FROM alarms GROUP BY key)"
        for *row, why in self._db.execute(f"SELECT {_FIELDS} FROM alarms WHERE {newest}"):  # noqa: S608  # constants
            alarm = Alarm(*row)
            alarm.why = msgspec.json.decode(why, type=Why)
            self._last[alarm.key] = alarm.moved
            if not (alarm.returned_ns and alarm.acknowledged_ns):
                self._open[alarm.key] = alarm

    def close(self) -> None:
        """Write what has changed and release the file."""
        self.save()
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
            self.save()
        return alarm

    def entry(self, entry: Entry) -> None:
        """Take the transitions of ALARM points from a journal record; known ones change nothing."""
        received_ns = entry.record.received_ns
        batch = entry.batch.select(self._explained.take(entry.record.gateway, entry.batch))
        for row, value, time_ns in zip(
            batch.point.tolist(), batch.value.tolist(), batch.time_ns.tolist(), strict=True
        ):
            # As in the twin: a clock that is ahead must not hold an alarm until it is right.
            self._transition(row, value, min(time_ns, received_ns), time_ns)

    def reconcile(self) -> None:
        """Take up what the twin says of ALARM points; called once, when it is complete.

        The journal gives transitions again only as far back as twin and history need them.
        """
        alarms = [row for row, point in self._registry.points.items() if point.kind == Kind.ALARM]
        latest = self._twin.read(alarms)
        known = (latest.time_ns > 0) & (severity(latest.quality) != Severity.BAD)
        order = np.minimum(latest.time_ns, latest.received_ns)
        for row, value, time_ns, stamp_ns in zip(
            latest.row[known].tolist(),
            latest.value[known].tolist(),
            order[known].tolist(),
            latest.time_ns[known].tolist(),
            strict=True,
        ):
            self._transition(row, value, time_ns, stamp_ns)

    def _transition(self, row: int, value: float, time_ns: int, stamp_ns: int) -> None:
        """Take a sample of an alarm point; what explains it has the same ``stamp_ns``."""
        point = self._registry.points.get(row)
        if point is None or point.kind != Kind.ALARM:
            return
        key, raised = f"point:{point.id}", value > 0
        if (time_ns, not raised) <= self._last.get(key, (0, False)):
            return
        if raised:
            why = self._explained.told(point.gateway, point.id, stamp_ns)
            self._raise(key, kind_of(point.id), point.gateway, point.id, row, time_ns, why)
        else:
            self._return(key, time_ns)

    def check(
        self, connected: dict[str, int], now_ns: int, refused: Mapping[str, int] | None = None
    ) -> None:
        """Look for what gives no good values, and silent gateways; called about once a second.

        Args:
            connected: last time each enrolled gateway was heard; its devices are only judged while
                it is.
            now_ns: UTC nanoseconds.
            refused: when the latest entry of a gateway was refused.
        """
        for gateway, at_ns in (refused or {}).items():
            key = f"refused:{gateway}"
            if now_ns - at_ns >= REFUSED_NS:
                self._return(key, now_ns)
            elif at_ns > self._last.get(key, (0, False))[0]:
                self._raise(key, "refused", gateway, "", 0, at_ns)
        for gateway, heard_ns in connected.items():
            key = f"gateway:{gateway}"
            if now_ns - heard_ns > self._gateway_silent_ns:
                self._raise(key, "gateway", gateway, "", 0, heard_ns)
            else:
                self._return(key, now_ns)
        self._check_devices(connected, now_ns)
        self.save()

    def _check_devices(self, connected: dict[str, int], now_ns: int) -> None:
        silent = {
            key.removeprefix("gateway:")
            for key, alarm in self._open.items()
            if alarm.kind == "gateway" and not alarm.returned_ns
        }
        here = {name for name, at_ns in connected.items() if at_ns >= now_ns and name not in silent}
        found = self._silence.look(here, now_ns)
        bad = found.devices
        for key in [*self._bad_since, *(key for key in self._open if key.startswith("device:"))]:
            if key.removeprefix("device:") not in bad:
                self._bad_since.pop(key, None)
                self._return(key, now_ns)
        for device in bad:
            key, gateway = f"device:{device}", device.split("/")[0]
            if gateway in connected and gateway not in silent:
                since_ns = self._bad_since.setdefault(key, now_ns)
                if now_ns - since_ns >= self._device_bad_ns:
                    self._raise(key, "device", gateway, device, 0, since_ns)
        self._check_points(found, now_ns)

    def _check_points(self, found: Found, now_ns: int) -> None:
        for alarm in [one for one in self._open.values() if one.kind == MISSING]:
            gone = self._registry.row(alarm.point) != alarm.row
            speaks = alarm.row < len(found.spoke) and found.spoke[alarm.row] > alarm.since_ns
            if gone or (speaks and alarm.row not in found.points):
                self._return(alarm.key, now_ns)
        for row, spoke_ns in found.points.items():
            point = self._registry.points[row]
            key = f"{MISSING}:{point.id}"
            self._raise(key, MISSING, point.gateway, point.id, row, spoke_ns or now_ns)

    def _raise(
        self,
        key: str,
        kind: str,
        gateway: str,
        point: str,
        row: int,
        since_ns: int,
        why: Why = NOTHING,
    ) -> None:
        present = self._open.get(key)
        if present is not None and not present.returned_ns:
            return
        if present is None and len(self._open) >= ALARMS_MAX:
            _log.error("alarms.full", limit=ALARMS_MAX, dropped=key)
            return
        value = self._explained.value(point) if kind in OF_POINTS else None
        self._number += 1
        alarm = Alarm(self._number, key, kind, gateway, point, row, since_ns, value, why=why)
        self._open[key] = alarm
        self._store(alarm)
        _log.warning("alarm.raised", key=key, kind=kind)

    def _return(self, key: str, now_ns: int) -> None:
        alarm = self._open.get(key)
        if alarm is None or alarm.returned_ns:
            return
        alarm.returned_ns = now_ns
        self._store(alarm)
        _log.info("alarm.returned", key=key)

    def _store(self, alarm: Alarm) -> None:
        self._last[alarm.key] = alarm.moved
        self.version += 1
        if alarm.returned_ns and alarm.acknowledged_ns and self._open.get(alarm.key) is alarm:
            del self._open[alarm.key]
        # A flood of alarms must not wait for the disk one by one: see save.
        if alarm.id in self._unsaved or len(self._unsaved) < UNSAVED_MAX:
            self._unsaved[alarm.id] = alarm
        else:
            _log.error("alarms.unsaved", key=alarm.key, reason=f"{UNSAVED_MAX} wait for the disk")

    def save(self) -> bool:
        """Write what has changed, together; tell whether it could be. If not, it is tried again.

        What a crash takes before that, journal and twin give again (``entry``, ``reconcile``).
        """
        if not self._unsaved:
            return True
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(
                    f"INSERT OR REPLACE INTO alarms ({_FIELDS}) VALUES (?{', ?' * 11})",  # noqa: S608  # constants
                    [_kept(alarm) for alarm in self._unsaved.values()],
                )
                self._forget()
        except sqlite3.Error as error:
            # A full disk must not hide an alarm, nor end the hub.
            _log.error("alarms.unsaved", alarms=len(self._unsaved), reason=str(error))
            return False
        self._unsaved.clear()
        return True

    def _forget(self) -> None:
        self._db.execute("DELETE FROM alarms WHERE id <= ?", (self._number - KEPT_MAX,))

    def _described(self, alarm: Alarm) -> dict[str, Any]:
        origin, told = self._origin(alarm), alarm.why
        began_ns = alarm.since_ns - int((told.since_s or 0.0) * SECOND_NS)
        why = Behind()
        if alarm.kind in OF_POINTS:
            why = self._explained.behind(alarm.point, alarm.since_ns, alarm.returned_ns, told)
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
            "severity": severity_of(alarm.kind, told),
            "text": alarm_text(alarm.kind, alarm.gateway, alarm.point, origin, alarm.value, why),
            "value": alarm.value,
            "began_ms": began_ns // 1_000_000,
            "kernel": told.kernel,
            "expected": told.expected,
            "score": told.score,
            "threshold": told.threshold,
            "similar_days": list(told.similar_days),
        }

    def _origin(self, alarm: Alarm) -> Point | None:
        """Return the point an alarm is about: the measured one, or any of the device's."""
        if alarm.kind in {LIMIT, ANOMALY}:
            return self._explained.point(behind(alarm.point))
        if alarm.kind in {*OF_POINTS, MISSING}:
            return self._explained.point(alarm.point)
        if alarm.kind == "device":
            prefix = alarm.point + "/"
            rows = self._registry.points.values()
            return next((point for point in rows if point.id.startswith(prefix)), None)
        return None
