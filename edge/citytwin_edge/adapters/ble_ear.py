"""A BLE ear: what is heard of one device, in a bounded queue, and what has gone wrong."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, NamedTuple

from citytwin.errors import DeviceError
from citytwin_edge.wire.adverts import Of, Section

HEARD_MAX: Final = 200
"""Advertisements of one device that wait to be read; when there are more, the oldest go."""
TROUBLES_MAX: Final = 10
"""Different ones that a device is told of before the Bluetooth adapter is well again."""


class Heard(NamedTuple):
    """One advertisement, or one notification.

    Attributes:
        sections: those that are new; all of them when it was heard again without a change.
        rssi: dBm.
        time_ns: when it came, UTC.
        at_ns: the same on the monotonic clock.
        name: that the device has given itself, as far as it is known.
    """

    sections: tuple[Section, ...]
    rssi: float
    time_ns: int
    at_ns: int
    name: str = ""


class Ear:
    """One device's ear on a Bluetooth adapter."""

    def __init__(
        self,
        address: str,
        sections: frozenset[tuple[Of, int]] | None = None,
        *,
        asks: bool = False,
        may_ask: bool = True,
    ) -> None:
        """Hear the device ``address``.

        Args:
            address: as BlueZ writes it.
            sections: of advertisements, of which passive scanning shall tell; None: no
                advertisements are wanted.
            asks: the values are in the scan response: passive scanning does not do.
            may_ask: active scanning will do where there is no passive one.
        """
        self.address, self.scans = address, sections is not None
        self.sections = sections or frozenset[tuple[Of, int]]()
        self.asks, self.may_ask = asks, may_ask
        self.is_closed = False
        self.in_all_lost = 0
        self._queue: deque[Heard] = deque()
        self._news = asyncio.Event()
        self._lost = 0
        self._trouble: DeviceError | None = None
        self._told: set[str] = set()

    async def get(self) -> Heard | None:
        """Return what was heard next; None when closed.

        Raises:
            DeviceError: nothing can be heard; said once, after what had come.
        """
        while not self._queue:
            if self.is_closed:
                return None
            if self._trouble is not None:
                trouble, self._trouble = self._trouble, None
                raise trouble
            self._news.clear()
            await self._news.wait()
        return self._queue.popleft()

    def put(self, heard: Heard) -> None:
        """Take what was heard; when too much waits, the oldest goes."""
        if len(self._queue) >= HEARD_MAX:
            self._queue.popleft()
            self._lost += 1
        self._queue.append(heard)
        self._news.set()

    def lost(self) -> int:
        """Return how many a full queue has cost since this was asked last."""
        lost, self._lost = self._lost, 0
        self.in_all_lost += lost
        return lost

    def tell(self, trouble: DeviceError) -> None:
        """Say what is wrong; the same is not said again before all was well."""
        if str(trouble) not in self._told and len(self._told) < TROUBLES_MAX:
            self._told.add(str(trouble))
            self._trouble = trouble
            self._news.set()

    def well(self) -> None:
        """Nothing is wrong any more."""
        self._told.clear()
        self._trouble = None

    def open(self) -> None:
        """Listen again after ``close``."""
        self.is_closed = False

    def close(self) -> None:
        """End a ``get`` that waits; what has come stays."""
        self.is_closed = True
        self._news.set()
