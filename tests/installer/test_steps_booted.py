"""The installer on a machine with a real systemd: what a technician does in the life of a gateway.

The agent runs as the service that is shipped, with all its restrictions, reads a serial line and a
Modbus device, and sends to a hub beside the test.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from tests import bundles
from tests.booted import Machine, why_not
from tests.edge.modbus_devices import device, tcp_server
from tests.installer.booted_gateway import INSTALLED, INSTRUMENT, UNIT, Gateway
from tests.servers import free_port
from tests.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(500),
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can"),
]

DIES: bundles.Change = (
    '        await ready()\n        self.tell("READY=1")\n',
    '        await ready()\n        self.tell("READY=1")\n'
    "        print('citytwin-edge: the new one has a flaw', flush=True)\n        os._exit(3)\n",
)
CHECK = '    """Check the configuration and show what it comes to."""\n'
REFUSES: bundles.Change = (
    CHECK,
    CHECK + "    from citytwin.errors import ConfigError\n"
    "    raise ConfigError(f'{common.config_path(options)}:11: adapter is not known any more')\n",
)


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles as on a technician's stick."""
    if reason := bundles.registry_is_silent():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("stick")
    first = bundles.make(folder / "first")
    for name, changes in {
        "second": {"outbox.py": bundles.newer_outbox(readable=True)},
        "third": {"outbox.py": bundles.newer_outbox(readable=False)},
        "refuses": {"cli/devices.py": [REFUSES]},
        "dies": {"notify.py": [DIES]},
    }.items():
        bundles.changed(first, folder / name, changes)
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub's bundle."""
    if reason := bundles.registry_is_silent():
        pytest.skip(reason)
    return bundles.make(tmp_path_factory.mktemp("hub") / "citytwin-hub", "hub")


@pytest.fixture
async def gateway(stick: Path, tmp_path: Path) -> AsyncIterator[Gateway]:
    machine = Machine(tmp_path / "machine", stick)
    try:
        await machine.boot()
        yield Gateway(machine, tmp_path)
    finally:
        await machine.end()
        shutil.rmtree(tmp_path / "machine", ignore_errors=True)


def assert_nothing_lost_nor_repeated(gateway: Gateway) -> None:
    """Every entry has come once, in order; each line of the instrument at most once."""
    numbers = [number for number, _ in gateway.hub.entries]
    assert numbers == list(range(1, numbers[-1] + 1))
    values = gateway.hub.of("g/line/count").value
    counted = values[np.isfinite(values)].tolist()
    assert len(counted) > 20
    assert counted == sorted(set(counted))


async def test_the_life_of_a_gateway(gateway: Gateway) -> None:
    """Install, upgrade, one that fails, back, and away; the hub is there only now and then."""
    machine = gateway.machine
    before, accounts = machine.files(), machine.accounts()
    assert "enrol HUB TOKEN" in await gateway.installer("/mnt/first/install.sh")
    assert machine.call(*INSTRUMENT).returncode == 0
    async with tcp_server(device(1, [(0, [42])])) as modbus:
        gateway.enrol(modbus)
        await gateway.systemctl("enable", "--now", UNIT)
        first = gateway.version()

        # No hub: what is read waits, through everything that follows.
        await gateway.until_more_waits()
        await upgrade_refused_by_the_configuration(gateway)
        await upgrade_that_dies(gateway)
        async with gateway.hub.listening(gateway.authority, gateway.port):
            assert "runs" in await gateway.installer("/mnt/second/install.sh")
            assert gateway.version() != first
            assert gateway.numbers()[0] == 2  # the schema
            assert gateway.optimised() == 2
            await gateway.hub.until(lambda: len(gateway.hub.entries) > 20)
        await back_to_one_that_reads_a_newer_outbox(gateway, first)
        await gateway.until_more_waits()
        await newer_outbox_that_nobody_else_reads(gateway)
        await purge_refused(gateway)
        async with gateway.hub.listening(gateway.authority, gateway.port):
            await gateway.systemctl("restart", UNIT)  # and so does not wait for its next try
            last = gateway.numbers()[2]
            await gateway.hub.until(lambda: gateway.hub.entries[-1][0] >= last)
            assert "is gone" in await gateway.installer(INSTALLED, "--uninstall", "--purge")
    assert_nothing_lost_nor_repeated(gateway)
    assert sorted(machine.files() - before) == []
    assert machine.accounts() == accounts
    assert machine.shown(UNIT, "LoadState") == {"LoadState": "not-found"}


async def upgrade_refused_by_the_configuration(gateway: Gateway) -> None:
    """It does not even stop the old one."""
    before = gateway.life(), gateway.version()
    said = await gateway.installer("/mnt/refuses/install.sh", code=1)
    assert "edge.toml" in said
    assert "is not known any more; nothing was changed" in said
    assert (gateway.life(), gateway.version()) == before
    assert gateway.versions() == 1


async def upgrade_that_dies(gateway: Gateway) -> None:
    """It says that it runs, and dies: the old one runs again."""
    before = gateway.version()
    said = await gateway.installer("/mnt/dies/install.sh", code=4)
    assert "did not run: " in said
    assert "the new one has a flaw" in said
    assert f"version {before} runs again" in said
    assert (gateway.version(), gateway.versions()) == (before, 1)
    assert gateway.life()["ActiveState"] == "active"
    await gateway.until_more_waits()


async def back_to_one_that_reads_a_newer_outbox(gateway: Gateway, first: str) -> None:
    said = await gateway.installer(INSTALLED, "--rollback")
    assert f"back at {first}" in said
    assert gateway.version() == first
    assert gateway.numbers()[0] == 2  # and the newer one will still know its own


async def newer_outbox_that_nobody_else_reads(gateway: Gateway) -> None:
    """Back is refused by the old one itself, in words; nothing is lost, the newer one runs on."""
    # As if the one before had left it: the schema of the release.
    await gateway.systemctl("stop", UNIT)
    with contextlib.closing(sqlite3.connect(gateway.state / "outbox.db")) as db:
        db.execute("ALTER TABLE entries DROP COLUMN urgency")
        db.execute("DELETE FROM counters WHERE name = 'oldest_reader'")
        db.execute("PRAGMA user_version = 1")
        db.commit()
    for path in gateway.state.glob("outbox.db*"):
        os.chown(path, gateway.state.stat().st_uid, gateway.state.stat().st_gid)
    await gateway.systemctl("start", UNIT)
    await gateway.installer("/mnt/third/install.sh")
    third = gateway.version()
    said = await gateway.installer(INSTALLED, "--rollback", code=4)
    assert "was written by a newer agent (schema 2, this one knows 1)" in said
    assert f"version {third} runs again" in said
    assert gateway.version() == third
    await gateway.until_more_waits()


async def purge_refused(gateway: Gateway) -> None:
    """Without a hub nothing that waits is thrown away unasked."""
    said = await gateway.installer(INSTALLED, "--uninstall", "--purge", code=3)
    waits = gateway.numbers()[1]
    assert "samples in" in said
    assert "--purge --yes to lose them" in said
    assert waits > 0
    assert gateway.life()["ActiveState"] == "active"


async def test_uninstalled_and_installed_again_it_goes_on(gateway: Gateway) -> None:
    await gateway.installer("/mnt/first/install.sh")
    assert gateway.machine.call(*INSTRUMENT).returncode == 0
    async with tcp_server(device(1, [(0, [42])])) as modbus:
        gateway.enrol(modbus)
        await gateway.systemctl("enable", "--now", UNIT)
        await gateway.until_more_waits()
        said = await gateway.installer("/mnt/first/install.sh", "--uninstall")
        assert "wait in its outbox" in said
        assert gateway.numbers()[1] > 0
        assert (gateway.state / "key.pem").exists()
        assert not (gateway.machine.root / "opt/citytwin-edge").exists()
        assert not (gateway.machine.root / "usr-local/bin/citytwin-edge").is_symlink()
        await gateway.installer("/mnt/first/install.sh")
        async with gateway.hub.listening(gateway.authority, gateway.port):
            await gateway.systemctl("enable", "--now", UNIT)
            await gateway.hub.until(lambda: len(gateway.hub.entries) > 60)
            await gateway.systemctl("restart", UNIT)
            last = gateway.numbers()[2]
            await gateway.hub.until(lambda: gateway.hub.entries[-1][0] >= last)
    assert_nothing_lost_nor_repeated(gateway)


async def test_a_hub_lives_with_its_restrictions(gateway: Gateway, hub: Path) -> None:
    """Journal, history and page, under the very unit that is shipped."""
    machine = gateway.machine
    before, accounts = machine.files(), machine.accounts()
    shutil.copytree(hub, machine.root / "srv/hub")
    await gateway.installer("/srv/hub/install.sh")
    ports = [free_port() for _ in range(3)]
    (machine.root / "etc/citytwin/hub.toml").write_text(
        '[hub]\nstate = "/var/lib/citytwin-hub"\n'
        f'[link]\nbind = "127.0.0.1:{ports[0]}"\nenrol_bind = "127.0.0.1:{ports[1]}"\n'
        f'[http]\nbind = "127.0.0.1:{ports[2]}"\n'
    )
    await gateway.systemctl("start", "citytwin-hub")
    ask = ("citytwin-hub", "--hub", f"http://127.0.0.1:{ports[2]}", "gateways", "--json")
    await until(lambda: machine.call(*ask).returncode == 0, "the hub to answer")
    said = machine.call("journalctl", "--unit=citytwin-hub", "--output=cat").stdout
    assert "hub.ready" in said
    assert "not permitted" not in said
    refused = await gateway.installer("/srv/hub/install.sh", "--uninstall", "--purge", code=3)
    assert "the city's history" in refused
    await gateway.installer("/srv/hub/install.sh", "--uninstall", "--purge", "--yes")
    shutil.rmtree(machine.root / "srv/hub")
    assert sorted(machine.files() - before) == []
    assert machine.accounts() == accounts


async def test_an_agent_that_hangs_is_started_again(gateway: Gateway) -> None:
    await gateway.installer("/mnt/first/install.sh")
    async with tcp_server(device(1, [(0, [42])])) as modbus:
        gateway.enrol(modbus)
        drop_in = gateway.machine.root / f"etc/systemd/system/{UNIT}.d/quick.conf"
        drop_in.parent.mkdir()
        drop_in.write_text("[Service]\nWatchdogSec=2\nRestartSec=0\n")
        await gateway.systemctl("daemon-reload")
        await gateway.systemctl("start", UNIT)
        before = gateway.life()
        pid = before["MainPID"]
        assert gateway.machine.call("kill", "-STOP", pid).returncode == 0
        await until(lambda: gateway.life()["MainPID"] not in {pid, "0"}, "another process")
        await until(lambda: gateway.life()["ActiveState"] == "active", "it to run again")
        assert "Watchdog timeout" in gateway.log()
        assert "Fatal Python error: Aborted" in gateway.log()  # and where it was
        await gateway.until_more_waits()


NEEDED = """
import ctypes, os, socket, subprocess, sys
from pathlib import Path

def may(what, do):
    try:
        do()
    except (OSError, IndexError) as error:
        print(what, type(error).__name__)
    else:
        print(what, "may")

def bus():
    with socket.socket(socket.AF_UNIX) as way:
        way.connect("/run/dbus/system_bus_socket")

may("tcp", lambda: socket.create_server(("127.0.0.1", 0)).close())
may("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("127.0.0.1", 0)))
may("interfaces", socket.if_nameindex)
may("bus", bus)
may("memory", lambda: Path("/proc/meminfo").read_text())
may("config", lambda: Path("/etc/citytwin/new.toml").write_text(""))
may("state", lambda: Path("/var/lib/citytwin-edge/new").write_text(""))
may("child", lambda: subprocess.run(["/bin/true"], check=True))
state = ctypes.CDLL(None, use_errno=True).adjtimex((ctypes.c_char * 208)())
print("clock", "may" if state >= 0 else os.strerror(ctypes.get_errno()))
may("home", lambda: os.listdir("/home")[0])
may("etc", lambda: Path("/etc/new").write_text(""))
may("programs", lambda: Path("/opt/new").write_text(""))
may("packets", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())
may("namespace", lambda: os.unshare(0x10000000) if hasattr(os, "unshare") else
    (_ for _ in ()).throw(PermissionError()))
print("kernel log", "may" if os.access("/dev/kmsg", os.R_OK) else "no")
"""


async def test_the_restrictions_leave_what_the_agent_needs(gateway: Gateway) -> None:
    """A probe in the place of the agent, under the very unit that is shipped."""
    machine = gateway.machine
    (machine.root / "home/somebody").mkdir()
    await gateway.installer("/mnt/first/install.sh")
    (machine.root / "opt/probe.py").write_text(NEEDED)
    drop_in = machine.root / f"etc/systemd/system/{UNIT}.d/probe.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(
        "[Service]\nType=oneshot\nRestart=no\nExecStart=\n"
        "ExecStart=/usr/bin/python3 -I /opt/probe.py\n"
    )
    await gateway.systemctl("daemon-reload")
    await gateway.systemctl("start", UNIT)
    lines = gateway.log().splitlines()
    said = {name: answer for name, _, answer in (line.partition(" ") for line in lines)}
    needed = ("tcp", "udp", "interfaces", "bus", "memory", "config", "state", "child", "clock")
    assert {name: said.get(name) for name in needed} == dict.fromkeys(needed, "may")
    refused = ("home", "etc", "programs", "packets", "namespace", "kernel")
    assert "may" not in {said.get(name, "may") for name in refused}, said
    assert (machine.root / "var/lib/citytwin-edge/new").stat().st_uid != 0
