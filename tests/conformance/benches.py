"""Benches for tests: what can be plugged in, hushed and taken away; recorded frames."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from citytwin import Binding
from citytwin.testing import Recorded
from citytwin_edge.catalogue import golden
from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.device_tables import Owner
from tests.edge.modbus_devices import new_site


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
