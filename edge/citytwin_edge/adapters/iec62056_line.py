"""IEC 62056-21 line: a port or serial server on which meters are spoken to, one at a time.

A dialogue has the line until it ends, with the speeds that it goes through.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from citytwin.adapter import Direction
from citytwin.clock import Clock
from citytwin.errors import DeviceMalformed, DeviceSilent
from citytwin_edge.adapters.connection import Connection, Endpoint, Tap, nobody_looks
from citytwin_edge.adapters.turns import Rank, Turns, Unit, has_living
from citytwin_edge.wire.iec62056 import (
    Bcc,
    Ear,
    Said,
    command,
    with_parity,
    without_parity,
)
from citytwin_edge.wire.iec62056_dialogue import Dialogue, Step

_WAKE_UP_PAUSE_S: Final = 1.6
"""Between waking a meter up and the request: 1.5 to 1.7 s (IEC 62056-21, annex B)."""
_SEND_S_MAX: Final = 60.0
_UNSENT_CHECK_S: Final = 0.005
_AFTER_ABORTED_S: Final = 1.6
"""A meter whose readout was broken off goes on; it has ended when nothing came for so long."""
_HIDDEN: Final = ord("*")
_UNHEARD_BYTES_MAX: Final = 128 * 1024

Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class Meter(Unit):
    """One meter on a line: its name for people, and the device that it is."""

    name: str
    device: str = ""


class Manner(NamedTuple):
    """How a line is used for a meter.

    Attributes:
        bcc: how blocks are checked.
        is_software: parity is made and checked here.
        timeout_s: silence before an answer, and within it.
        total_s: longest dialogue.
        pause_s: quiet before a request.
        wake_up_s: NULs before a request.
    """

    bcc: Bcc
    is_software: bool
    timeout_s: float
    total_s: float
    pause_s: float
    wake_up_s: float


class IecLine:
    """One endpoint; ``talk`` may be called by many at a time and serves them one after another."""

    def __init__(self, endpoint: Endpoint, clock: Clock, tap: Tap = nobody_looks) -> None:
        """Touch nothing yet; ``tap`` is shown what goes over the line, but for passwords."""
        self.endpoint = endpoint
        self._clock, self._tap = clock, tap
        self._is_secret = False
        self._meters: list[Meter] = []
        self._turns = Turns(lambda: has_living(self._meters))
        self._connection = Connection(endpoint, self._received, self._lost, self._show)
        self._inbox = bytearray()
        self._news = asyncio.Event()
        self._heard_at = 0.0
        self._heard_ns = 0
        self._baud = endpoint.baud
        self._is_aborted = False

    @property
    def baud(self) -> int:
        """The speed of the port at the moment."""
        return self._baud

    def join(self, meter: Meter) -> None:
        """Say that a meter will use the line."""
        if meter not in self._meters:
            self._meters.append(meter)

    async def leave(self, meter: Meter) -> None:
        """Say that it does so no more; the last one closes the line."""
        if meter in self._meters:
            self._meters.remove(meter)
            if not self._meters:
                self._turns.close()
                self._news.set()
                await self._connection.close()

    async def talk(
        self, meter: Meter, dialogue: Dialogue[Result], manner: Manner
    ) -> tuple[Result, int]:
        """Hold a dialogue; return its result and when the last of it was heard (UTC ns).

        Raises:
            DeviceSilent: no connection, or no answer in time.
            DeviceError: as the dialogue says.
        """
        loop = asyncio.get_running_loop()
        rank = await self._turns.take_for(meter, command=False)
        started, is_answered = loop.time(), False
        try:
            self._connection.device = meter.device
            await self._ready(manner)
            meter.is_silent = True
            try:
                async with asyncio.timeout(manner.total_s):
                    result = await self._held(meter, dialogue, manner)
            except TimeoutError:
                raise DeviceSilent(
                    f"{meter.name} did not finish within {manner.total_s:g} s (readout_s_max)"
                ) from None
            is_answered = True
            return result, self._heard_ns
        finally:
            dialogue.close()
            self._is_aborted = not is_answered
            is_wasted = rank is Rank.SILENT and not is_answered
            self._turns.give_back(wasted_s=loop.time() - started if is_wasted else 0.0)

    async def _ready(self, manner: Manner) -> None:
        """Open the port, let it be quiet, and begin at its first speed."""
        if not self._meters:
            raise DeviceSilent(f"{self.endpoint} was closed")
        if not self._connection.is_open:
            await self._connection.open()
            self._baud = self.endpoint.baud
        loop = asyncio.get_running_loop()
        pause_s = max(manner.pause_s, _AFTER_ABORTED_S if self._is_aborted else 0.0)
        give_up_at = loop.time() + manner.total_s
        while (wait_s := self._heard_at + pause_s - loop.time()) > 0:
            if loop.time() > give_up_at:
                raise DeviceMalformed(f"{self.endpoint} is never quiet; who speaks there?")
            await asyncio.sleep(wait_s)
        self._set_speed(self.endpoint.baud)
        self._inbox.clear()
        if manner.wake_up_s:
            await self._send(bytes(int(manner.wake_up_s / self._byte_s) or 1), manner)
            await asyncio.sleep(_WAKE_UP_PAUSE_S)

    async def _held(self, meter: Meter, dialogue: Dialogue[Result], manner: Manner) -> Result:
        """Run a dialogue to its end."""
        ear, said = Ear(manner.bcc), deque[Said]()
        began = False
        try:
            step = next(dialogue)
            while True:
                await self._do(step, manner)
                if not step.awaits:
                    step = next(dialogue)
                    continue
                while not said:
                    said += ear.feed(await self._heard(meter, manner))
                meter.is_silent, meter.answered, began = False, True, True
                step = dialogue.send(said.popleft())
        except StopIteration as end:
            result: Result = end.value
            return result
        except BaseException:
            if began:  # a meter in a session would hear nobody else for a while
                self._connection.send(self._coded(command("B0", "", manner.bcc), manner))
            raise

    async def _do(self, step: Step, manner: Manner) -> None:
        self._is_secret = step.is_secret
        if step.send:
            await self._send(step.send, manner)
        if step.baud:
            self._set_speed(step.baud)

    @staticmethod
    def _coded(data: bytes, manner: Manner) -> bytes:
        return with_parity(data) if manner.is_software else data

    async def _send(self, data: bytes, manner: Manner) -> None:
        """Send, and wait until it has left: the speed may be another one behind it."""
        self._connection.send(self._coded(data, manner))
        if not self.endpoint.serial:
            return
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _SEND_S_MAX
        # One more character for what the chip holds, which the driver does not count.
        await asyncio.sleep(self._byte_s * (len(data) + 1))
        while self._connection.unsent and loop.time() < give_up_at:  # noqa: ASYNC110  # no event
            await asyncio.sleep(_UNSENT_CHECK_S)

    @property
    def _byte_s(self) -> float:
        return 10 / self._baud

    def _set_speed(self, baud: int) -> None:
        if self.endpoint.serial:
            self._connection.set_speed(baud)
        self._baud = baud

    async def _heard(self, meter: Meter, manner: Manner) -> bytes:
        """Return what comes next.

        Raises:
            DeviceSilent: nothing does in time, or the connection is lost.
        """
        while not self._inbox:
            if not self._connection.is_open:
                raise DeviceSilent(f"{self.endpoint} closed the connection")
            self._news.clear()
            try:
                async with asyncio.timeout(manner.timeout_s):
                    await self._news.wait()
            except TimeoutError:
                raise DeviceSilent(f"{meter.name} gave no answer in time") from None
        data = bytes(self._inbox)
        self._inbox.clear()
        return without_parity(data) if manner.is_software else data

    def _show(
        self, line: str, direction: Direction, data: bytes, *, device: str = "", note: str = ""
    ) -> None:
        """Show bytes to whoever looks; of what may be a password only the control characters."""
        if self._is_secret:
            data = bytes(one if one & 0x7F < 0x20 else _HIDDEN for one in data)
        self._tap(line, direction, data, device=device, note=note)

    def _received(self, data: bytes) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._heard_ns = self._clock.now_ns()
        self._inbox += data
        del self._inbox[:-_UNHEARD_BYTES_MAX]
        self._news.set()

    def _lost(self) -> None:
        self._news.set()
