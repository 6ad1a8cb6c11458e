"""An MQTT listener: one device's ear on a line: a bounded queue, and what has gone wrong."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from citytwin.errors import DeviceError

QUEUE_MAX: Final = 1000
QUEUE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Messages of one device that wait to be read; when there are more, the oldest go, counted."""
TROUBLES_MAX: Final = 10
"""Different ones that a device is told of before the line is well again."""


@dataclass(slots=True)
class Arrival:
    """One message.

    Attributes:
        topic, payload: as published; of an over-long payload the beginning.
        time_ns: when it came.
        is_late: it may be old: retained, sent again, or kept by the broker while we were away.
        message_id: for the receipt; 0 where none is owed.
        owed: listeners that have not said yet that it is safe.
    """

    topic: str
    payload: bytes
    time_ns: int
    is_late: bool
    message_id: int = 0
    owed: int = 0


@dataclass(slots=True)
class Heard:
    """One message for one device: ``marks`` are those of the filters that it came through."""

    arrival: Arrival
    marks: tuple[int, ...]


@dataclass(slots=True)
class Lost:
    """What a full queue has cost: how many messages, of which marks, the last one's time."""

    messages: int = 0
    marks: set[int] = field(default_factory=set)
    time_ns: int = 0


class Listener:
    """One device's ear on a line."""

    def __init__(self, name: str, settle: Callable[[], None]) -> None:
        """Hear for the device ``name``; ``settle`` is called when messages have become safe."""
        self.name = name
        self.is_closed = False
        self.is_deaf = False
        self.in_all_lost = 0
        self._settle = settle
        self._queue: deque[Heard] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._enough = asyncio.Event()
        self._lost = Lost()
        self._trouble: DeviceError | None = None
        self._told: set[str] = set()
        self._taken: deque[Arrival] = deque()
        self._taken_count = 0
        self._safe_count = 0

    async def get(self) -> Heard | None:
        """Return the next message; None when closed.

        Raises:
            DeviceError: the line is lost, or a topic refused; said once, after what had come.
        """
        while not self._queue:
            if self.is_closed:
                return None
            if self._trouble is not None:
                trouble, self._trouble = self._trouble, None
                raise trouble
            self._news.clear()
            await self._news.wait()
        heard = self._queue.popleft()
        self._bytes -= len(heard.arrival.payload)
        return heard

    async def gather(self, until: float) -> list[Heard]:
        """Return all that waits, then by the loop's clock or sooner: when closed, or half full."""
        loop = asyncio.get_running_loop()
        if loop.time() < until and not (self.is_closed or self._is_half_full):
            self._enough.clear()
            timer = loop.call_at(until, self._enough.set)
            try:
                await self._enough.wait()
            finally:
                timer.cancel()
        heard = list(self._queue)
        self._queue.clear()
        self._bytes = 0
        return heard

    @property
    def _is_half_full(self) -> bool:
        return len(self._queue) > QUEUE_MAX // 2 or self._bytes > QUEUE_BYTES_MAX // 2

    def put(self, heard: Heard) -> None:
        """Take a message; when too many wait, the oldest go."""
        self._queue.append(heard)
        self._bytes += len(heard.arrival.payload)
        while len(self._queue) > QUEUE_MAX or self._bytes > QUEUE_BYTES_MAX:
            oldest = self._queue.popleft()
            self._bytes -= len(oldest.arrival.payload)
            oldest.arrival.owed -= 1  # gone; the broker need not keep it for us
            self._lost.messages += 1
            self._lost.marks.update(oldest.marks)
            self._lost.time_ns = oldest.arrival.time_ns
        self._news.set()
        if self._is_half_full:
            self._enough.set()

    def lost(self) -> Lost | None:
        """Return what a full queue has cost since this was asked last, if anything."""
        if not self._lost.messages:
            return None
        lost, self._lost = self._lost, Lost()
        self.in_all_lost += lost.messages
        return lost

    def tell(self, trouble: DeviceError) -> None:
        """Say what is wrong; the same is not said again before the line was well."""
        if str(trouble) not in self._told and len(self._told) < TROUBLES_MAX:
            self._told.add(str(trouble))
            self._trouble = trouble
            self._news.set()

    def well(self) -> None:
        """The line is well again."""
        self._told.clear()
        self._trouble = None

    def open(self) -> None:
        """Listen again after ``close``."""
        self.is_closed = False

    def close(self) -> None:
        """End a ``get`` that waits; what has come stays."""
        self.is_closed = True
        self._news.set()
        self._enough.set()

    def leave(self) -> list[Heard]:
        """Return what has come and was not listened to; it is another's from now on."""
        left = list(self._queue)
        self._queue.clear()
        self._bytes = 0
        return left

    def abandon(self) -> None:
        """Give up what has come and is not known to be safe: nobody listens any more."""
        for heard in self.leave():
            heard.arrival.owed -= 1
        for arrival in self._taken:
            arrival.owed -= 1
        self._taken.clear()

    def taken(self, arrival: Arrival) -> None:
        """The gateway has the samples of a message, but has not kept them yet."""
        if arrival.message_id:
            self._taken.append(arrival)
            self._taken_count += 1

    def confirmation(self) -> Callable[[], None] | None:
        """Return what says that all that was taken is safe; None when nothing was."""
        if not self._taken:
            return None
        through = self._taken_count

        def confirm() -> None:
            while self._safe_count < through and self._taken:
                self._taken.popleft().owed -= 1
                self._safe_count += 1
            self._settle()

        return confirm
