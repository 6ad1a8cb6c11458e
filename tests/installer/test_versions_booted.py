"""A gateway with numba on a machine with a real systemd: what its service may, and what it runs."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import bundles
from tests.booted import Machine, why_not
from tests.edge.modbus_devices import device, tcp_server
from tests.installer.booted_gateway import INSTALLED, UNIT, Gateway
from tests.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(500),
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can"),
]

DROP_IN = "etc/systemd/system/citytwin-edge.service.d/compiled.conf"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    if reason := bundles.registry_is_silent():
        pytest.skip(reason)
    stick = tmp_path / "stick"
    bundles.make(stick / "plain")
    bundles.make(stick / "fast", "edge", "--compiled")
    machine = Machine(tmp_path / "machine", stick)
    try:
        await machine.boot()
        yield Gateway(machine, tmp_path)
    finally:
        await machine.end()
        shutil.rmtree(tmp_path / "machine", ignore_errors=True)


def kept_code(gateway: Gateway) -> set[str]:
    return {name for name in gateway.machine.files() if name.endswith((".nbi", ".nbc"))}


async def until_watched(gateway: Gateway) -> None:
    """Wait until samples have gone through the kernels, which makes them what they are."""
    await until((gateway.state / "outbox.db").exists, "an outbox")
    await gateway.until_more_waits()


def has_compiler(gateway: Gateway) -> bool:
    """Tell whether the running agent has the compiler's library in its memory."""
    pid = gateway.machine.shown(UNIT, "MainPID")["MainPID"]
    return "libllvmlite" in gateway.machine.call("cat", f"/proc/{pid}/maps").stdout


async def test_only_a_version_with_numba_may_make_memory_executable(gateway: Gateway) -> None:
    machine = gateway.machine
    await gateway.installer("/mnt/plain/install.sh")
    assert not (machine.root / DROP_IN).exists()
    async with tcp_server(device(1, [(0, [42])])) as modbus:
        gateway.enrol(modbus)
        config = machine.root / "etc/citytwin/edge.toml"
        text = config.read_text()
        meter = text[: text.index('[[device]]\nname = "line"')]
        config.write_text(meter.replace('unit = "m"', 'unit = "m"\nanomaly = { every_s = 1 }'))
        await gateway.systemctl("enable", "--now", UNIT)
        await until_watched(gateway)
        assert not has_compiler(gateway)

        assert "runs" in await gateway.installer("/mnt/fast/install.sh")
        assert machine.shown(UNIT, "MemoryDenyWriteExecute") == {"MemoryDenyWriteExecute": "no"}
        made = kept_code(gateway)
        assert made, "the installer has compiled"
        await until(lambda: has_compiler(gateway), "the compiled kernel to run")
        await gateway.systemctl("restart", UNIT)
        await until(lambda: has_compiler(gateway), "the compiled kernel to run again")
        assert kept_code(gateway) == made
        assert "anomaly.code_not_kept" not in gateway.log()
        told = machine.call("systemd-analyze", "security", "--threshold=20", "--no-pager", UNIT)
        assert told.returncode == 0, told.stdout.splitlines()[-1]

        # Without the drop-in numpy goes on: nobody falls.
        (machine.root / DROP_IN).unlink()
        await gateway.systemctl("daemon-reload")
        await gateway.systemctl("restart", UNIT)
        await until_watched(gateway)
        assert not has_compiler(gateway)
        assert gateway.life()["ActiveState"] == "active"

        assert "0.1.0" in await gateway.installer(INSTALLED, "--rollback")
        assert machine.shown(UNIT, "MemoryDenyWriteExecute") == {"MemoryDenyWriteExecute": "yes"}
        await gateway.installer(INSTALLED, "--rollback")
        assert (machine.root / DROP_IN).exists()
