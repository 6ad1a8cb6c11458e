"""The agent's end of the console: takes connections, one request each, few at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import structlog

from citytwin.errors import CityTwinError, WireError
from citytwin_edge.console import protocol, sockets
from citytwin_edge.console.hanging import while_there
from citytwin_edge.console.operations import Operations
from citytwin_edge.console.protocol import Answer, ConsoleError, Greeting
from citytwin_edge.uplink import SOFTWARE

CLIENTS_MAX: Final = 16
REQUEST_S_MAX: Final = 10.0
"""Whoever connects says so soon what he wants."""
DISMISS_S_MAX: Final = 1.0
SEND_S_MAX: Final = 60.0
"""A client that takes nothing for so long is hung up on."""

_log = structlog.get_logger(__name__)


class Server:
    """Serves one agent's operations on the socket of its state folder."""

    def __init__(self, operations: Operations, state: Path) -> None:
        """Prepare; ``state`` is the folder, which this process has locked."""
        self._operations, self._state = operations, state
        self._clients: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve for as long as the block lasts; without a socket the agent goes on all the same."""
        try:
            end = sockets.listening(self._state)
        except OSError as error:
            _log.error("console.unavailable", folder=str(self._state), reason=str(error))
            yield
            return
        server = await asyncio.start_unix_server(self._client, sock=end)
        try:
            yield
        finally:
            server.close()
            for task in tuple(self._clients):
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)
            (self._state / sockets.NAME).unlink(missing_ok=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):  # TimeoutError is one
            pass  # whoever asked has gone, or does not take what he asked for
        finally:
            self._clients.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = sockets.peer_of(writer.get_extra_info("socket"))
        if not peer.is_trusted:
            _log.warning("console.refused", user=peer.name, pid=peer.pid)
            await _dismiss(reader, writer, f"{peer.name} may not ask this agent; use sudo")
        elif len(self._clients) > CLIENTS_MAX:
            await _dismiss(reader, writer, f"{CLIENTS_MAX} others ask already; try again later")
        else:
            writer.write(protocol.encoded(Greeting(protocol.VERSION, SOFTWARE)))
            async with asyncio.timeout(REQUEST_S_MAX):
                request = await _request(reader)
            if isinstance(request, ConsoleError):
                await _say(writer, Answer(error=str(request)))
            else:
                await while_there(reader, self._items(request, peer.name, writer))

    async def _items(
        self, request: protocol.Request, by: str, writer: asyncio.StreamWriter
    ) -> None:
        try:
            items = self._operations.start(request.do, request.about, by)
            async with contextlib.aclosing(items):
                async for item in items:
                    await _say(writer, Answer(item=item))
            await _say(writer, Answer(done=True))
        except CityTwinError as error:
            await _say(writer, Answer(error=str(error)))


async def _request(reader: asyncio.StreamReader) -> protocol.Request | ConsoleError:
    lines = protocol.Lines(protocol.REQUEST_BYTES_MAX)
    try:
        while data := await reader.read(protocol.REQUEST_BYTES_MAX):
            found = lines.feed(data)
            if found:
                return protocol.request(found[0])
    except WireError as error:
        return ConsoleError(str(error))
    except ConsoleError as error:
        return error
    raise ConnectionResetError("it hung up before it asked")


async def _dismiss(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, why: str) -> None:
    """Say why nothing is answered; what he says meanwhile is taken, else he would not hear it."""
    await _say(writer, Answer(error=why))
    writer.write_eof()
    async with asyncio.timeout(DISMISS_S_MAX):
        while await reader.read(protocol.REQUEST_BYTES_MAX):
            pass


async def _say(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(protocol.encoded(answer))
    async with asyncio.timeout(SEND_S_MAX):
        await writer.drain()
