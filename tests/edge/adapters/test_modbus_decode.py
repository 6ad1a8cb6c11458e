"""Frames of RTU and TCP decoded without a line, against frames that pymodbus makes."""

import pytest
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from citytwin.adapter import Decodes, Exchange
from citytwin.errors import DeviceMalformed, DeviceRefused
from citytwin_edge.adapters.modbus import MODBUS
from citytwin_edge.adapters.modbus_decode import decode_exchanges, unwrapped
from citytwin_edge.wire.fields import Field, Table

RTU = FramerRTU(DecodePDU(is_server=False))
TCP = FramerSocket(DecodePDU(is_server=False))


def exchange(request, response, *, unit=3, tcp=False):
    if tcp:
        return Exchange(TCP.encode(request, unit, 9), TCP.encode(response, unit, 9))
    return Exchange(RTU.encode(request, unit, 0), RTU.encode(response, unit, 0))


def values(fields, *exchanges):
    found = decode_exchanges(fields, exchanges, lambda _text: 0)
    return {one.point: one.value for one in found}


@pytest.mark.parametrize("tcp", [False, True])
def test_registers_and_bits_of_several_exchanges_are_put_together(tcp):
    fields = [
        Field(Table.HOLDING, 10, "float32"),
        Field(Table.INPUT, 4, "uint16"),
        Field(Table.COIL, 19, "bool"),
        Field(Table.HOLDING, 99, "uint16"),
    ]
    seen = values(
        fields,
        exchange(b"\3\0\x0a\0\1", b"\3\2\x42\x28", tcp=tcp),
        exchange(b"\3\0\x0b\0\1", b"\3\2\0\0", tcp=tcp),
        exchange(b"\4\0\4\0\1", b"\4\2\1\2", tcp=tcp),
        exchange(b"\1\0\x10\0\x0a", b"\1\2\x08\0", tcp=tcp),
        exchange(b"\6\0\1\0\5", b"\6\0\1\0\5", tcp=tcp),
    )
    assert seen == {0: 42.0, 1: 258.0, 2: 1.0}, "of register 99 nothing was said"


@pytest.mark.parametrize(
    ("request_pdu", "response_pdu", "error"),
    [
        (b"\3\0\0\0\1", b"\x83\2", DeviceRefused),
        (b"\3\0\0\0\1", b"\3\4\0\0\0\0", DeviceMalformed),
        (b"\3\0\0\0\1", b"\4\2\0\0", DeviceMalformed),
        (b"\x2b\x0e\1\0", b"\x2b\x0e\1\0", DeviceMalformed),
        (b"\6\0\1\0\5", b"\6\0\1\0\6", DeviceMalformed),
    ],
)
def test_an_answer_that_is_none_is_refused(request_pdu, response_pdu, error):
    with pytest.raises(error):
        values([], exchange(request_pdu, response_pdu))


def test_another_unit_does_not_answer():
    one, other = exchange(b"\3\0\0\0\1", b"\3\2\0\0"), exchange(b"\3\0\0\0\1", b"\3\2\0\0", unit=4)
    with pytest.raises(DeviceMalformed, match="unit 4 answers what unit 3 was asked"):
        values([], Exchange(one.request, other.response))


@pytest.mark.parametrize("frame", [b"", b"\1\3\2", bytes.fromhex("010400000002 71cc")])
def test_broken_frames_are_none(frame):
    with pytest.raises(DeviceMalformed):
        unwrapped(frame)


def test_the_adapter_offers_it():
    assert isinstance(MODBUS, Decodes)
