"""Alone: reads devices as an agent would, without one, for as long as somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import numpy as np

from citytwin.adapter import Site
from citytwin.clock import Clock
from citytwin.errors import StoreFull
from citytwin.point import Point
from citytwin_edge.console.latest import Latest
from citytwin_edge.gateway import Device, GatewayConfig
from citytwin_edge.poller import Poller

TEXTS_MAX: Final = 10_000


class Alone:
    """Some devices of a configuration; nothing is kept and nothing is sent."""

    def __init__(self, config: GatewayConfig, devices: Sequence[Device], clock: Clock) -> None:
        """Prepare; touches no network."""
        self.config = config
        self._texts: list[str] = []
        self._numbers: dict[str, int] = {}
        self.site = Site(clock, self._intern)
        self._points = [one.point for device in devices for one in device.points]
        self.latest = Latest(len(self._points))
        self.pollers: dict[str, Poller] = {}
        first = 0
        for device in devices:
            numbers = np.arange(first, first + len(device.points), dtype=np.int32)
            spec = device.spec(device.build(self.site), numbers)
            self.pollers[device.name] = Poller(spec, clock, self.latest.take)
            first += len(device.points)

    async def run(self) -> None:
        """Read the devices until cancelled."""
        async with asyncio.TaskGroup() as group:
            for poller in self.pollers.values():
                group.create_task(poller.run())

    def points(self) -> list[tuple[int, Point]]:
        """Return every point with its number."""
        return list(enumerate(self._points))

    def text(self, number: int) -> str:
        """Return the text that a number stands for."""
        return self._texts[number] if 0 <= number < len(self._texts) else ""

    def _intern(self, text: str) -> int:
        if text not in self._numbers:
            if len(self._texts) >= TEXTS_MAX:
                raise StoreFull(f"{TEXTS_MAX} different texts have come already")
            self._numbers[text] = len(self._texts)
            self._texts.append(text)
        return self._numbers[text]
