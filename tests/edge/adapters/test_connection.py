"""Connections to real ports and sockets: opened when needed, told why not, lost, and dropped."""

import asyncio
import contextlib
import os
import socket
import threading

import pytest
import serial

from citytwin.adapter import Direction
from citytwin.errors import DeviceSilent
from citytwin_edge.adapters import connection
from citytwin_edge.adapters.connection import Connection, Endpoint
from tests.edge.modbus_devices import plug, pty_line
from tests.servers import free_port


class Ends:
    """What a connection tells its owner."""

    def __init__(self, endpoint):
        self.data, self.lost = bytearray(), asyncio.Event()
        self.connection = Connection(endpoint, self.data.extend, self.lost.set)

    @property
    def link(self):
        link = self.connection._link
        assert link is not None
        return link

    async def heard(self, data):
        async with asyncio.timeout(5):
            while data not in self.data:
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def echo():
    """A TCP server that sends back what it is sent; yields its port and its connections."""
    writers = []

    async def serve(reader, writer):
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], writers
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def test_bytes_to_a_tcp_endpoint_and_back():
    async with echo() as (port, _):
        ends = Ends(Endpoint("tcp", "127.0.0.1", port))
        assert not ends.connection.is_open
        ends.connection.send(b"nobody is there")
        await ends.connection.open()
        ends.connection.send(b"hello")
        await ends.heard(b"hello")
        assert ends.data == b"hello"
        end = ends.link.transport.get_extra_info("socket")
        assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
        await ends.connection.close()
        assert not ends.connection.is_open
        assert not ends.lost.is_set(), "we have closed it ourselves"


async def test_who_looks_sees_every_byte_and_whose_it_is():
    seen = []

    def tap(line, direction, data, *, device="", note=""):
        seen.append((line, device, direction, bytes(data), note))

    async with echo() as (port, _):
        came = bytearray()
        connection = Connection(Endpoint("tcp", "127.0.0.1", port), came.extend, lambda: None, tap)
        connection.send(b"nobody is there, so nothing goes over the line")
        await connection.open()
        connection.device = "meter"
        connection.send(b"hello")
        async with asyncio.timeout(5):
            while came != b"hello":
                await asyncio.sleep(0.005)
        await connection.close()
    line = f"127.0.0.1:{port}"
    assert seen[0] == (line, "meter", Direction.SENT, b"hello", "")
    assert b"".join(one[3] for one in seen[1:]) == b"hello"
    assert {one[:3] for one in seen[1:]} == {(line, "meter", Direction.RECEIVED)}


async def test_the_owner_is_told_when_the_other_end_closes():
    async with echo() as (port, writers):
        ends = Ends(Endpoint("tcp", "127.0.0.1", port))
        await ends.connection.open()
        async with asyncio.timeout(5):
            while not writers:
                await asyncio.sleep(0.005)
            writers[0].close()
            await ends.lost.wait()
        assert not ends.connection.is_open
        await ends.connection.open()
        assert ends.connection.is_open
        await ends.connection.close()


async def test_what_a_dropped_connection_still_brings_is_not_taken():
    async with echo() as (port, _):
        ends = Ends(Endpoint("tcp", "127.0.0.1", port))
        await ends.connection.open()
        old = ends.link
        ends.connection.drop()
        await ends.connection.open()
        ends.connection.received(old, b"late")
        ends.connection.parted(old)
        ends.connection.send(b"new")
        await ends.heard(b"new")
        assert ends.data == b"new"
        assert not ends.lost.is_set()
        await ends.connection.close()


async def test_after_a_failure_it_is_left_alone_for_a_while():
    port = free_port()
    ends = Ends(Endpoint("tcp", "127.0.0.1", port, retry_s=0.2))
    with pytest.raises(DeviceSilent, match=f"127.0.0.1:{port} is not reachable: Connection ref"):
        await ends.connection.open()
    accepted = []
    server = await asyncio.start_server(lambda _, w: accepted.append(w), "127.0.0.1", port)
    with pytest.raises(DeviceSilent, match="Connection refused"):
        await ends.connection.open()
    assert not accepted
    async with asyncio.timeout(5):
        while not ends.connection.is_open:
            await asyncio.sleep(0.02)
            with contextlib.suppress(DeviceSilent):
                await ends.connection.open()
    await ends.connection.close()
    for writer in accepted:
        writer.close()
    server.close()


async def test_a_serial_port_is_ours_alone_until_it_is_closed(tmp_path):
    with pty_line() as line:
        port = plug(line, tmp_path / "port")
        ends, other = Ends(Endpoint("line", serial=port)), Ends(Endpoint("line", serial=port))
        await ends.connection.open()
        with pytest.raises(DeviceSilent, match="port is not reachable: it is in use, by another"):
            await other.connection.open()
        far = os.open(line.ends[1], os.O_RDWR | os.O_NOCTTY)
        ends.connection.send(b"\x00M?\r")
        assert await asyncio.to_thread(os.read, far, 10) == b"\x00M?\r"
        os.write(far, b"+1.5\r\n")
        await ends.heard(b"+1.5\r\n")
        os.close(far)
        await ends.connection.close()
        again = Ends(Endpoint("line", serial=port))
        await again.connection.open()
        await again.connection.close()


async def test_an_unplugged_port_is_lost(tmp_path):
    with pty_line() as line:
        ends = Ends(Endpoint("line", serial=plug(line, tmp_path / "port")))
        await ends.connection.open()
        line.unplug()
        await asyncio.wait_for(ends.lost.wait(), 5)
    with pytest.raises(DeviceSilent, match="port is not reachable: No such file"):
        await ends.connection.open()


async def test_settings_reach_the_port(tmp_path):
    with pty_line() as line:
        end = Endpoint("line", serial=plug(line, tmp_path / "port"), baud=4800,
                       stop_bits=2, flow_control="xon-xoff")  # fmt: skip
        ends = Ends(end)
        await ends.connection.open()
        port = ends.link.transport.serial
        assert isinstance(port, serial.Serial)
        assert (port.baudrate, port.bytesize, port.stopbits, port.xonxoff, port.rtscts) == (
            4800, 8, 2, True, False,
        )  # fmt: skip
        await ends.connection.close()
        # A pty has eight bits and no direction: what a port cannot do is said in words.
        narrow = Ends(Endpoint("line", serial=end.serial, data_bits=7))
        with pytest.raises(DeviceSilent, match=r"cannot be set to line, 9600 Bd, .* data bits 7"):
            await narrow.connection.open()
        turning = Ends(Endpoint("line", serial=end.serial, rs485=True))
        with pytest.raises(DeviceSilent, match="its driver cannot do RS-485; leave out rs485"):
            await turning.connection.open()
        again = Ends(end)
        await again.connection.open()
        assert again.connection.is_open, "no failure leaves the port locked"
        await again.connection.close()


def test_what_two_devices_share():
    port = Endpoint("rtu", serial="/dev/ttyUSB0", parity="even", stop_bits=2)
    assert port.key == Endpoint("line", serial="/dev/ttyUSB0").key
    assert port.byte_s == 12 / 9600
    assert (str(port), port.settings()) == (
        "/dev/ttyUSB0", "rtu, 9600 Bd, parity even, stop bits 2",
    )  # fmt: skip
    net = Endpoint("tcp", "10.0.0.7", 4001)
    assert (net.key, net.byte_s) == (("tcp", "10.0.0.7", 4001), 0.0)
    assert (str(net), net.settings()) == ("10.0.0.7:4001", "tcp")
    odd = Endpoint("line", serial="/dev/ttyS0", data_bits=7, flow_control="rts-cts", rs485=True)
    assert odd.settings().endswith("stop bits 1, data bits 7, flow control rts-cts, RS-485")
    assert Endpoint("line", serial="a", connect_timeout_s=1) == Endpoint("line", serial="a")


async def test_an_opening_that_is_cancelled_leaves_no_port_locked(monkeypatch):
    """The thread that opens it cannot be cancelled; what it opens is closed, and then opened."""
    gate, opened = threading.Event(), connection._port

    def slowly(end):
        assert gate.wait(30)
        return opened(end)

    monkeypatch.setattr(connection, "_port", slowly)
    with pty_line() as line:
        ends = Ends(Endpoint("rtu", serial=line.ends[0]))
        opening = asyncio.ensure_future(ends.connection.open())
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        asyncio.get_running_loop().call_later(0.05, gate.set)
        await ends.connection.open()
        assert ends.connection.is_open
        await ends.connection.close()
        opening = asyncio.ensure_future(ends.connection.open())
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await ends.connection.close()  # waits for the thread
        serial.Serial(line.ends[0], exclusive=True).close()
