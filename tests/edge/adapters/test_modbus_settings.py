"""Modbus settings: what a configuration may say, and the sentence when it may not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from citytwin_edge.adapters.modbus_settings import ModbusDevice, ModbusPoint
from citytwin_edge.wire.blocks import Limits
from citytwin_edge.wire.fields import Field, Table


def a_device(**fields: Any) -> ModbusDevice:
    return msgspec.convert(fields, ModbusDevice)


def a_point(**fields: Any) -> ModbusPoint:
    return msgspec.convert({"table": "holding", "address": 7, **fields}, ModbusPoint)


def test_endpoints() -> None:
    tcp = a_device(host="10.0.0.7").endpoint()
    assert (str(tcp), tcp.settings(), tcp.byte_s) == ("10.0.0.7:502", "tcp", 0)
    over = a_device(host="10.0.0.7", transport="rtu-over-tcp").endpoint()
    assert over.key == tcp.key
    assert over != tcp
    rtu = a_device(transport="rtu", serial="/dev/ttyS1", parity="even", baud=19200).endpoint()
    assert str(rtu) == "/dev/ttyS1"
    assert rtu.settings() == "rtu, 19200 Bd, parity even, stop bits 1"
    assert rtu.byte_s == pytest.approx(11 / 19200)
    patient = a_device(host="10.0.0.7", connect_timeout_s=9).endpoint()
    assert patient == tcp, "how long to wait is no property of the line"


def test_limits() -> None:
    assert a_device(host="a").limits() == Limits(16, 125, 256, 2000)
    own = a_device(host="a", gap_registers=0, block_registers=20, gap_bits=1, block_bits=64)
    assert own.limits() == Limits(0, 20, 1, 64)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "needs host, a name or address, or serial, a port"),
        ({"transport": "rtu", "host": "a"}, 'transport "rtu" needs serial'),
        ({"transport": "tcp", "serial": "/dev/ttyS1"}, 'serial belongs to transport "rtu" only'),
        ({"transport": "rtu", "serial": "/dev/ttyS1", "host": "a"}, "has no host"),
        ({"host": "a", "serial": "/dev/ttyS1"}, "leave one of them out"),
        ({"host": "a", "scan_units": [5, 3]}, r"scan_units is a list \[first, last\]"),
        ({"transport": "rtu", "serial": "/dev/ttyS1", "unit": 0}, "unit 0 is outside 1 to 247"),
        ({"transport": "rtu-over-tcp", "host": "a", "unit": 248}, "unit 248 is outside 1 to 247"),
        ({"transport": "udp", "host": "a"}, r"Invalid enum value 'udp' - at `\$.transport`"),
        ({"host": "a", "unit": 256}, r"<= 255 - at `\$.unit`"),
        ({"host": "a", "port": 0}, r">= 1 - at `\$.port`"),
        ({"host": "a", "block_registers": 126}, r"<= 125 - at `\$.block_registers`"),
        ({"host": "a", "reply_timeout_s": 0}, r"> 0.0 - at `\$.reply_timeout_s`"),
        ({"host": "a", "hots": "b"}, "unknown field `hots`"),
    ],
)
def test_a_device_that_does_not_fit(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        a_device(**fields)


def test_fields_of_points() -> None:
    assert a_point().field(order="CDAB", one_based=False) == Field(
        Table.HOLDING, 7, "uint16", order="CDAB"
    )
    assert a_point(table="coil").field(order="ABCD", one_based=True) == Field(Table.COIL, 6, "bool")
    whole = a_point(type="uint32", order="DCBA", bits=[3, 7], sentinel=[0xFFFFFFFF])
    assert whole.field(order="ABCD", one_based=False) == Field(
        Table.HOLDING, 7, "uint32", order="DCBA", bits=(3, 7), sentinel=(0xFFFFFFFF,)
    )
    assert a_point(type="bool", bits=[4]).field(order="ABCD", one_based=False).bits == (4, 4)
    last = a_point(address=65536)
    assert last.field(order="ABCD", one_based=True).address == 65535
    with pytest.raises(ValueError, match="address 65536 is outside 0 to 65535"):
        last.field(order="ABCD", one_based=False)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"table": "register"}, r"Invalid enum value 'register' - at `\$.table`"),
        ({"type": "float16"}, "Invalid enum value 'float16'"),
        ({"address": -1}, r">= 0 - at `\$.address`"),
        ({"bits": [1, 2, 3]}, r"length <= 2 - at `\$.bits`"),
        ({"type": "string"}, "a string needs length"),
        ({"table": "coil", "type": "uint16"}, "a coil holds one bit"),
        ({"adress": 5}, "unknown field `adress`"),
    ],
)
def test_a_point_that_does_not_fit(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        a_point(**fields)
