"""Notify: tells the service manager that the agent runs, and keeps telling that it has not hung.

A datagram to the socket that systemd names (sd_notify(3)). Where there is none — a terminal, a
container — nothing is told. The pings come from the event loop: when that hangs, they stop, and
systemd ends the process and starts it anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

import structlog

SEND_S_MAX: Final = 1.0
PINGS: Final = 3
"""So many pings in the time that the manager waits for one: two may be late."""

_log = structlog.get_logger(__name__)


class Manager:
    """The service manager, if there is one.

    Attributes:
        ping_s: how often it wants to hear; None where it does not watch.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Learn from the environment where it listens, and how long it waits."""
        address = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the byte 0 of an abstract address.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        # Whom it watches: a process that we have started inherits the variables, but not the duty.
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        wait_us = environment.get("WATCHDOG_USEC", "")
        self.ping_s = (
            int(wait_us) / 1e6 / PINGS
            if self._address and watched and wait_us.isdecimal() and int(wait_us) > 0
            else None
        )

    def tell(self, *lines: str) -> None:
        """Tell it ``name=value`` lines; what cannot be told is logged and left."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
                way.settimeout(SEND_S_MAX)
                way.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            _log.warning("notify.failed", told=list(lines), reason=str(error))

    @contextlib.asynccontextmanager
    async def told(self, ready: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Tell it what happens in this block.

        That it runs as soon as ``ready`` has returned, then
        that it goes on, and at the end that it stops.
        """
        if not self._address:
            yield
            return
        telling = asyncio.create_task(self._tell_for_ever(ready))
        try:
            yield
        finally:
            self.tell("STOPPING=1")
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    async def _tell_for_ever(self, ready: Callable[[], Awaitable[object]]) -> None:
        await ready()
        self.tell("READY=1")
        while self.ping_s is not None:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self.ping_s)
