"""The field: every device answers the gateway's own configuration with the truth's values."""

import asyncio
import contextlib
import json
import math
import os
import socket
import sys
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient as ModbusTcpClient

from citytwin.adapter import Site
from citytwin.clock import SystemClock
from citytwin_edge import config
from citytwin_edge.probing import probe_all
from democity.field import Field
from democity.gateways import write_configs
from democity.truth import SECOND_NS, WaterTruth
from tests.servers import free_port
from tests.waiting import until

NOON_NS = 1_790_000_000 * SECOND_NS
NOISE = 6
"""How many standard deviations a reading may be off; rounding to the register comes on top."""


@contextlib.asynccontextmanager
async def field(tmp_path):
    truth = WaterTruth(NOON_NS)
    with_ports = Field(truth, tmp_path, free_block(60))
    try:
        await with_ports.start()
        yield with_ports
    finally:
        await with_ports.stop()


def free_block(count):
    """Return the first of so many ports that are free now, below those that systems hand out."""
    for first in range(20_000 + os.getpid() % 100 * 100, 32_000, 100):
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for port in range(first, first + count):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise RuntimeError("no free block of ports")


async def read_all(city, tmp_path, *, only=None):
    """Read the field as its gateways would: production configuration, production adapters."""
    devices = list(city.devices.values())
    files = write_configs(tmp_path / "gateways", devices, city.endpoints, "127.0.0.1:1", 1)
    rows = []
    for path in files.values():
        chosen = [
            one
            for one in config.load(path).devices
            if one.name in city.devices and only in (None, one.name)
        ]
        rows += await probe_all(chosen, Site(SystemClock(), lambda _text: 0))
    return {(row["device"], row["point"]): row for row in rows}


async def test_what_a_gateway_reads_is_what_is_true(tmp_path):
    async with field(tmp_path) as city:
        rows = await read_all(city, tmp_path)
        wanted = {
            (device.name, register.name): register
            for device in city.devices.values()
            for register in device.registers
        }
        # Besides what was read, a gateway makes points of its own: a counter's flow.
        assert set(wanted) <= set(rows)
        assert len(wanted) > 100
        for key, register in wanted.items():
            row = rows[key]
            assert row["quality"] == "good", (key, row)
            near = NOISE * register.noise + register.scale
            assert row["value"] == pytest.approx(register.read(), abs=near), key
        assert any(row["value"] < -100 for row in rows.values()), "signs come through"


async def test_both_units_of_a_serial_line_answer(tmp_path):
    async with field(tmp_path) as city:
        lines = {}
        for device in city.devices.values():
            if device.line != "tcp":
                lines.setdefault(city.endpoints[device.name]["serial"], []).append(device.unit)
        assert len(lines) >= 2
        assert all(sorted(units) == [1, 2] for units in lines.values())
        name = next(one.name for one in city.devices.values() if one.line != "tcp")
        for _ in range(2):
            rows = await read_all(city, tmp_path, only=name)
            assert rows[name, "pressure"]["quality"] == "good"


@pytest.mark.parametrize("line", ["tcp", "rtu-1"])
async def test_a_silenced_device_answers_nothing_and_the_others_go_on(tmp_path, line):
    async with field(tmp_path) as city:
        names = [one.name for one in city.devices.values() if one.line == line][:2]
        city.order(["silence", names[0]])
        silent = await read_all(city, tmp_path, only=names[0])
        other = await read_all(city, tmp_path, only=names[1])
        assert {row["quality"] for row in silent.values()} == {"bad: silent"}
        assert {row["quality"] for row in other.values()} == {"good"}
        city.order(["answer", names[0]])
        again = await read_all(city, tmp_path, only=names[0])
        assert {row["quality"] for row in again.values()} == {"good"}


async def test_a_write_is_echoed_even_if_the_station_does_otherwise(tmp_path):
    async with field(tmp_path) as city:
        endpoint = city.endpoints["ps-335"]
        tank_low = city.truth.level_m("1") < 5.2
        assert tank_low, "so the station's own logic keeps this pump running"
        async with ModbusTcpClient(endpoint["host"], port=endpoint["port"]) as client:
            reply = await client.write_register(0, 0)
            assert reply.registers == [0], "a reply to a write repeats the write"
            reading = await client.read_holding_registers(0, count=1)
        assert reading.registers == [1], "and a reading says how it is"


async def test_orders_reach_the_truth_and_nonsense_is_named(tmp_path, capsys):
    async with field(tmp_path) as city:
        before = city.truth.pressure_m("111")
        orders = asyncio.StreamReader()
        orders.feed_data(b"burst 111 200\nfly away\nsilence nobody\n")
        orders.feed_eof()
        await city.run(orders)
        assert city.truth.pressure_m("111") < before - 5
        said = capsys.readouterr().err
        assert "not an order: fly away" in said
        assert "not an order: silence nobody" in said


async def test_time_passes_while_it_runs(tmp_path):
    async with field(tmp_path) as city:
        orders = asyncio.StreamReader()
        running = asyncio.ensure_future(city.run(orders))
        begun = city.truth.time_ns
        await until(lambda: city.truth.time_ns >= begun + SECOND_NS, "a second to pass")
        orders.feed_eof()
        await asyncio.wait_for(running, 20)


async def test_the_process_prints_its_endpoints_and_ends_with_its_input(tmp_path):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "democity.field", str(tmp_path), str(free_block(60)),
        str(free_port()), env={**os.environ, "PYTHONPATH": "deploy"},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        links = (tmp_path / "tty").iterdir
        endpoints = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        assert len(endpoints) >= 44
        for one in endpoints.values():
            if "port" in one:
                _, writer = await asyncio.open_connection(one["host"], one["port"])
                writer.close()
        serial = {one["serial"] for one in endpoints.values() if "serial" in one}
        assert serial == {str(end) for end in links() if end.name.endswith("-gateway")}
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert list(links()) == []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_noise_is_small_beside_what_is_measured():
    with contextlib.closing(WaterTruth(NOON_NS)) as truth:
        city = Field(truth, Path("unused"))
        for device in city.devices.values():
            for register in device.registers:
                if register.normal:
                    low, high = register.normal
                    assert NOISE * register.noise < high - low, (device.name, register.name)
                    assert math.isfinite(register.read())
