"""A Modbus line: one TCP endpoint or serial port, and the units behind it, asked one at a time.

Devices that share an endpoint share the line object.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from citytwin.clock import Clock
from citytwin.errors import DeviceError, DeviceMalformed, DeviceRefused, DeviceSilent
from citytwin_edge.adapters.connection import Connection, Endpoint, Tap, nobody_looks
from citytwin_edge.adapters.modbus_frames import Framing, Request, RtuFraming, TcpFraming
from citytwin_edge.adapters.turns import Rank, Turns, Unit, has_living

_QUIET_CHARACTERS: Final = 3.5
_QUIET_S_MIN: Final = 0.00175
"""Silence between frames: 3.5 characters, 1.75 ms above 19,200 Bd (Serial Line 1.02, 2.5.1.1)."""
_UNANSWERED_MAX: Final = 3
"""A TCP peer that sends nothing on so many requests is connected anew: it may have gone."""
_PATIENCE: Final = 3
"""Factor on the time-out after an unanswered request: a converter may still wait for that unit,
and make its neighbour wait with it."""


class Reply(NamedTuple):
    """An answer: its PDU and when it was whole (UTC nanoseconds)."""

    pdu: bytes
    time_ns: int


class _LinkLost(Exception):
    """The connection was lost while an answer was awaited."""


class Line:
    """One endpoint; ``ask`` may be called by many at a time and serves them one after another."""

    def __init__(self, endpoint: Endpoint, clock: Clock, tap: Tap = nobody_looks) -> None:
        """Make a line; touches no network. ``tap`` is shown what goes over it."""
        self.endpoint = endpoint
        self._clock = clock
        self._framing: Framing = TcpFraming() if endpoint.transport == "tcp" else RtuFraming()
        self._turns = Turns(lambda: has_living(self._units.values()))
        self._users: Counter[int] = Counter()
        self._units: dict[int, Unit] = {}
        self._names: dict[int, str] = {}
        self._connection = Connection(endpoint, self._received, self._fail_awaited, tap)
        self._awaited: asyncio.Future[Reply] | None = None
        self._asked = 0
        self._timed_out = False
        self._unanswered = 0
        self._heard_at = 0.0
        self._received_bytes = 0

    def join(self, unit: int, name: str = "") -> None:
        """Say that a device with that unit id, and that name, will use the line."""
        self._users[unit] += 1
        self._names[unit] = name

    async def leave(self, unit: int) -> None:
        """Say that it does so no more; the last one closes the connection."""
        if self._users[unit] > 1:
            self._users[unit] -= 1
            return
        del self._users[unit]
        self._units.pop(unit, None)
        self._names.pop(unit, None)
        if not self._users:
            self._turns.close()
            self._fail_awaited()
            await self._connection.close()

    async def ask(
        self,
        unit: int,
        request: Request,
        timeout_s: float,
        *,
        command: bool = False,
        patient: bool = True,
    ) -> Reply:
        """Ask once and return the answer, or raise.

        A read is sent a second time only when the connection turns out to have been closed before,
        or, on RTU, when a unit that usually answers was disturbed by noise; a command never.

        Args:
            unit: unit id.
            request: what to ask.
            timeout_s: from the last byte sent to the last received, transmission not counted.
            command: go before polls, and ask once only.
            patient: wait longer when the last unit gave no answer; who looks for units does not.

        Raises:
            DeviceSilent: no connection, or no answer.
            DeviceMalformed: an answer that is not one.
            DeviceRefused: an exception.
        """
        state, rank = await self._take(unit, command=command)
        started = asyncio.get_running_loop().time()
        answered = False
        try:
            reply = await self._exchange(
                unit, state, request, timeout_s, again=not command, patient=patient
            )
            answered = True
            return reply
        except DeviceRefused:
            answered = True
            raise
        finally:
            wasted_s = asyncio.get_running_loop().time() - started
            self._turns.give_back(
                wasted_s=wasted_s if rank is Rank.SILENT and not answered else 0.0
            )

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection.is_open

    async def overheard(self, seconds: float) -> int:
        """Listen without asking; returns how many bytes came: another master's, and its answers.

        Raises:
            DeviceSilent: there is no connection.
        """
        await self._ensure_open()
        before = self._received_bytes
        await asyncio.sleep(seconds)
        return self._received_bytes - before

    async def change(
        self, unit: int, read: Request, then: Callable[[bytes], Request], timeout_s: float
    ) -> None:
        """Read, and write what ``then`` makes of the answer's PDU, with nobody in between.

        Raises:
            DeviceError: as ``ask``; or what ``then`` raises.
        """
        state, _ = await self._take(unit, command=True)
        try:
            reply = await self._exchange(unit, state, read, timeout_s, again=False)
            await self._exchange(unit, state, then(reply.pdu), timeout_s, again=False)
        finally:
            self._turns.give_back()

    async def _take(self, unit: int, *, command: bool) -> tuple[Unit, Rank]:
        state = self._units.setdefault(unit, Unit())
        return state, await self._turns.take_for(state, command=command)

    async def _exchange(
        self,
        unit: int,
        state: Unit,
        request: Request,
        timeout_s: float,
        *,
        again: bool,
        patient: bool = True,
    ) -> Reply:
        """Ask, connecting before if needed; the turn is the caller's."""
        fresh = not self._connection.is_open
        if not patient:
            self._unanswered = 0
        try:
            return await self._send(unit, state, request, timeout_s)
        except _LinkLost:
            if fresh or not again:
                raise DeviceSilent(f"{self.endpoint} closed the connection") from None
        except DeviceMalformed:
            noise = isinstance(self._framing, RtuFraming) and not self._timed_out
            if not (again and noise and state.answered):
                raise
        try:
            return await self._send(unit, state, request, timeout_s)
        except _LinkLost:
            raise DeviceSilent(f"{self.endpoint} closed the connection") from None

    async def _send(self, unit: int, state: Unit, request: Request, timeout_s: float) -> Reply:
        loop = asyncio.get_running_loop()
        await self._ensure_open()
        byte_s = self.endpoint.byte_s
        if byte_s:
            quiet_s = self._heard_at + max(_QUIET_CHARACTERS * byte_s, _QUIET_S_MIN) - loop.time()
            if quiet_s > 0:
                await asyncio.sleep(quiet_s)
        frame = self._framing.begin(unit, request)
        self._connection.device = self._names.get(unit, "")
        wait_s = timeout_s + byte_s * (len(frame) + request.size + 3)
        if self._unanswered and not state.is_silent:
            wait_s *= _PATIENCE
        self._timed_out = False
        awaited: asyncio.Future[Reply] = loop.create_future()
        self._awaited = awaited
        timer = loop.call_later(wait_s, self._expire, awaited)
        try:
            self._connection.send(frame)
            reply = await awaited
        except asyncio.CancelledError:
            self._framing.give_up()
            self._note_silence(state, timeout_s)
            raise
        except DeviceRefused:
            state.answered, state.is_silent = True, False
            raise
        except DeviceError as error:
            if self._timed_out or isinstance(error, DeviceSilent):
                self._note_silence(state, timeout_s)
            raise
        finally:
            timer.cancel()
            self._awaited = None
        state.answered, state.is_silent = True, False
        return reply

    def _note_silence(self, state: Unit, timeout_s: float) -> None:
        """Remember that a unit is silent; without transaction ids its late answer must pass by."""
        state.is_silent = True
        if isinstance(self._framing, RtuFraming):
            state.late_until = asyncio.get_running_loop().time() + timeout_s

    def _expire(self, awaited: asyncio.Future[Reply]) -> None:
        if awaited.done():
            return
        self._timed_out = True
        self._unanswered += 1
        awaited.set_exception(self._framing.give_up())
        network = self.endpoint.transport != "rtu"
        if self._framing.lost or (network and self._unanswered >= _UNANSWERED_MAX):
            self._unanswered = 0
            self._drop()

    def _received(self, data: bytes) -> None:
        """Take bytes from the connection."""
        awaited = self._awaited
        self._unanswered = 0
        self._received_bytes += len(data)
        if self.endpoint.byte_s:
            self._heard_at = asyncio.get_running_loop().time()
        try:
            pdu = self._framing.feed(data)
        except DeviceError as error:
            if awaited is not None and not awaited.done():
                awaited.set_exception(error)
            if self._framing.lost:
                self._drop()
            return
        if pdu is not None and awaited is not None and not awaited.done():
            awaited.set_result(Reply(pdu, self._clock.now_ns()))

    def _fail_awaited(self) -> None:
        """Tell who waits for an answer that the connection is lost."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(_LinkLost())

    def _drop(self) -> None:
        self._connection.drop()
        self._fail_awaited()

    async def _ensure_open(self) -> None:
        """Connect, where that is not done yet.

        Raises:
            DeviceSilent: it could not be done, or all users have left.
        """
        if self._connection.is_open:
            return
        if self._users:
            await self._connection.open()
            self._unanswered = 0
            self._framing.reset()
        if not self._users:
            self._drop()
            raise DeviceSilent(f"{self.endpoint} was closed")
