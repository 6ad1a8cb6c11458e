"""Lines in process: a perfect one (NullLine) and one with a field link's faults (FaultyLink)."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from citytwin.errors import LineClosed

FRAMES_MAX: Final = 64


class FrameLine(Protocol):
    """What both ends of the link talk through: whole frames, in order."""

    async def send(self, frame: bytes) -> None:
        """Hand over one frame; raises LineClosed."""
        ...

    async def receive(self) -> bytes:
        """Return the next frame; raises LineClosed."""
        ...

    async def close(self) -> None:
        """Close for both ends."""
        ...


class _Channel:
    """One direction: a bounded queue of frames that can be closed from either side."""

    def __init__(self, frames_max: int) -> None:
        self._frames: deque[bytes] = deque()
        self._frames_max = frames_max
        self._closed = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()

    async def put(self, frame: bytes) -> None:
        while len(self._frames) >= self._frames_max and not self._closed:
            self._writable.clear()
            await self._writable.wait()
        if self._closed:
            raise LineClosed("the line is closed")
        self._frames.append(frame)
        self._readable.set()

    async def get(self) -> bytes:
        while not self._frames:
            if self._closed:
                raise LineClosed("the line is closed")
            self._readable.clear()
            await self._readable.wait()
        self._writable.set()
        return self._frames.popleft()

    def close(self) -> None:
        self._closed = True
        self._readable.set()
        self._writable.set()


class NullLine:
    """One end of an in-process line: frames arrive whole, in order, at once.

    ``send`` waits while ``frames_max`` frames are unread at the other end. Frames sent before the
    closing still arrive.
    """

    def __init__(self, outgoing: _Channel, incoming: _Channel) -> None:
        """Use :meth:`pair`."""
        self._outgoing = outgoing
        self._incoming = incoming

    @classmethod
    def pair(cls, *, frames_max: int = FRAMES_MAX) -> tuple[NullLine, NullLine]:
        """Return both ends of a new line."""
        there, back = _Channel(frames_max), _Channel(frames_max)
        return cls(there, back), cls(back, there)

    async def send(self, frame: bytes) -> None:
        """Hand a frame to the other end.

        Raises:
            LineClosed: either end has closed.
        """
        await self._outgoing.put(frame)

    async def receive(self) -> bytes:
        """Return the next frame.

        Raises:
            LineClosed: either end has closed and nothing is left.
        """
        return await self._incoming.get()

    async def close(self) -> None:
        """Close the line for both ends."""
        self._outgoing.close()
        self._incoming.close()


@dataclass(frozen=True, slots=True)
class Faults:
    """How bad a link is; probabilities are per frame, both ways."""

    cut: float = 0.0
    """The line breaks and the frame is lost with it."""
    mutate: float = 0.0
    """One byte of the frame is changed."""
    stall: float = 0.0
    """The line accepts frames and delivers nothing for ``stall_s``, then breaks."""
    delay_s_max: float = 0.0
    """Each frame takes up to this long, evenly spread; order is kept."""
    stall_s: float = 30.0


class FaultyLink:
    """A line with faults around one end of another; seeded, so that a run can be repeated.

    ``counts`` says what was done: frames, cut, mutated, stalled.
    """

    def __init__(self, line: FrameLine, faults: Faults, random: Random) -> None:
        """Put the faults between this end and ``line``."""
        self._line = line
        self._faults = faults
        self._random = random
        self._stalled = asyncio.Event()
        self.counts: Counter[str] = Counter()

    async def send(self, frame: bytes) -> None:
        """Send a frame, or lose it with the line.

        Raises:
            LineClosed: the line is broken.
        """
        passed = await self._pass(frame)
        if passed is not None:
            await self._line.send(passed)

    async def receive(self) -> bytes:
        """Return the next frame that gets through.

        Raises:
            LineClosed: the line is broken.
        """
        while True:
            passed = await self._pass(await self._line.receive())
            if passed is not None:
                return passed
            await asyncio.sleep(self._faults.stall_s)
            await self.close()

    async def close(self) -> None:
        """Close the line for both ends."""
        await self._line.close()

    async def _pass(self, frame: bytes) -> bytes | None:
        """Return the frame as it gets through; None when it is swallowed by a stall."""
        faults, chance = self._faults, self._random.random
        self.counts["frames"] += 1
        if self._stalled.is_set():
            return None
        if faults.delay_s_max:
            await asyncio.sleep(faults.delay_s_max * chance())
        if chance() < faults.cut:
            self.counts["cut"] += 1
            await self.close()
            raise LineClosed("the line broke (fault)")
        if chance() < faults.stall:
            self.counts["stalled"] += 1
            self._stalled.set()
            loop = asyncio.get_running_loop()
            loop.call_later(faults.stall_s, self._break)
            return None
        if frame and chance() < faults.mutate:
            self.counts["mutated"] += 1
            place = self._random.randrange(len(frame))
            changed = bytearray(frame)
            changed[place] ^= self._random.randrange(1, 256)
            return bytes(changed)
        return frame

    def _break(self) -> None:
        """End a stall: whoever still waits learns that the line is gone."""
        self._closing = asyncio.ensure_future(self.close())
