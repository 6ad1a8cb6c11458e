"""The Modbus adapter against real servers: TCP, RTU on a serial line, RTU over TCP."""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import AsyncIterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pymodbus.framer import FramerType

from citytwin.adapter import Binding, Probes, Reads, Writes
from citytwin.errors import ConfigError, DeviceRefused
from citytwin.point import Kind, Point
from citytwin.quality import Quality
from citytwin.testing import check_adapter
from citytwin_edge.adapters.modbus import MODBUS
from citytwin_edge.adapters.modbus_settings import ModbusDevice, ModbusPoint
from tests.edge.modbus_devices import (
    Peer,
    build,
    device,
    holding,
    mbap,
    new_site,
    opened,
    plug,
    pty_line,
    registers,
    serial_server,
    tcp_server,
)

TRANSPORTS = ("tcp", "rtu-over-tcp", "rtu")


@contextlib.asynccontextmanager
async def served(transport: str, folder: Path, *devices: Any) -> AsyncIterator[dict[str, Any]]:
    """Serve devices; yields the settings that lead to them."""
    if transport == "rtu":
        with pty_line() as line:
            port = plug(line, folder / "port")
            async with serial_server(line.ends[1], *devices):
                yield {"transport": transport, "serial": port}
        return
    framer = FramerType.SOCKET if transport == "tcp" else FramerType.RTU
    async with tcp_server(*devices, framer=framer) as number:
        yield {"transport": transport, "host": "127.0.0.1", "port": number}


def words(layout: str, *values: float) -> tuple[int, ...]:
    data = struct.pack(layout, *values)
    return struct.unpack(f">{len(data) // 2}H", data)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_every_table_is_read_and_the_contract_is_kept(transport: str, tmp_path: Path) -> None:
    unit = device(
        3,
        [(0, (7, 0xFFFE, *words(">f", 2.5)))],
        inputs=[(10, words(">d", -1e10))],
        coils=(0, [True, False, True] + [False] * 13),
    )
    points = [
        {"table": "holding", "address": 0},
        {"table": "holding", "address": 1, "type": "int16"},
        {"table": "holding", "address": 2, "type": "float32"},
        {"table": "input", "address": 10, "type": "float64"},
        {"table": "coil", "address": 0},
        {"table": "coil", "address": 1},
        {"table": "discrete", "address": 2, "type": "bit"},
    ]
    async with served(transport, tmp_path, unit) as there:
        bindings = [
            Binding(Point(id=f"gw/dev/p{i}"), msgspec.convert(point, ModbusPoint))
            for i, point in enumerate(points)
        ]
        report = await check_adapter(
            lambda: MODBUS.build(ModbusDevice(**there, unit=3), bindings, new_site()), bindings
        )
        batch = report.batch
    assert batch.value.tolist() == [7, -2, 2.5, -1e10, 1, 0, 1]
    assert not batch.quality.any()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_write_and_read_back(transport: str, tmp_path: Path) -> None:
    unit = device(1, [(0, (0, 0, 0, 0xAB00))])
    points = [
        *holding(0),
        *holding(1, type="float32", order="CDAB"),
        *holding(3, bits=[0, 3]),
        {"table": "coil", "address": 5},
        {"table": "discrete", "address": 5},
    ]
    async with served(transport, tmp_path, unit) as there:
        async with opened(build(new_site(), points, **there)) as adapter:
            for point, value in enumerate((123, -0.5, 9, 1)):
                await adapter.write(point, value)
            batch = await adapter.read()
            assert batch.value.tolist()[:4] == [123, -0.5, 9, 1]
            (raw,) = struct.unpack(">H", (await adapter.probe())[2].raw)
            assert raw == 0xAB09, "the bits beside the field are kept"
            with pytest.raises(DeviceRefused, match="table discrete cannot be written"):
                await adapter.write(4, 1)
            with pytest.raises(DeviceRefused, match="70000 is outside 0 to 65535"):
                await adapter.write(0, 70000)


@pytest.mark.parametrize("multiple", [False, True])
async def test_functions_used_for_writing(multiple: bool) -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        return [mbap(transaction, unit, pdu[:5])]

    peer = Peer(respond)
    points = [*holding(0), *holding(1, type="uint32"), {"table": "coil", "address": 9}]
    async with peer.on_tcp() as port:
        there = {"host": "127.0.0.1", "port": port, "write_multiple": multiple}
        async with opened(build(new_site(), points, **there)) as adapter:
            await adapter.write(0, 258)
            await adapter.write(1, 1)
            await adapter.write(2, 1)
    assert [pdu.hex() for _, pdu in peer.asked] == [
        "10000000010201" + "02" if multiple else "0600000102",
        "100001000204" + "00000001",
        "0f0009000101" + "01" if multiple else "050009ff00",
    ]


async def test_adjacent_registers_are_one_request() -> None:
    asked: list[tuple[int, int, int]] = []

    async def count(function: int, start: int, address: int, amount: int, *_: Any) -> None:
        asked.append((function, address, amount))

    unit = device(1, [(100, range(300))], action=count)
    points = [
        *holding(*range(100, 200)),
        *holding(210, 300, type="float32"),
        {"table": "coil", "address": 1},
        {"table": "coil", "address": 9},
    ]
    async with tcp_server(unit) as port:
        async with opened(build(new_site(), points, host="127.0.0.1", port=port)) as adapter:
            batch = await adapter.read()
            assert adapter.requests == 3
    assert [function for function, _, _ in asked] == [1, 3, 3]
    assert asked[1:] == [(3, 100, 112), (3, 300, 2)]
    assert batch.value.tolist()[:100] == list(range(100))


async def test_one_based_addresses() -> None:
    async with tcp_server(device(1, [(107, (42,))])) as port:
        there = {"host": "127.0.0.1", "port": port}
        site = new_site()
        async with opened(build(site, holding(108), one_based=True, **there)) as adapter:
            assert (await adapter.read()).value.tolist() == [42]


async def test_other_refusals_are_of_their_block_only() -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        answer = registers(pdu) if pdu[0] == 3 else bytes([0x84, 4])
        return [mbap(transaction, unit, answer)]

    async with Peer(respond).on_tcp() as port:
        points = [{"table": "input", "address": 0}, *holding(0)]
        async with opened(build(new_site(), points, host="127.0.0.1", port=port)) as adapter:
            batch = await adapter.read()
    assert batch.quality.tolist() == [Quality.BAD_REFUSED, Quality.GOOD]
    assert math.isnan(batch.value[0])


async def test_each_answer_has_its_own_stamp() -> None:
    async with tcp_server(device(1, [(0, range(500))])) as port:
        points = holding(0, 200, 400, 1)
        async with opened(build(new_site(), points, host="127.0.0.1", port=port)) as adapter:
            stamps = (await adapter.read()).time_ns
    assert stamps[0] == stamps[3]
    assert stamps[0] < stamps[1] < stamps[2]


async def test_probe_shows_raw_bytes_and_reasons() -> None:
    unit = device(1, [(0, (*words(">f", 1.5), 0x416C, 0x6D61, 0x7479, *words(">f", math.nan)))])
    points = [
        *holding(0, type="float32"),
        *holding(2, type="string", length=3),
        *holding(5, type="float32"),
        *holding(900),
    ]
    async with tcp_server(unit) as port:
        adapter = build(new_site(), points, host="127.0.0.1", port=port)
        assert isinstance(adapter, Reads)
        assert isinstance(adapter, Writes)
        assert isinstance(adapter, Probes)
        async with opened(adapter):
            number, text, nan, missing = await adapter.probe()
            batch = await adapter.read()
    assert (number.raw.hex(), number.value, number.quality) == ("3fc00000", 1.5, 0)
    assert (text.raw, text.note, text.value) == (b"Almaty", "Almaty", batch.value[1])
    assert nan.quality == Quality.BAD_NOT_A_NUMBER
    assert (missing.quality, missing.raw) == (Quality.BAD_REFUSED, b"")
    assert "exception 2: illegal data address" in missing.note
    assert all(one.elapsed_ns > 0 for one in (number, text, nan, missing))


async def test_probe_does_not_wait_for_a_silent_unit_again_and_again() -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        return []

    peer = Peer(respond)
    async with peer.on_tcp() as port:
        there = {"host": "127.0.0.1", "port": port, "reply_timeout_s": 0.05}
        async with opened(build(new_site(), holding(*range(50)), **there)) as adapter:
            probed = await adapter.probe()
    assert [one.quality for one in probed] == [Quality.BAD_SILENT] * 50
    assert probed[-1].note.startswith("not asked: unit 1 gave no answer")
    assert len(peer.asked) == 1


def test_two_settings_for_one_line_are_refused(tmp_path: Path) -> None:
    site = new_site()
    serial = {"transport": "rtu", "serial": "/dev/ttyUSB7"}
    first = build(site, holding(0), unit=1, **serial)
    second = build(site, holding(0), unit=2, **serial)
    assert first._line is second._line
    with pytest.raises(ConfigError, match="device dev uses /dev/ttyUSB7 as rtu, 19200 Bd"):
        build(site, holding(0), unit=3, baud=19200, **serial)
    build(site, holding(0), host="a")
    with pytest.raises(ConfigError, match="a:502 as rtu-over-tcp, another device uses it as tcp"):
        build(site, holding(0), host="a", transport="rtu-over-tcp")


def test_a_point_that_does_not_fit_names_itself() -> None:
    with pytest.raises(ConfigError, match="point gw/dev/p1: address -1 is outside 0 to 65535"):
        build(new_site(), holding(1, 0), host="a", one_based=True)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.ANALOG, {"type": "string", "length": 2}),
        (Kind.TEXT, {"type": "uint16"}),
        (Kind.TEXT, {}),
    ],
)
def test_the_number_of_a_text_is_no_measurement(kind: Kind, fields: dict[str, Any]) -> None:
    settings = msgspec.convert({"host": "a"}, ModbusDevice)
    address = msgspec.convert({"table": "holding", "address": 1, **fields}, ModbusPoint)
    binding = Binding(Point(id="gw/dev/name", kind=kind), address)
    with pytest.raises(ConfigError, match='point gw/dev/name: type = "string" and kind = "text"'):
        MODBUS.build(settings, [binding], new_site())


NUMBERS = {
    "uint16": (">H", 0xABCD), "int16": (">h", -12_345), "uint32": (">I", 0xDEADBEEF),
    "int32": (">i", -123_456_789), "uint64": (">Q", 2**53 - 1), "int64": (">q", -(2**52) - 1),
    "float32": (">f", -1.5e-7), "float64": (">d", math.pi), "bcd16": (">H", 1234),
    "bcd32": (">I", 12345678), "bcd64": (">Q", 1234567890123456),
}  # fmt: skip


@pytest.mark.parametrize("order", ["ABCD", "CDAB", "BADC", "DCBA"])
async def test_every_type_in_every_order_comes_from_a_real_device(order: str) -> None:
    """The bytes are made here, by the order's definition, not by our own encoder."""
    held: list[int] = []
    points: list[dict[str, Any]] = []
    for name, (layout, number) in NUMBERS.items():
        written = int(str(number), 16) if name.startswith("bcd") else number
        data = struct.pack(layout, written)
        pairs = [data[place : place + 2] for place in range(0, len(data), 2)]
        if order in {"CDAB", "DCBA"}:
            pairs.reverse()
        if order in {"BADC", "DCBA"}:
            pairs = [pair[::-1] for pair in pairs]
        points += holding(len(held), type=name, order=order)
        held += [int.from_bytes(pair, "big") for pair in pairs]
    # Bits and bit fields of the first register, whichever way its bytes stand.
    first = 0xABCD
    points += holding(0, type="bool", bits=[2], order=order)
    points += holding(0, type="bit", bits=[1], order=order)
    points += holding(0, type="uint16", bits=[4, 11], order=order)
    points += holding(0, type="uint16", sentinel=[first], order=order)
    async with tcp_server(device(1, [(0, held)])) as port:
        async with opened(build(new_site(), points, host="127.0.0.1", port=port)) as adapter:
            assert adapter.requests == 1
            batch = await adapter.read()
    single = struct.unpack(">f", struct.pack(">f", -1.5e-7))[0]
    numbers = [single if name == "float32" else n for name, (_, n) in NUMBERS.items()]
    assert batch.value[:-1].tolist() == [*numbers, 1.0, 0.0, 0xBC]
    assert batch.quality[:-1].tolist() == [Quality.GOOD] * (len(numbers) + 3)
    assert (math.isnan(batch.value[-1]), batch.quality[-1]) == (True, Quality.BAD_NOT_A_NUMBER)


def test_the_entry_point_leads_here() -> None:
    (entry,) = entry_points(group="citytwin.adapters", name="modbus")
    assert entry.load() is MODBUS


async def test_a_device_without_points() -> None:
    async with opened(build(new_site(), [], host="127.0.0.1")) as adapter:
        assert len(await adapter.read()) == 0
        assert await adapter.probe() == []
