"""A relay for tests: stands before a hub, and does to its gateways' lines what a test says."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

CHUNK_BYTES = 65536

Way = Literal["up", "down"]


class Relay:
    """Passes connections on to a port of this machine; counts their bytes both ways.

    Attributes:
        port: where it listens, the same for as long as it lives.
        bytes: what was passed on, TLS and HTTP/2 included.
        connections: how many were opened.
    """

    def __init__(self, to: int) -> None:
        """Pass on to port ``to``."""
        self._to = to
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.WriteTransport] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._deaf = False
        self._cut: tuple[Way, int, asyncio.Future[None]] | None = None
        self.port = self.bytes = self.connections = 0

    async def __aenter__(self) -> Relay:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def listen(self) -> None:
        """Let gateways connect, on the same port each time."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Listen no more and drop what is connected: nobody is in reach."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stall(self) -> None:
        """Take every byte from now on and pass none, on new connections, too."""
        self._deaf = True

    def drop(self) -> None:
        """Reset every connection; those that come next are served well."""
        self._deaf = False
        for line in list(self._lines):
            line.abort()

    async def cut(self, way: Way, after_bytes: int) -> None:
        """Pass so many more bytes on one way, not one more, and reset; returns when it is done."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._cut = (way, after_bytes, done)
        await done

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        mine = (writer.transport, forth.transport)
        self._lines.update(mine)
        try:
            await asyncio.gather(self._pump(reader, forth, "up"), self._pump(back, writer, "down"))
        finally:
            self._lines.difference_update(mine)
            for line in mine:
                line.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                if self._deaf:
                    continue
                if self._cut is not None and self._cut[0] == way:
                    after, done = self._cut[1:]
                    if len(data) > after:
                        self._cut = None
                        writer.write(data[:after])
                        await writer.drain()
                        self.drop()
                        done.set_result(None)
                        return
                    self._cut = (way, after - len(data), done)
                self.bytes += len(data)
                writer.write(data)
                await writer.drain()
        writer.close()
