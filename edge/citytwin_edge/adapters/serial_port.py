"""A serial port that instruments share: asked one at a time, commands first, or listened to.

What a request brings goes to whoever asked; what comes besides goes to those who listen.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from citytwin.clock import Clock
from citytwin.errors import DeviceSilent
from citytwin_edge.adapters.connection import Connection, Endpoint, Tap, nobody_looks
from citytwin_edge.adapters.turns import Rank, Turns, Unit, has_living

_QUIET_CHARACTERS: Final = 3.5
"""A line has to be quiet for so long before a request, at least."""
_ANSWER_TIMEOUTS_MAX: Final = 10
"""An answer that goes on for so many time-outs is none."""
UNHEARD_BYTES_MAX: Final = 64 * 1024


class NoAnswer(DeviceSilent):
    """The port is there, but the answer that was awaited did not come in time."""


@dataclass(slots=True, eq=False)
class Party(Unit):
    """One instrument on a port.

    Attributes:
        name: for people.
        knows_its_own: its answers carry an address, so another's late one is not taken for it.
        device: the device's name.
    """

    name: str
    knows_its_own: bool = False
    device: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent, and how the answer is waited for.

    Attributes:
        data: the bytes.
        timeout_s: how long it may be silent, before the answer and within it.
        pause_s: how long the line has to be quiet before.
        echo: the bytes come back before the answer.
    """

    data: bytes
    timeout_s: float
    pause_s: float = 0.0
    echo: bool = False


class Heard(NamedTuple):
    """Some bytes that came: when (UTC nanoseconds, and the loop's clock), and what was lost before.

    Attributes:
        is_cut: bytes before these were left out, because nobody took them in time.
    """

    time_ns: int
    at_s: float
    data: bytes
    is_cut: bool


class _Ear:
    """What one listener has not taken yet; bounded."""

    def __init__(self, party: Party) -> None:
        self.party = party
        self._heard: deque[Heard] = deque()
        self._bytes = 0
        self._is_cut = False
        self._end = ""
        self._news = asyncio.Event()

    def hear(self, time_ns: int, data: bytes) -> None:
        if self._bytes + len(data) > UNHEARD_BYTES_MAX:
            self._heard.clear()
            self._bytes, self._is_cut = 0, True
        at_s = asyncio.get_running_loop().time()
        self._heard.append(Heard(time_ns, at_s, data, self._is_cut))
        self._bytes += len(data)
        self._is_cut = False
        self._news.set()

    def end(self, why: str) -> None:
        self._end = why
        self._news.set()

    async def take(self) -> Heard:
        while not self._heard:
            if self._end:
                raise DeviceSilent(self._end)
            self._news.clear()
            await self._news.wait()
        heard = self._heard.popleft()
        self._bytes -= len(heard.data)
        return heard


class _Lost(Exception):
    """The connection was lost while an answer was awaited."""


class _Exchange:
    """One question under way."""

    def __init__(self, question: Question, take: Callable[[bytes], bool], byte_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._take = take
        self._echo = question.data if question.echo else b""
        self._timeout_s = question.timeout_s
        sending_s = byte_s * len(question.data)
        self._give_up_at = self._loop.time() + sending_s + _ANSWER_TIMEOUTS_MAX * self._timeout_s
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._timer = self._loop.call_later(sending_s + self._timeout_s, self._expire)

    def feed(self, data: bytes) -> None:
        """Take bytes; each time the answer has another time-out, up to a limit."""
        data = self._without_echo(data)
        if self.done.done() or not data:
            return
        if self._take(data):
            self.done.set_result(None)
            return
        self._timer.cancel()
        wait_s = min(self._timeout_s, self._give_up_at - self._loop.time())
        self._timer = self._loop.call_later(max(wait_s, 0.0), self._expire)

    def _without_echo(self, data: bytes) -> bytes:
        size = min(len(self._echo), len(data))
        if data[:size] != self._echo[:size]:
            self._echo = b""
            return data
        self._echo = self._echo[size:]
        return data[size:]

    def _expire(self) -> None:
        if not self.done.done():
            self.done.set_exception(TimeoutError())

    def lose(self) -> None:
        """Tell who waits that the connection is lost."""
        if not self.done.done():
            self.done.set_exception(_Lost())

    def close(self) -> None:
        """Stop the timer."""
        self._timer.cancel()


class Turn:
    """The port for as long as a party has it; ``ask`` as often as is needed."""

    def __init__(self, port: Port, party: Party, *, command: bool) -> None:
        self._port, self._party, self._command = port, party, command
        self.is_answered = False
        self.timeout_s = 0.0

    async def ask(self, question: Question, take: Callable[[bytes], bool] | None) -> None:
        """Ask, and wait until ``take`` says that what came is the answer; see :meth:`Port.ask`."""
        self.timeout_s = question.timeout_s
        await self._port.exchange(self._party, question, take, once=self._command)
        self.is_answered = True


class Port:
    """One endpoint; ``ask`` may be called by many at a time and serves them one after another."""

    def __init__(self, endpoint: Endpoint, clock: Clock, tap: Tap = nobody_looks) -> None:
        """Touch nothing yet; ``tap`` is shown what goes over the port."""
        self.endpoint = endpoint
        self._clock = clock
        self._parties: list[Party] = []
        self._ears: list[_Ear] = []
        self._turns = Turns(lambda: has_living(self._parties))
        self._connection = Connection(endpoint, self._received, self._lost, tap)
        self._opening = asyncio.Lock()
        self._exchange: _Exchange | None = None
        self._heard_at = 0.0

    def join(self, party: Party) -> None:
        """Say that an instrument will use the port."""
        if party not in self._parties:
            self._parties.append(party)
            # Where several listen, nobody knows before a message is whole whose the bytes are.
            self._connection.device = party.device if len(self._parties) == 1 else ""

    async def leave(self, party: Party) -> None:
        """Say that it does so no more; the last one closes the port."""
        for ear in self._ears:
            if ear.party is party:
                ear.end(f"{self.endpoint} was closed")
        if party in self._parties:
            self._parties.remove(party)
            if not self._parties:
                self._turns.close()
                if self._exchange is not None:
                    self._exchange.lose()
                await self._connection.close()

    async def listen(self, party: Party) -> AsyncGenerator[Heard, None]:
        """Yield what comes, for as long as the instrument stays.

        Raises:
            DeviceSilent: the port cannot be opened, or is lost.
        """
        ear = _Ear(party)
        self._ears.append(ear)
        try:
            await self._ensure_open()
            while True:
                yield await ear.take()
        finally:
            self._ears.remove(ear)

    async def ask(
        self,
        party: Party,
        question: Question,
        take: Callable[[bytes], bool] | None,
        *,
        command: bool = False,
    ) -> None:
        """Ask, and wait until ``take`` says that what came is the answer.

        A request is sent a second time only when the connection turns out to have been closed
        before; a command never.

        Args:
            party: who is asked.
            question: what.
            take: called with the bytes that come; returns whether that was all. None: no answer
                is expected.
            command: go before requests, and ask once only.

        Raises:
            NoAnswer: none in time.
            DeviceSilent: no connection.
        """
        async with self.turn(party, command=command) as turn:
            await turn.ask(question, take)

    @contextlib.asynccontextmanager
    async def turn(self, party: Party, *, command: bool = False) -> AsyncIterator[Turn]:
        """Let a party have the port for several requests, with nobody in between.

        Args:
            party: who is asked.
            command: go before requests, and ask each time once only.
        """
        loop = asyncio.get_running_loop()
        rank = await self._turns.take_for(party, command=command)
        started = loop.time()
        turn = Turn(self, party, command=command)
        try:
            await self._wait_for_late_ones(party)
            yield turn
        finally:
            wasted_s = 0.0
            if rank is Rank.SILENT and not turn.is_answered:
                everyone_knows = all(one.knows_its_own for one in self._parties)
                wasted_s = loop.time() - started
                wasted_s += 0.0 if everyone_knows else turn.timeout_s
            self._turns.give_back(wasted_s=wasted_s)

    async def exchange(
        self,
        party: Party,
        question: Question,
        take: Callable[[bytes], bool] | None,
        *,
        once: bool,
    ) -> None:
        """Ask; the turn is the caller's (called by it).

        Raises:
            NoAnswer: none in time.
            DeviceSilent: no connection.
        """
        is_fresh = not self._connection.is_open
        try:
            try:
                await self._send(party, question, take)
            except _Lost:
                if is_fresh or once:
                    raise
                await self._send(party, question, take)
        except _Lost:
            raise DeviceSilent(f"{self.endpoint} closed the connection") from None

    async def _wait_for_late_ones(self, party: Party) -> None:
        """Let another's late answer pass by, where it could be taken for this one's."""
        if party.knows_its_own:
            return
        late_until = max((one.late_until for one in self._parties), default=0.0)
        late_s = late_until - asyncio.get_running_loop().time()
        if late_s > 0:
            await asyncio.sleep(late_s)

    async def _send(
        self, party: Party, question: Question, take: Callable[[bytes], bool] | None
    ) -> None:
        """Send once and wait; the turn is the caller's."""
        loop = asyncio.get_running_loop()
        await self._ensure_open()
        self._connection.device = party.device
        byte_s = self.endpoint.byte_s
        pause_s = max(question.pause_s, _QUIET_CHARACTERS * byte_s)
        quiet_s = self._heard_at + pause_s - loop.time()
        if quiet_s > 0:
            await asyncio.sleep(quiet_s)
        if take is None:
            self._connection.send(question.data)
            await asyncio.sleep(byte_s * len(question.data))
            return
        if not self._connection.is_open:
            raise _Lost
        exchange = self._exchange = _Exchange(question, take, byte_s)
        party.is_silent, late_s = True, question.timeout_s
        try:
            self._connection.send(question.data)
            await exchange.done
            party.is_silent, party.answered, late_s = False, True, 0.0
        except _Lost:
            late_s = 0.0  # nothing can come any more
            raise
        except TimeoutError:
            raise NoAnswer(f"{party.name} gave no answer in time") from None
        finally:
            exchange.close()
            self._exchange = None
            party.late_until = loop.time() + late_s

    async def _ensure_open(self) -> None:
        """Connect, where that is not done yet.

        Raises:
            DeviceSilent: it could not be done, or all instruments have left.
        """
        async with self._opening:
            if self._parties and not self._connection.is_open:
                await self._connection.open()
            if not self._parties:
                self._connection.drop()
                raise DeviceSilent(f"{self.endpoint} was closed")

    def _received(self, data: bytes) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        time_ns = self._clock.now_ns()
        for ear in self._ears:
            ear.hear(time_ns, data)
        if self._exchange is not None:
            self._exchange.feed(data)

    def _lost(self) -> None:
        for ear in self._ears:
            ear.end(f"{self.endpoint} closed the connection")
        if self._exchange is not None:
            self._exchange.lose()
