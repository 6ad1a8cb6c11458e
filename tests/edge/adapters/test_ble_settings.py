"""What a technician writes about Bluetooth devices: what is refused, and why."""

from pathlib import Path

import msgspec
import pytest

from citytwin import Point
from citytwin.conversion import Scale
from citytwin_edge.adapters.ble_settings import (
    BleDevice,
    BlePoint,
    FormatName,
    short_number,
    uuid_of,
)
from citytwin_edge.wire.formats import FORMATS
from tests.edge.ble_devices import bound

TAG = "cb:b8:33:4c:88:4f"


def device(**settings):
    return msgspec.convert({"address": TAG, **settings}, BleDevice)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"address": "cb:b8"}, "is not one such as A4:C1:38:5A:20:7F"),
        ({"hci": "usb0"}, "matching regex"),
        ({"key": "xyz"}, "key is not hexadecimal digits"),
        ({"key": "00" * 40}, "length <= 64"),
        ({"key": "00" * 16, "key_file": "/key"}, "exclude each other"),
        ({"mode": "polled", "format": "ruuvi"}, "belong to advertisements"),
        ({"mode": "notified", "key": "00"}, "belong to advertisements"),
        ({"format": "bytes"}, "go together"),
        ({"section": "company:0499"}, "go together"),
        ({"format": "bytes", "section": "company:499"}, 'such as "company:0499"'),
        ({"format": "bytes", "section": "person:0499"}, 'such as "company:0499"'),
        ({"format": "bytes", "section": "company:0499", "match": "5"}, "match is not hexadecimal"),
        ({"match": "05"}, "match goes with section"),
        ({"keep_connected": True}, 'goes with mode = "polled"'),
        ({"format": "ibeacon"}, "Invalid enum value"),
        ({"warmth": 1}, "unknown field"),
    ],
)
def test_devices_that_do_not_fit_together(settings, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        device(**settings)


@pytest.mark.parametrize(
    ("point", "why"),
    [
        ({"field": "temperature", "at": 0}, "excludes characteristic and at"),
        ({"field": "temperature", "characteristic": "2a6e"}, "excludes characteristic"),
        ({"characteristic": "2a6"}, "is not a UUID"),
        ({"characteristic": "2a6e", "type": "int16"}, "go with at"),
    ],
)
def test_points_that_do_not_fit_together(point, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(point, BlePoint)


def test_the_formats_are_those_that_are_known():
    assert set(FormatName.__args__) == {"auto", "bytes", *FORMATS}


def test_addresses_and_keys(tmp_path):
    assert device().place == TAG.upper()
    assert device(key="00ff").secret() == b"\x00\xff"
    assert device().secret() == b""
    path = tmp_path / "key"
    path.write_text("00FF\n")
    assert device(key_file=str(path)).secret() == b"\x00\xff"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="it is not ASCII"):
        device(key_file=str(path)).secret()
    path.write_text("secret")
    with pytest.raises(ValueError, match="key_file is not hexadecimal digits") as error:
        device(key_file=str(path)).secret()
    assert "secret" not in str(error.value)


def test_uuids():
    whole = "00002a6e-0000-1000-8000-00805f9b34fb"
    assert uuid_of("2A6E") == uuid_of(whole.upper()) == whole
    assert short_number(whole) == 0x2A6E
    assert short_number("a7ea14cf-1000-43ba-ab86-1d6e136a2e9e") is None
    with pytest.raises(ValueError, match="is not a UUID"):
        uuid_of("00002a6e-0000-1000-8000-00805f9b34fz")


def test_a_field_becomes_the_point_s_unit():
    def scale(field, unit, name="auto"):
        point = Point(id="g/d/p", unit=unit)
        return BlePoint(field=field).scale(point, device(format=name).formats([]))

    assert scale("pressure", "hPa", "ruuvi") == Scale(0.01, 0.0)
    assert scale("temperature", "K", "bthome").offset == 273.15
    assert scale("rssi", "dB[mW]", "govee") == Scale(1.0, 0.0)
    with pytest.raises(
        ValueError, match=r"'co2' is none of govee; there are battery, .*, rssi, temp"
    ):
        scale("co2", "[ppm]", "govee")
    with pytest.raises(ValueError, match="is none of any format"):
        scale("warmth", "Cel")


def test_formats_that_come_into_question():
    assert {one.name for one in device().formats([])} == set(FORMATS)
    assert [one.name for one in device(format="atc").formats([])] == ["atc"]
    described = device(format="bytes", section="service:181a", match="0102")
    (own,) = described.formats(bound("d", {"t": {"at": 2}}))
    assert own.sections == {("service", 0x181A)}
    assert described.own_section() == ("service", 0x181A, b"\x01\x02")


def test_the_guide_has_every_field_with_its_unit():
    guide = (Path(__file__).parents[3] / "docs/guides/ble.md").read_text(encoding="utf-8")
    for name, form in FORMATS.items():
        rows = [line for line in guide.splitlines() if line.startswith(f"| `{name}`")]
        for field, quantity in form.quantities.items():
            (row,) = [line for line in rows if f"`{field}`" in line]
            if quantity.unit != "1":
                assert f"({quantity.unit}" in row, (name, field)
