"""Benches for tests: what is plugged in, hushed and taken away; recorded frames; the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiomqtt

from citytwin import Binding
from citytwin.testing import Level, Recorded, Report, VirtualClock
from citytwin.testing.disturbance import FRAMES
from citytwin_edge.catalogue import golden
from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.device_tables import Owner
from tests.edge.modbus_devices import new_site
from tests.waiting import cancelled


class Plugged:
    """A device that is there while it is plugged in: ``plug`` makes it, ``hush`` keeps it silent.

    Attributes:
        one: what ``plug`` yields; None while it is unplugged.
    """

    def __init__(
        self,
        plug: Callable[[], AbstractAsyncContextManager[Any]],
        hush: Callable[[Any, bool], Any] = lambda one, is_silent: None,
    ) -> None:
        self.one: Any = None
        self._plug, self._hush = plug, hush
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Plugged:
        await self.answering()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.unplugged()

    async def answering(self) -> None:
        if self.one is None:
            self.one = await self._stack.enter_async_context(self._plug())
        self._hush(self.one, False)

    async def silent(self) -> None:
        await self.answering()
        self._hush(self.one, True)

    async def unplugged(self) -> None:
        if self.one is not None:
            self.one = None
            await self._stack.aclose()


def recorded(profile: str, checksum_bits: int = 0, case: int = 0) -> Recorded:
    """Return golden frames of a profile, and how its adapter decodes them."""
    shelf = Shelf([OURS])
    owner = Owner("g", None, shelf)
    found = shelf.profile(profile)
    _, cases = golden.cases(found)
    device = golden.device_like(found, owner, cases[case].settings)
    bindings = [Binding(one.point, one.address) for one in device.points]
    site = new_site()
    kind: Any = device.kind
    return Recorded(
        lambda exchanges: kind.decode(device.settings, bindings, exchanges, site),
        [pair.exchange() for pair in cases[case].exchange],
        checksum_bits,
    )


class Publisher:
    """Publishes again and again what a device says, unless it is to be silent."""

    def __init__(self, client: aiomqtt.Client, messages: dict[str, str]) -> None:
        self.client, self.messages, self.is_silent = client, messages, False

    async def run(self) -> None:
        while True:
            for topic, payload in self.messages.items():
                if not self.is_silent:
                    await self.client.publish(topic, payload)
            await asyncio.sleep(0.05)

    async def obey(self) -> None:
        await self.client.subscribe("air/27/fan/set")
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            self.messages["air/27/fan"] = message.payload.decode()


@contextlib.asynccontextmanager
async def running(*works):
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        await cancelled(*tasks)


def hush(one: Any, is_silent: bool) -> None:
    one.is_silent = is_silent


def virtual(scene) -> Report:
    """Run a scene with ends in this process, where waiting costs no time."""
    return VirtualClock(lines=True).run(scene)


def disturbed(report: Report, where: str) -> int:
    """Return how many frames were; on the line it may be one more than asked for: a repeat."""
    found = re.search(rf"(\d+) {where}", report.findings["mutation"].note)
    return int(found[1]) if found else 0


def is_gold(report: Report, where: str) -> None:
    """Say what is not proven, else that enough frames were disturbed there."""
    assert report.level is Level.GOLD, str(report)
    assert disturbed(report, where) >= FRAMES
