"""Fail-safe: what the gateway sets by itself when its hub has been gone for too long.

A point is set only if the last thing that was done to it was a command, and not to its fail-safe
value: what a technician set at the device stays. When the hub is back, nothing is undone; the
operator sees the value and decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

import structlog

LOOK_S: Final = 1.0
AGAIN_NS: Final = 60 * 10**9
"""After a device that did not take it; it may be without power as well."""

_log = structlog.get_logger(__name__)


class Secure(NamedTuple):
    """A point's fail-safe value, and how long the hub must have been gone."""

    value: float
    after_ns: int


class FailSafe:
    """Watches the link; ``run`` goes on until it is cancelled."""

    def __init__(
        self,
        points: Mapping[str, Secure],
        *,
        connected: Callable[[], bool],
        monotonic_ns: Callable[[], int],
        last_set: Callable[[str], float | None],
        secure: Callable[[str, float], Awaitable[bool]],
    ) -> None:
        """Watch.

        Args:
            points: fail-safe values by point.
            connected: whether the hub is there.
            monotonic_ns: the time.
            last_set: what a point was last commanded to, None when it never was.
            secure: sets a point and says whether the device took it.
        """
        self.points = points
        self._connected, self._monotonic_ns = connected, monotonic_ns
        self._last_set, self._secure = last_set, secure
        self._gone_ns = monotonic_ns()
        self._tried_ns: dict[str, int] = {}

    async def run(self) -> None:
        """Look at the link for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Set what is due."""
        now_ns = self._monotonic_ns()
        if self._connected():
            self._gone_ns = now_ns
            self._tried_ns.clear()
            return
        for point, (value, after_ns) in self.points.items():
            gone_ns = now_ns - self._gone_ns
            if gone_ns < after_ns or now_ns - self._tried_ns.get(point, -AGAIN_NS) < AGAIN_NS:
                continue
            last = self._last_set(point)
            if last is None or last == value:
                continue
            self._tried_ns[point] = now_ns
            taken = await self._secure(point, value)
            _log.warning("failsafe", point=point, value=value, taken=taken,
                         hub_gone_s=gone_ns // 10**9)  # fmt: skip
