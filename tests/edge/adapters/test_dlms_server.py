"""DLMS server: meters over TCP and UDP, each device its own peer; limits, ports that are taken."""

import asyncio
import contextlib
import socket

import pytest

from citytwin.clock import SystemClock
from citytwin.errors import DeviceSilent
from citytwin_edge.adapters import dlms_server
from citytwin_edge.adapters.dlms_server import DlmsServer, ServerSource
from tests.waiting import until


def wrapped(apdu):
    return b"\x00\x01\x00\x01\x00\x66" + len(apdu).to_bytes(2) + apdu


@contextlib.asynccontextmanager
async def hearing(server, peer="", count=1):
    """Collect so many messages for a peer while the body lets meters speak."""

    async def hear():
        heard = []
        async with contextlib.aclosing(ServerSource(server, peer).messages()) as stream:
            async for one in stream:
                heard.append(one.message.data or one.message.broken)
                if len(heard) == count:
                    return heard
        return heard

    task = asyncio.ensure_future(hear())
    await until(lambda: server.where[1] or task.done(), "the port is open", 5)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_over_tcp_in_pieces():
    server = DlmsServer("tcp", "127.0.0.1", 0, SystemClock())
    async with hearing(server, count=2) as heard:
        _, writer = await asyncio.open_connection(*server.where)
        for byte in wrapped(b"\x0fone") + wrapped(b"\x0ftwo"):
            writer.write(bytes([byte]))
            await writer.drain()
        assert await heard == [b"\x0fone", b"\x0ftwo"]
        writer.close()
    assert server.where == ("", 0), "closed with its last listener"


async def test_over_udp():
    server = DlmsServer("udp", "127.0.0.1", 0, SystemClock())
    async with hearing(server, count=2) as heard:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as meter:
            meter.sendto(wrapped(b"\x0fone"), server.where)
            meter.sendto(wrapped(b"\x0ftwo")[:-1], server.where)
        assert await heard == [b"\x0fone", "a datagram holds less than its header says"]


async def test_each_device_has_its_own_peer():
    server = DlmsServer("udp", "127.0.0.1", 0, SystemClock())
    async with hearing(server, "127.0.0.2") as second, hearing(server, "127.0.0.3") as third:
        for peer, apdu in (("127.0.0.3", b"\x0fc"), ("127.0.0.2", b"\x0fb")):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as meter:
                meter.bind((peer, 0))
                meter.sendto(wrapped(apdu), server.where)
        assert await second == [b"\x0fb"]
        assert await third == [b"\x0fc"]


async def test_out_of_step_is_disconnected():
    server = DlmsServer("tcp", "127.0.0.1", 0, SystemClock())
    async with hearing(server) as heard:
        reader, writer = await asyncio.open_connection(*server.where)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert "wrapper" in (await heard)[0]
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def test_no_more_than_so_many(monkeypatch):
    monkeypatch.setattr(dlms_server, "CONNECTIONS_MAX", 1)
    server = DlmsServer("tcp", "127.0.0.1", 0, SystemClock())
    async with hearing(server):
        _, first = await asyncio.open_connection(*server.where)
        await until(lambda: server._links, "the first is connected", 5)
        reader, second = await asyncio.open_connection(*server.where)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        first.close()
        second.close()


async def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = DlmsServer("tcp", "127.0.0.1", taken.getsockname()[1], SystemClock())
        with pytest.raises(DeviceSilent, match="cannot be opened"):
            await anext(aiter(ServerSource(server, "").messages()))


async def test_closing_a_source_ends_its_listening():
    server = DlmsServer("tcp", "127.0.0.1", 0, SystemClock())
    source = ServerSource(server, "")
    task = asyncio.ensure_future(anext(aiter(source.messages())))
    await until(lambda: server.where[1], "the port is open", 5)
    await source.close()
    with pytest.raises(DeviceSilent, match="was closed"):
        await task
