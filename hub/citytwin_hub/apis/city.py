"""City: what the APIs read and do, in one object; the hub builds it, the APIs only use it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from citytwin.clock import Clock
from citytwin.errors import ConfigError
from citytwin.history import HistoryStore
from citytwin.point import Kind, Place, Point, Span
from citytwin.quality import Quality
from citytwin.units import unit
from citytwin_hub.alarms import Alarms
from citytwin_hub.apis.door import Door
from citytwin_hub.commands import Commands
from citytwin_hub.configs import Configs
from citytwin_hub.connections import Counters
from citytwin_hub.ingest import Ingest
from citytwin_hub.messages import LANGUAGES
from citytwin_hub.policy.grants import Rights
from citytwin_hub.policy.late import LateTwins
from citytwin_hub.policy.points import PointsSeen
from citytwin_hub.policy.sight import rounded
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Latest, Twin

MAP_BYTES_MAX: Final = 64 * 1024 * 1024
HEALTH: Final = "agent"
"""The device under which a gateway tells of itself: ``<gateway>/agent/outbox-bytes`` and others."""
EMPTY_MAP: Final[dict[str, Any]] = {"type": "FeatureCollection", "features": []}


class Overview:
    """How many points each gateway has, and which are its own: looked up anew when points change.

    Browsers are told of gateways twice a second; going through all points each time would cost
    more than taking in their samples.
    """

    def __init__(self) -> None:
        """Begin with nothing looked up."""
        self._version = -1
        self._counts: dict[str, int] = {}
        self._own: dict[str, dict[str, int]] = {}

    def of(self, registry: Registry) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
        """Return the number of points by gateway, and the rows of its own points by name."""
        if self._version != registry.version:
            self._version, self._counts, self._own = registry.version, {}, {}
            for row, point in registry.points.items():
                if row in registry.gone:
                    continue
                self._counts[point.gateway] = self._counts.get(point.gateway, 0) + 1
                if point.device == HEALTH:
                    self._own.setdefault(point.gateway, {})[point.name] = row
        return self._counts, self._own


@dataclass(frozen=True, slots=True)
class City:
    """Everything that the APIs stand on."""

    clock: Clock
    registry: Registry
    twin: Twin
    history: HistoryStore
    ingest: Ingest
    alarms: Alarms
    commands: Commands
    configs: Configs
    door: Door
    seen: PointsSeen
    late: LateTwins
    base_map: dict[str, Any]
    overview: Overview = field(default_factory=Overview)

    def point(self, row: int, point: Point) -> dict[str, Any]:
        """Return a point as the APIs show it."""
        return {
            "row": row,
            "id": point.id,
            "gateway": point.gateway,
            "device": point.device,
            "name": point.name,
            "unit": point.unit,
            "symbol": {one: unit(point.unit).symbol_in(one) for one in LANGUAGES},
            "kind": point.kind.value,
            "source": point.source.value,
            "label": _label(point.label),
            "device_label": _label(point.device_label),
            "place": place(point.place),
            "valid": span(point.valid),
            "normal": span(point.normal),
            "writable": span(point.writable),
            "step": point.step,
            "feeds": point.feeds,
            "attribute": point.attribute,
            "gone": row in self.registry.gone,
        }

    def latest(self, rights: Rights, rows: Sequence[int] | None) -> Latest:
        """Return the latest samples of some rows, or of all, as some rights show them."""
        seen = self.seen.rows(rights)
        if seen is not None:
            rows = sorted(seen) if rows is None else [row for row in rows if row in seen]
        if not rights.is_coarse:
            return self.twin.read(rows)
        return self.coarse(rights, self.late.of(rights).read(rows))

    def coarse(self, rights: Rights, latest: Latest) -> Latest:
        """Return samples with the numbers of their attributes rounded as some rights ask."""
        steps = [self.step(rights, int(row)) for row in latest.row]
        value = [
            rounded(float(one), step) if step and np.isfinite(one) else one
            for one, step in zip(latest.value, steps, strict=True)
        ]
        return replace(latest, value=np.array(value, np.float64))

    def step(self, rights: Rights, row: int) -> float:
        """Return to what the values of a point are rounded; 0: they are not."""
        point = self.registry.points.get(row)
        return rights.step(point.attribute) if point is not None and point.attribute else 0.0

    def values(self, latest: Latest) -> list[dict[str, Any]]:
        """Return latest samples as the APIs show them."""
        return [self._value(latest, index) for index in range(len(latest.row))]

    def _value(self, latest: Latest, index: int) -> dict[str, Any]:
        row, value = int(latest.row[index]), float(latest.value[index])
        quality = int(latest.quality[index])
        shown: dict[str, Any] = {
            "row": row,
            "time_ms": int(latest.time_ns[index]) // 1_000_000,
            "value": value if np.isfinite(value) else None,
            "quality": quality,
            "severity": quality >> 6,
            "reason": reason(quality),
            "received_ms": int(latest.received_ns[index]) // 1_000_000,
        }
        point = self.registry.points.get(row)
        if point is not None and point.kind == Kind.TEXT and np.isfinite(value):
            shown["text"] = self.registry.text(int(value))
        return shown

    def texts(self, part: dict[str, Any]) -> dict[str, Any]:
        """Return samples of one point with what the numbers of texts stand for, if they do."""
        point = self.registry.points.get(part["row"])
        if point is None or point.kind != Kind.TEXT:
            return part
        numbers = part["value"]
        texts = [self.registry.text(int(n)) if np.isfinite(n) else None for n in numbers]
        return part | {"text": texts}

    def gateways(self) -> list[dict[str, Any]]:
        """Return every gateway with what is known of it now."""
        counts, own = self.overview.of(self.registry)
        shown = []
        for gateway in self.registry.gateways():
            connection = self.ingest.connections.get(gateway.name)
            counters = self.ingest.counters.get(gateway.name, Counters())
            rows = own.get(gateway.name, {})
            first = self.registry.points.get(next(iter(rows.values()), 0))
            heard_ns = max(gateway.seen_ns, connection.last_ns if connection else 0)
            shown.append(
                {
                    "name": gateway.name,
                    "state": gateway.state,
                    "connected": connection is not None,
                    "since_ms": connection.since_ns // 1_000_000 if connection else None,
                    "last_seen_ms": heard_ns // 1_000_000 or None,
                    "software": gateway.software,
                    "address": gateway.address,
                    "points": counts.get(gateway.name, 0),
                    "place": place(first.place) if first else None,
                    "label": _label(first.device_label) if first else {},
                    "outbox_entries": self._health(rows.get("outbox-entries")),
                    "outbox_bytes": self._health(rows.get("outbox-bytes")),
                    "clock_offset_ms": self._health(rows.get("clock-offset")),
                    "entries": counters.entries,
                    "samples": counters.samples,
                    "repeated": counters.repeated,
                    "refused": gateway.refused,
                    "refused_ms": gateway.refused_ns // 1_000_000 or None,
                    "refused_reason": gateway.refused_reason,
                    "config": self.configs.summary(gateway.name),
                }
            )
        return shown

    def _health(self, row: int | None) -> float | None:
        if row is None:
            return None
        latest = self.twin.read([row])
        value = float(latest.value[0])
        return value if latest.time_ns[0] and np.isfinite(value) else None


def read_map(path: str) -> dict[str, Any]:
    """Return the base map; an empty one where none is set.

    Raises:
        ConfigError: the file is not GeoJSON, or too large.
    """
    if not path:
        return EMPTY_MAP
    try:
        if Path(path).stat().st_size > MAP_BYTES_MAX:
            raise ConfigError(f"{path}: a base map has at most {MAP_BYTES_MAX} bytes")
        data = json.loads(Path(path).read_bytes(), parse_constant=_no_constant)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: is not GeoJSON: {error}") from None
    if not isinstance(data, dict) or data.get("type") != "FeatureCollection":
        raise ConfigError(f"{path}: is not a GeoJSON FeatureCollection")
    return data


def reason(quality: int) -> str:
    """Return the reason of a quality code in a word."""
    try:
        return Quality(quality).reason
    except ValueError:
        return "unknown"


def place(where: Place | None) -> list[float | None] | None:
    """Return [longitude, latitude, elevation]."""
    return None if where is None else [where.lon, where.lat, where.elevation_m]


def span(limits: Span | None) -> list[float | None] | None:
    """Return [low, high]; an end without limit is null."""
    if limits is None:
        return None
    return [end if np.isfinite(end) else None for end in (limits.low, limits.high)]


def _label(label: Any) -> dict[str, str]:
    return {"kk": label.kk, "ru": label.ru, "en": label.en}


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
