"""Bench: a device, and what fields do to its line: silence, disturbance, unplugging.

``check_adapter`` asks of an adapter what its bench can do to it. Whose device speaks TCP or on a
serial line takes a bench from here and says only how the device speaks::

    async def gauge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(b"level=2.431\\n")


    async with TcpBench(gauge) as bench:
        ...  # an adapter of 127.0.0.1 and bench.port
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import tty
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from citytwin.testing.mutation import Mutator

Device = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""How a device speaks; called for each connection, cancelled at its end."""

CHUNK_BYTES_MAX: Final = 65_536
_CONNECT_S_MAX: Final = 5.0


@runtime_checkable
class Bench(Protocol):
    """A device that gives the same values for as long as nobody sets others.

    What else a bench can do is told by the protocols below, with ``isinstance``.
    """

    async def answering(self) -> None:
        """Let the device answer, or speak, as it should; plugs it in if it was unplugged."""
        ...


@runtime_checkable
class Silences(Bench, Protocol):
    """Can keep a device silent."""

    async def silent(self) -> None:
        """Let the line be open and nothing come over it."""
        ...


@runtime_checkable
class Unplugs(Bench, Protocol):
    """Can take a device away."""

    async def unplugged(self) -> None:
        """Take the device away: its connections break, new ones are refused."""
        ...


@runtime_checkable
class Mutates(Bench, Protocol):
    """Can disturb what a device says.

    Attributes:
        mutated: how many frames were disturbed so far.
        checksum_bits: width of the checksum of a frame; 0 where frames have none.
    """

    mutated: int
    checksum_bits: int

    async def mutating(self, seed: int) -> None:
        """Let every frame of the device arrive changed; what is sent to it arrives as it is."""
        ...


class _Mode(Enum):
    ANSWERING = auto()
    SILENT = auto()
    MUTATING = auto()
    UNPLUGGED = auto()


class _StreamBench:
    """What the benches of streams share: each write of a device is a frame, and may be changed."""

    def __init__(self, device: Device, *, checksum_bits: int = 0) -> None:
        self.checksum_bits = checksum_bits
        self.mutated = 0
        self._device = device
        self._mode = _Mode.UNPLUGGED
        self._mutator = Mutator(0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Any:
        await self.answering()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.unplugged()
        if self._failure is not None:
            raise self._failure

    async def answering(self) -> None:
        """Let the device speak; see :class:`Bench`."""
        if self._mode is _Mode.UNPLUGGED:
            await self._plug()
        self._mode = _Mode.ANSWERING

    async def silent(self) -> None:
        """Keep back what the device says; see :class:`Silences`."""
        await self.answering()
        self._mode = _Mode.SILENT

    async def mutating(self, seed: int) -> None:
        """Change every frame; see :class:`Mutates`."""
        await self.answering()
        self._mutator = Mutator(seed)
        self._mode = _Mode.MUTATING

    async def unplugged(self) -> None:
        """Take the device away; see :class:`Unplugs`."""
        self._mode = _Mode.UNPLUGGED
        self._pull()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _plug(self) -> None:
        raise NotImplementedError

    def _pull(self) -> None:
        raise NotImplementedError

    def _delivered(self, data: bytes) -> bytes:
        """Return what arrives of a frame of the device."""
        if self._mode is _Mode.MUTATING:
            self.mutated += 1
            return self._mutator.mutate(data)
        return data if self._mode is _Mode.ANSWERING else b""

    def _speak(self, reader: asyncio.StreamReader, line: _Line) -> asyncio.Task[None]:
        """Let the device speak on a connection, beside everything else."""
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(reader)
        line.set_protocol(protocol)
        writer = asyncio.StreamWriter(line, protocol, reader, loop)
        task = loop.create_task(self._spoken(reader, writer, line))
        self._tasks.add(task)
        task.add_done_callback(self._spoke)
        return task

    async def _spoken(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line
    ) -> None:
        try:
            await self._device(reader, writer)
        finally:
            line.abort()

    def _spoke(self, task: asyncio.Task[None]) -> None:
        """Keep the first failure of a device: whatever it is, the test shall show it."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if not isinstance(error, OSError | EOFError | None):  # else the adapter has hung up
            self._failure = self._failure or error


class _Line(asyncio.Transport):
    """A device's way to its adapter."""

    def __init__(
        self, delivered: Callable[[bytes], bytes], send: Callable[[bytes], object],
        hang_up: Callable[[], object],
    ) -> None:  # fmt: skip
        super().__init__()
        self._delivered, self._send, self._hang_up = delivered, send, hang_up
        self._protocol: asyncio.BaseProtocol | None = None
        self._closed = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        arrives = b"" if self._closed else self._delivered(bytes(data))
        if arrives:
            self._send(arrives)

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self._closed:
            self._closed = True
            self._hang_up()
            protocol = self.get_protocol()
            assert isinstance(protocol, asyncio.Protocol)
            protocol.connection_lost(None)


class _Reader(asyncio.StreamReader):
    """What an adapter sends; when it hangs up, a device that only speaks is to stop, too."""

    speaker: asyncio.Task[None] | None = None

    def feed_eof(self) -> None:
        super().feed_eof()
        self._stop()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self._stop()

    def _stop(self) -> None:
        if self.speaker is not None:
            self.speaker.cancel()


class TcpBench(_StreamBench):
    """A device behind TCP on this machine.

    Attributes:
        port: where it listens on 127.0.0.1; the same for as long as the bench lives.
    """

    def __init__(self, device: Device, *, checksum_bits: int = 0) -> None:
        """Take a device; nothing listens yet.

        Args:
            device: how it speaks; :func:`forwarded` for one that is elsewhere.
            checksum_bits: width of the checksum that its frames have; 0: none.
        """
        super().__init__(device, checksum_bits=checksum_bits)
        self.port = 0
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    async def _plug(self) -> None:
        loop = asyncio.get_running_loop()

        def connection() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(_Reader(loop=loop), self._connected, loop=loop)

        self._server = await loop.create_server(connection, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _pull(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)

        def hang_up() -> None:
            self._ends.discard(writer)
            # Not aborted: what the device said last is to arrive.
            writer.transport.close()

        assert isinstance(reader, _Reader)
        reader.speaker = self._speak(reader, _Line(self._delivered, writer.write, hang_up))


class PtyBench(_StreamBench):
    """A device on a serial line, made of a pseudo terminal.

    Attributes:
        path: the port that the adapter opens; the same for as long as the bench lives.
    """

    def __init__(self, device: Device, *, checksum_bits: int = 0) -> None:
        """Take a device; there is no port yet. See :class:`TcpBench`."""
        super().__init__(device, checksum_bits=checksum_bits)
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self.path = str(Path(self._folder.name) / "port")
        self._ends: tuple[int, ...] = ()

    async def __aexit__(self, *_: object) -> None:
        try:
            await super().__aexit__(*_)
        finally:
            self._folder.cleanup()

    async def _plug(self) -> None:
        master, slave = self._ends = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        os.symlink(os.ttyname(slave), self.path)  # noqa: PTH211  # asynchronous code has no Path
        reader = asyncio.StreamReader()
        asyncio.get_running_loop().add_reader(master, self._read, master, reader)

        def send(data: bytes) -> None:
            with contextlib.suppress(OSError):  # nobody reads, and the line keeps nothing
                os.write(master, data)

        self._speak(reader, _Line(self._delivered, send, lambda: None))

    def _read(self, master: int, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            reader.feed_data(os.read(master, CHUNK_BYTES_MAX))

    def _pull(self) -> None:
        if self._ends:
            asyncio.get_running_loop().remove_reader(self._ends[0])
            for end in self._ends:
                os.close(end)
            self._ends = ()
            Path(self.path).unlink()


def forwarded(host: str, port: int) -> Device:
    """Return a device that is elsewhere, behind TCP: a real one, or a server of the test's own."""

    async def device(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_CONNECT_S_MAX):
            back, forth = await asyncio.open_connection(host, port)
        ways = [asyncio.ensure_future(_copy(reader, forth)),
                asyncio.ensure_future(_copy(back, writer))]  # fmt: skip
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            forth.transport.abort()

    return device


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK_BYTES_MAX):
            sink.write(data)
