"""Looking: what can be seen of devices that are being read, by an agent or by a command alone.

``watch``, ``frames``, ``values`` and ``probe``, each an asynchronous iterator of items that are
made of plain values. Whoever takes them slowly loses the oldest, and is told how many.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
import numpy as np

from citytwin.adapter import Direction, Locates, Site, Tapped
from citytwin.batch import Batch
from citytwin.point import Kind, Point
from citytwin.quality import Quality
from citytwin.units import unit
from citytwin_edge import health, probing
from citytwin_edge.console.backlog import Backlog
from citytwin_edge.console.latest import Latest
from citytwin_edge.console.protocol import ConsoleError
from citytwin_edge.gateway import Device, GatewayConfig
from citytwin_edge.poller import Poller

BATCHES_MAX: Final = 1000
"""Of samples that a watcher has not taken: twenty kilobytes each at a thousand points."""
FRAMES_MAX: Final = 1000
FRAME_BYTES_MAX: Final = 1024
"""Of one frame that are shown; what is longer is said to be."""

Item = dict[str, Any]


class Field(Protocol):
    """Devices that are being read."""

    @property
    def config(self) -> GatewayConfig:
        """What there is to read; another object after a change."""
        ...

    @property
    def pollers(self) -> Mapping[str, Poller]:
        """Who reads it, by the device's name."""
        ...

    @property
    def latest(self) -> Latest:
        """What was read last."""
        ...

    @property
    def site(self) -> Site:
        """The lines."""
        ...

    def points(self) -> Sequence[tuple[int, Point]]:
        """Return every point with the number that it has in batches."""
        ...

    def text(self, number: int) -> str:
        """Return the text that a number stands for; empty where none does."""
        ...


class Chosen(msgspec.Struct, forbid_unknown_fields=True):
    """Which devices, points and lines; nothing named: all of them."""

    devices: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    line: str = ""


class Looking:
    """What can be seen of a field; one event loop."""

    def __init__(self, field: Field) -> None:
        """Look at ``field``."""
        self._field = field

    # ---- values

    def point_rows(self, chosen: Chosen) -> list[Item]:
        """Return every chosen point with its newest sample.

        Raises:
            ConsoleError: there is no such device or point.
        """
        latest = self._field.latest
        return [
            {
                "number": number,
                "device": point.device,
                "point": point.name,
                "label": _label(point),
                "unit": unit(point.unit).symbol,
                "ucum": point.unit,
                "kind": point.kind.value,
                "writable": [point.writable.low, point.writable.high] if point.writable else None,
                "step": point.step,
                "time_ns": int(latest.time_ns[number]),
                "value": self._value(point, float(latest.value[number])),
                "quality": Quality(int(latest.quality[number])).words,
            }
            for number, point in self._points(chosen)
        ]

    async def values(self, chosen: Chosen) -> AsyncGenerator[Item, None]:
        """Yield the chosen points with their newest samples, once."""
        yield {"points": self.point_rows(chosen)}

    async def watch(self, chosen: Chosen) -> AsyncGenerator[Item, None]:
        """Yield the points, then their samples as they come; the points again when they change."""
        field = self._field
        backlog: Backlog[Batch] = Backlog(BATCHES_MAX)
        points: dict[int, Point] = {}
        wanted = np.zeros(0, np.int32)

        def take(batch: Batch) -> None:
            mine = np.isin(batch.point, wanted)
            if mine.any():
                backlog.put(batch.select(mine))

        field.latest.watchers.append(take)
        config = None
        try:
            while True:
                if config is not field.config:
                    config, points = field.config, dict(self._points(chosen))
                    wanted = np.fromiter(points, np.int32, len(points))
                    yield {"points": self.point_rows(chosen)}
                batches, dropped = await backlog.take()
                samples = [one for batch in batches for one in self._samples(points, batch)]
                yield {"samples": samples, "dropped": dropped}
        finally:
            field.latest.watchers.remove(take)

    def _samples(self, points: Mapping[int, Point], batch: Batch) -> list[list[Any]]:
        columns = (batch.point, batch.time_ns, batch.value, batch.quality)
        return [
            [number, time_ns, self._value(points[number], value), Quality(code).words]
            for number, time_ns, value, code in zip(
                *(column.tolist() for column in columns), strict=True
            )
            if number in points
        ]

    def _value(self, point: Point, value: float) -> float | str | None:
        if point.kind == Kind.TEXT and math.isfinite(value):
            return self._field.text(int(value))
        return probing.shown(value)

    def _points(self, chosen: Chosen) -> list[tuple[int, Point]]:
        """Return the chosen points; the agent's own only where they are asked for."""
        every = self._field.points()
        devices, names = set(chosen.devices), set(chosen.points)
        known = {point.device for _, point in every}
        missing = devices - known
        if missing:
            raise _unknown("device", min(missing), known - {health.DEVICE})
        found = [
            (number, point)
            for number, point in every
            if (point.device in devices if devices else point.device != health.DEVICE)
        ]
        if names:
            known = {point.name for _, point in found}
            found = [(number, point) for number, point in found if _is_named(point, names)]
            if not found:
                raise _unknown("point", min(names), known)
        return found

    # ---- frames

    async def frames(self, chosen: Chosen) -> AsyncGenerator[Item, None]:
        """Yield what goes over the lines from now on."""
        is_wanted = self._filter(chosen)
        backlog: Backlog[Tapped] = Backlog(FRAMES_MAX)

        def take(tapped: Tapped) -> None:
            if is_wanted(tapped):
                if len(tapped.data) > FRAME_BYTES_MAX:
                    note = f"{tapped.note} (the first of {len(tapped.data)} bytes)".strip()
                    tapped = tapped._replace(data=tapped.data[:FRAME_BYTES_MAX], note=note)
                backlog.put(tapped)

        self._field.site.taps.append(take)
        try:
            yield {"frames": [], "dropped": 0}  # from here on nothing is missed
            while True:
                frames, dropped = await backlog.take()
                yield {"frames": [_frame(one) for one in frames], "dropped": dropped}
        finally:
            self._field.site.taps.remove(take)

    def _filter(self, chosen: Chosen) -> Callable[[Tapped], bool]:
        """Return what tells whether a frame is wanted.

        What is nobody's in particular is shown with each device that is on its line, as far as its
        adapter says where it is.
        """
        devices = {device.name: device for device in self.devices(chosen)}
        if not chosen.devices:
            return lambda tapped: not chosen.line or chosen.line == tapped.line
        places = [
            device.kind.locate(device.settings)
            for device in devices.values()
            if isinstance(device.kind, Locates)
        ]

        def is_wanted(tapped: Tapped) -> bool:
            if chosen.line and chosen.line != tapped.line:
                return False
            if tapped.device:
                return tapped.device in devices
            return any(place.endswith(f" {tapped.line}") for place in places)

        return is_wanted

    # ---- devices

    def devices(self, chosen: Chosen) -> list[Device]:
        """Return the chosen devices.

        Raises:
            ConsoleError: there is no such device.
        """
        every = self._field.config.devices
        missing = set(chosen.devices) - {device.name for device in every}
        if missing:
            raise _unknown("device", min(missing), {device.name for device in every})
        return [one for one in every if not chosen.devices or one.name in chosen.devices]

    async def probe(self, chosen: Chosen) -> AsyncGenerator[Item, None]:
        """Yield one row for every point of the chosen devices, read now, between two polls."""
        devices, pollers = self.devices(chosen), self._field.pollers
        yield {"rows": await probing.probe_running(devices, pollers, self._heard)}

    async def _heard(
        self, numbers: Sequence[int], within_s: float
    ) -> dict[int, tuple[float, int, str]]:
        """Return samples of these numbers that come from now on, until each has come."""
        points = dict(self._field.points())
        heard: dict[int, tuple[float, int, str]] = {}
        backlog: Backlog[Batch] = Backlog(BATCHES_MAX)
        self._field.latest.watchers.append(backlog.put)
        try:
            async with asyncio.timeout(within_s):
                while len(heard) < len(numbers):
                    batches, _ = await backlog.take()
                    for batch in batches:
                        for number, value, code in zip(
                            batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(),
                            strict=True,
                        ):  # fmt: skip
                            if number in numbers:
                                text = self._value(points[number], value)
                                note = text if isinstance(text, str) else ""
                                heard[number] = (value, code, note)
        except TimeoutError:
            pass
        finally:
            self._field.latest.watchers.remove(backlog.put)
        return heard


def _label(point: Point) -> dict[str, str]:
    """Return the labels of a point that there are, by language."""
    return {name: text for name, text in msgspec.to_builtins(point.label).items() if text}


def _is_named(point: Point, names: set[str]) -> bool:
    return bool({point.name, f"{point.device}/{point.name}", point.id} & names)


def _unknown(what: str, name: str, known: set[str]) -> ConsoleError:
    return ConsoleError(f"there is no {what} {name!r}; there are {', '.join(sorted(known))}")


def _frame(tapped: Tapped) -> Item:
    return {
        "time_ns": tapped.time_ns,
        "line": tapped.line,
        "device": tapped.device,
        "direction": Direction(tapped.direction).value,
        "data": tapped.data.hex(" "),
        "note": tapped.note,
    }
