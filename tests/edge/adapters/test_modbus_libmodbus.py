"""The Modbus adapter against a unit of libmodbus, whose frames are not ours."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from citytwin.adapter import Binding
from citytwin.errors import DeviceRefused, DeviceSilent
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin.testing import check_adapter
from citytwin_edge.adapters.modbus import MODBUS
from citytwin_edge.adapters.modbus_settings import ModbusDevice, ModbusPoint
from citytwin_edge.wire.fields import ORDERS
from tests.edge import libmodbus_unit
from tests.edge.modbus_devices import build, holding, new_site, opened, plug, pty_line
from tests.servers import free_port
from tests.waiting import WAIT_S_MAX

UNIT = 7
TRANSPORTS = ("tcp", "rtu")


@contextlib.asynccontextmanager
async def running(*words: str) -> AsyncIterator[None]:
    """Run the unit until it answers; end it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, libmodbus_unit.__file__, *words, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), WAIT_S_MAX) == b"ready\n"
        yield
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def served(transport: str, folder: Path) -> AsyncIterator[dict[str, Any]]:
    """Serve the unit; yields the settings that lead to it."""
    if transport == "tcp":
        port = free_port()
        async with running("tcp", str(port), str(UNIT)):
            yield {"transport": "tcp", "host": "127.0.0.1", "port": port, "unit": UNIT}
        return
    with pty_line() as line:
        async with running("rtu", line.ends[1], str(UNIT)):
            yield {"transport": "rtu", "serial": plug(line, folder / "port"), "unit": UNIT}


POINTS = [
    *holding(0, 99),
    {"table": "input", "address": 5},
    {"table": "coil", "address": 3},
    {"table": "coil", "address": 4},
    {"table": "discrete", "address": 10, "type": "bit"},
    *(
        {"table": "holding", "address": 100 + 2 * number, "type": "float32", "order": order}
        for number, order in enumerate(libmodbus_unit.ORDERS)
    ),
]
VALUES = [1000, 1099, 60_005, 1, 0, 1, *[libmodbus_unit.FLOAT] * 4]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_its_tables_and_word_orders_are_read_and_the_contract_is_kept(
    transport: str, tmp_path: Path
) -> None:
    assert sorted(libmodbus_unit.ORDERS) == sorted(ORDERS)
    bindings = [
        Binding(Point(id=f"gw/dev/p{i}"), msgspec.convert(point, ModbusPoint))
        for i, point in enumerate(POINTS)
    ]
    async with served(transport, tmp_path) as there:
        report = await check_adapter(
            lambda: MODBUS.build(ModbusDevice(**there), bindings, new_site()), bindings
        )
    assert report.batch.value.tolist() == VALUES
    assert not report.batch.quality.any()


@pytest.mark.parametrize("multiple", [False, True])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_it_takes_what_is_written(transport: str, multiple: bool, tmp_path: Path) -> None:
    points = [
        *holding(0),
        {"table": "coil", "address": 4},
        *holding(100, type="float32", order="CDAB"),
    ]
    async with served(transport, tmp_path) as there:
        there["write_multiple"] = multiple
        async with opened(build(new_site(), points, **there)) as adapter:
            for number, value in enumerate((321.0, 1.0, 0.5)):
                await adapter.write(number, value)
            assert (await adapter.read()).value.tolist() == [321, 1, 0.5]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_it_does_not_have_is_refused_and_the_rest_is_read(
    transport: str, tmp_path: Path
) -> None:
    points = holding(libmodbus_unit.COUNT - 1, libmodbus_unit.COUNT)
    async with served(transport, tmp_path) as there:
        async with opened(build(new_site(), points, **there)) as adapter:
            batch = await adapter.read()
            assert batch.value[0] == 1000 + libmodbus_unit.COUNT - 1
            assert batch.quality.tolist() == [Quality.GOOD, Quality.BAD_REFUSED]
            with pytest.raises(DeviceRefused):
                await adapter.write(1, 1)


async def test_another_unit_on_its_line_is_silent(tmp_path: Path) -> None:
    async with served("rtu", tmp_path) as there:
        async with opened(build(new_site(), holding(0), **there | {"unit": UNIT + 1})) as adapter:
            with pytest.raises(DeviceSilent):
                await adapter.read()
