"""Devices for the fault tests: real servers that never say the same twice, and ones that lie."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from citytwin import SystemClock
from tests.edge.modbus_devices import (
    Peer,
    PtyLine,
    device,
    mbap,
    plug,
    registers,
    serial_server,
    tcp_server,
)
from tests.waiting import until

REGISTERS = 20
FALSE = 60_000
"""What a lying device says; no meter counts so far."""
PATIENCE_S = 20.0
"""How long the agent waits for an honest meter: a loaded machine must not look like a fault."""

IMPATIENCE_S = 2.0
"""How long it waits for one that lies; a loaded machine may make an honest answer later than that,
and then the history has the reason."""


class Meter:
    """A Modbus device whose n-th answer says n in every register.

    A number that is missing in the history is a lost answer, one that is there twice a repeated
    one, whatever agent and hub say of themselves.

    Attributes:
        answers: how many it has given.
        answered_ns: when it gave each, UTC nanoseconds.
        lies_after: how many it had given each time that it answered without a number.
    """

    is_asked = True
    """Whether each number is the answer to a question, whose end is in the history either way."""

    def __init__(self, name: str, *, period_s: float = 0.1, more: str = "") -> None:
        """Prepare; ``more`` are further lines of the device's table."""
        self.name, self._period_s, self._more = name, period_s, more
        self.answers, self.port = 0, 0
        self.answered_ns: list[int] = []
        self.lies_after: list[int] = []
        self._clock = SystemClock()
        self._serving = contextlib.AsyncExitStack()

    @property
    def points(self) -> list[str]:
        """Names of its points."""
        return [f"r{register}" for register in range(REGISTERS)]

    async def open(self) -> None:
        """Serve Modbus TCP, on the same port each time."""
        self.port = await self._serving.enter_async_context(
            tcp_server(self.simulated(1), port=self.port)
        )

    async def close(self) -> None:
        """Answer no more."""
        await self._serving.aclose()

    def simulated(self, unit: int) -> Any:
        """Return the device for a server of pymodbus."""
        return device(unit, [(0, [0] * (REGISTERS + 1))], action=self._answer)

    def table(self) -> str:
        """Return the tables of the device and its points in a gateway's configuration."""
        return self.tables(f'host = "127.0.0.1"\nport = {self.port}\n')

    def tables(self, where: str) -> str:
        """Likewise, for a device that is found elsewhere."""
        points = "".join(
            f'[[device.point]]\nname = "{name}"\ntable = "holding"\naddress = {address}\n'
            for address, name in enumerate(self.points)
        )
        return (
            f'[[device]]\nname = "{self.name}"\nadapter = "modbus"\nperiod_s = {self._period_s}\n'
            f"reply_timeout_s = {PATIENCE_S}\ntimeout_s = {2 * PATIENCE_S}\n"
            f"backoff_s = 0.2\nbackoff_s_max = 1.0\n{where}{self._more}{points}"
        )

    async def more(self, count: int = 20) -> None:
        """Wait until it has given so many more answers."""
        wanted = self.answers + count
        await until(lambda: self.answers >= wanted, f"{self.name} to be read")

    async def _answer(
        self, _function: int, _start: int, _at: int, _count: int, registers: list[int], _set: Any
    ) -> None:
        self.answers += 1
        self.answered_ns.append(self._clock.now_ns())
        registers[:] = [self.answers] * len(registers)


class SerialMeter(Meter):
    """A meter on a serial line that can be torn out and put back."""

    def __init__(self, name: str, folder: Path) -> None:
        """Its gateway finds the line at ``folder/port``."""
        super().__init__(name, more="reply_timeout_s = 2.0\n")
        self._path, self._line = folder / "port", PtyLine()
        plug(self._line, self._path)

    async def open(self) -> None:
        """Serve at the far end of the line."""
        await self._serving.enter_async_context(
            serial_server(self._line.ends[1], self.simulated(9))
        )

    async def unplug(self) -> None:
        """Tear the line out."""
        await self._serving.aclose()
        self._line.unplug()

    async def plug(self) -> None:
        """Put a new line in its place."""
        self._line = PtyLine()
        plug(self._line, self._path)
        await self.open()

    async def close(self) -> None:
        """Answer no more; the line stays."""
        await self.unplug()

    def table(self) -> str:
        """Return the tables of the device and its points in a gateway's configuration."""
        where = f'transport = "rtu"\nserial = "{self._path}"\nunit = 9\n'
        patient = f"reply_timeout_s = {PATIENCE_S}\n"
        return self.tables(where).replace(patient, "", 1)


Lie = Callable[[int, int, bytes], Sequence[bytes]]


class Liar(Meter):
    """A bare Modbus TCP server: answers as a meter does until it is told to misbehave.

    Attributes:
        lying: how it answers: (transaction, unit, request) -> frames; None: honestly.
        late_s: how long it takes to answer, honestly or not.
        lates: how many honest answers were as late as that.
    """

    def __init__(self, name: str) -> None:
        """Answer honestly."""
        super().__init__(name)
        self.lying: Lie | None = None
        self.late_s = 0.0
        self.lates = 0
        self.peer = Peer(self._respond)

    @property
    def misdeeds(self) -> int:
        """How many requests it has answered wrongly, late, or not at all."""
        return len(self.lies_after) + self.lates

    async def open(self) -> None:
        """Serve."""
        self.port = await self._serving.enter_async_context(self.peer.on_tcp(self.port))

    def table(self) -> str:
        """Return the tables of the device and its points in a gateway's configuration."""
        patient = f"reply_timeout_s = {PATIENCE_S}\ntimeout_s = {2 * PATIENCE_S}\n"
        return super().table().replace(patient, f"reply_timeout_s = {IMPATIENCE_S}\n", 1)

    async def _respond(self, transaction: int, unit: int, request: bytes) -> Sequence[bytes]:
        if self.lying is not None:
            self.lies_after.append(self.answers)
            said = self.lying(transaction, unit, request)
        else:
            self.answers += 1
            self.answered_ns.append(self._clock.now_ns())
            self.lates += self.late_s > 0
            said = [mbap(transaction, unit, registers(request, self.answers))]
        if self.late_s:
            await asyncio.sleep(self.late_s)
        return said


@contextlib.asynccontextmanager
async def serving(*meters: Meter) -> AsyncIterator[None]:
    """Open meters; close what is still open at the end."""
    async with contextlib.AsyncExitStack() as stack:
        for meter in meters:
            await meter.open()
            stack.push_async_callback(meter.close)
        yield
