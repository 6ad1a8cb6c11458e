"""What the service manager hears: when the agent runs, that it goes on, and when it stops."""

import asyncio
import contextlib
import os
import signal
import socket
import threading

import pytest

from citytwin import SystemClock
from citytwin_edge.notify import PINGS, Manager
from citytwin_hub.authority import Authority
from tests.edge.cli.cli_scenes import process, written
from tests.edge.modbus_devices import device, tcp_server
from tests.edge.small_hub import SmallHub, identity_of


class Ear:
    """A service manager's socket."""

    def __init__(self, address):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    async def hears(self):
        async with asyncio.timeout(20):
            return (await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode()

    def heard(self):
        """Everything that has come."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self._socket.recv(4096).decode())
        return found

    def close(self):
        self._socket.close()


@pytest.fixture
def ear(tmp_path):
    with contextlib.closing(Ear(str(tmp_path / "notify"))) as ear:
        yield ear


async def nothing():
    """Be ready at once."""


async def test_it_is_told_when_the_work_runs_goes_on_and_stops(tmp_path, ear):
    gate = asyncio.Event()
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000"}
    async with Manager(environment).told(gate.wait):
        await asyncio.sleep(0)
        assert ear.heard() == []
        gate.set()
        assert [await ear.hears() for _ in range(4)] == ["READY=1", *["WATCHDOG=1"] * 3]
    assert ear.heard()[-1] == "STOPPING=1"


async def test_an_abstract_address_is_understood():
    address = f"@citytwin-{os.getpid()}"
    with contextlib.closing(Ear(address)) as ear:
        async with Manager({"NOTIFY_SOCKET": address}).told(nothing):
            assert await ear.hears() == "READY=1"
    # Nobody asked for pings.


async def test_a_loop_that_hangs_does_not_ping(tmp_path, ear):
    """The pings are the loop's own: no thread sends them for it."""
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000"}
    async with Manager(environment).told(nothing):
        assert await ear.hears() == "READY=1"
        assert await ear.hears() == "WATCHDOG=1"
        ear.heard()
        threading.Event().wait(0.1)  # far longer than from one ping to the next
        assert ear.heard() == []
        assert await ear.hears() == "WATCHDOG=1"


@pytest.mark.parametrize(
    ("more", "ping_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60 / PINGS),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60 / PINGS),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_who_is_watched(more, ping_s):
    assert Manager({"NOTIFY_SOCKET": "/run/x", **more}).ping_s == ping_s


async def test_without_a_manager_nothing_is_told_nor_prepared():
    async def never():
        raise AssertionError

    async with Manager({"WATCHDOG_USEC": "1000"}).told(never):
        await asyncio.sleep(0)


def test_a_manager_that_is_gone_is_no_reason_to_stop(tmp_path, capsys):
    Manager({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).tell("READY=1")
    assert "notify.failed" in capsys.readouterr().out


async def test_what_keeps_it_from_being_ready_is_not_hidden(tmp_path, ear):
    async def broken():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        async with Manager({"NOTIFY_SOCKET": str(tmp_path / "notify")}).told(broken):
            await asyncio.sleep(0)
    assert ear.heard() == ["STOPPING=1"]


async def test_the_agent_tells_when_what_it_reads_is_kept(tmp_path, ear, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "90000000")
    clock = SystemClock()
    authority, hub = Authority(tmp_path / "authority", clock.now_ns()), SmallHub(clock)
    async with tcp_server(device(1, [(0, [123, 0x4142, 0])])) as port:
        async with hub.listening(authority) as address:
            written(tmp_path, port)
            identity_of(authority, "g", tmp_path / "state", address)
            agent = await process("run", "--log", "json", folder=tmp_path)
            assert await ear.hears() == "READY=1"
            assert (tmp_path / "state/outbox.db").exists()
            assert await ear.hears() == "WATCHDOG=1"
            agent.send_signal(signal.SIGTERM)
            assert await ear.hears() == "STOPPING=1"
            async with asyncio.timeout(10):
                assert await agent.wait() == 0
