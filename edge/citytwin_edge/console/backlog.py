"""Backlog: what somebody who watches has not taken yet; when he is slow the oldest go, counted."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Backlog(Generic[T]):
    """A bounded queue between one that must never wait and one that may be slow. One event loop."""

    def __init__(self, items_max: int) -> None:
        """Hold at most ``items_max`` items."""
        self._items: deque[T] = deque(maxlen=items_max)
        self._dropped = 0
        self._news = asyncio.Event()

    def put(self, item: T) -> None:
        """Add an item; the oldest goes where there is no room. Never waits."""
        self._dropped += len(self._items) == self._items.maxlen
        self._items.append(item)
        self._news.set()

    async def take(self) -> tuple[list[T], int]:
        """Wait for items; return all there are and how many were dropped since the last time."""
        while not self._items:
            self._news.clear()
            await self._news.wait()
        items, dropped = list(self._items), self._dropped
        self._items.clear()
        self._dropped = 0
        return items, dropped
