"""Serves the gateway's own page where its configuration wants one."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import ipaddress
import socket
import struct
from collections.abc import AsyncIterator
from typing import Final

import structlog

from citytwin_edge.console.page.routes import Routes
from citytwin_edge.console.page.web import serve
from citytwin_edge.gateway import join_address, split_address

CONNECTIONS_MAX: Final = 32
"""Of all telephones together; a page has two or three."""

_SIOCGIFADDR: Final = 0x8915
"""Asks the kernel for the IPv4 address of an interface (netdevice(7))."""

_log = structlog.get_logger(__name__)


class PageServer:
    """Listens at one address; belongs to the agent's event loop."""

    def __init__(self, routes: Routes, listen: str) -> None:
        """Prepare to answer with ``routes`` at ``listen``, host:port."""
        self._routes, self._listen = routes, listen
        self._connections: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve for as long as the block lasts; without a port the agent goes on all the same."""
        host, port = split_address(self._listen, 0)
        try:
            server = await asyncio.start_server(self._connection, host, port)
        except OSError as error:
            _log.error("page.unavailable", address=self._listen, reason=str(error))
            yield
            return
        _log.info("page.serves", address=self._listen)
        try:
            yield
        finally:
            server.close()
            for task in tuple(self._connections):
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) <= CONNECTIONS_MAX:
                await serve(self._routes.handle, reader, writer)
                writer.close()
                async with asyncio.timeout(1):
                    await writer.wait_closed()
        except OSError:  # TimeoutError is one
            pass  # whoever asked has gone
        finally:
            self._connections.discard(task)
            writer.transport.abort()


def addresses_of(listen: str) -> list[str]:
    """Return the addresses that a browser may be given for what listens at host:port."""
    host, port = split_address(listen, 0)
    try:
        is_everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        is_everywhere = False
    hosts = (_own_addresses() or [host]) if is_everywhere else [host]
    return [f"http://{join_address(one, port)}" for one in hosts]


def _own_addresses() -> list[str]:
    """Return this machine's IPv4 addresses but that of itself alone."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            with contextlib.suppress(OSError):  # it has none
                answer = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, request)
                found.append(socket.inet_ntoa(answer[20:24]))
    return [one for one in found if not one.startswith("127.")]
