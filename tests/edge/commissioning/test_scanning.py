"""Scans: which devices answer on a real line, and which profile they are."""

import itertools
import json
import re
import struct

import aiomqtt
import pytest
from hypothesis import find
from hypothesis import strategies as st

from citytwin.errors import CityTwinError, ConfigError, DeviceSilent
from citytwin_edge.adapters import mqtt_scan
from citytwin_edge.catalogue.profile import Identify
from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.commissioning import scanning
from citytwin_edge.commissioning.scanning import (
    alternatives,
    fits,
    identify,
    scan,
)
from tests.edge.catalogue.profiles import METER, put
from tests.edge.mbus_meters import Meter, bus
from tests.edge.meters import iec_meter
from tests.edge.modbus_devices import (
    Peer,
    device,
    mbap,
    new_site,
    peer_of_one,
    pty_line,
    serial_server,
    tcp_server,
)
from tests.edge.wire.test_announcements import BRIDGE
from tests.servers import mosquitto

SHELF = Shelf([OURS])
MODBUS = [
    name for name in SHELF.names()
    if SHELF.profile(name).adapter == "modbus" and SHELF.profile(name).file.identify
]  # fmt: skip
TABLES = {3: "holding", 4: "input"}
REGISTERS = {"uint16": 1, "uint32": 2, "uint64": 4}


def acme(*codes):
    return device(2, [(0, [0] * 10), (100, list(codes))], inputs=[(0, [0] * 20)])


def where(port):
    return {"host": "127.0.0.1", "port": port, "scan_units": (1, 3), "reply_timeout_s": 0.2}


async def test_what_answers_is_found_and_recognised(tmp_path):
    put(tmp_path)
    shelf = Shelf([tmp_path / "profiles"])
    async with tcp_server(acme(7001)) as port:
        rows = [row async for row in scan("modbus", where(port), shelf, new_site())]
    (row,) = [row for row in rows if row["profile"]]
    assert (row["address"], row["profile"]) == ("unit = 2", "acme/m1")
    assert row["where"] == f"host = 127.0.0.1, port = {port}"


async def test_a_profile_of_another_parity_does_not_end_the_scan_of_a_line(tmp_path):
    put(tmp_path)
    path = tmp_path / "profiles" / "acme" / "m0.toml"
    path.write_text(METER.replace("[device]\n", '[device]\nparity = "even"\nbaud = 2400\n', 1))
    shelf, met = Shelf([tmp_path / "profiles"]), []
    with pty_line() as line:
        async with serial_server(line.ends[1], acme(7001)):
            fields = {"serial": line.ends[0], "scan_units": (2, 2), "reply_timeout_s": 0.2}
            rows = [row async for row in scan("modbus", fields, shelf, new_site(), met.append)]
    assert [row["profile"] for row in rows] == ["acme/m0, acme/m1"]
    assert [one.address for one in met] == ["unit = 2"]


async def test_another_device_of_the_same_maker_is_not_taken_for_it(tmp_path):
    put(tmp_path)
    shelf = Shelf([tmp_path / "profiles"])
    async with tcp_server(acme(7002)) as port:
        fields = {**where(port), "unit": 2}
        assert await identify("modbus", fields, shelf, new_site()) == []


async def test_the_profile_that_says_most_comes_first(tmp_path):
    put(tmp_path)
    more = '[[identify]]\ntable = "holding"\naddress = 101\nin = [5, 9]\n\n[[point]]'
    path = tmp_path / "profiles" / "acme" / "m1-plus.toml"
    path.write_text(METER.replace("[[point]]", more, 1))
    shelf = Shelf([tmp_path / "profiles"])
    async with tcp_server(acme(7001, 7)) as port:
        found = await identify("modbus", {**where(port), "unit": 2}, shelf, new_site())
    assert found == ["acme/m1-plus", "acme/m1"]


async def test_a_host_that_is_not_there_is_said(tmp_path):
    async with tcp_server(acme(1)) as port:
        pass
    with pytest.raises(DeviceSilent, match=r"127\.0\.0\.1"):
        [row async for row in scan("modbus", where(port), Shelf([]), new_site())]


async def test_a_scan_has_an_end_and_what_was_met_until_then_is_told(monkeypatch):
    monkeypatch.setattr(scanning, "SCAN_S_MAX", 2.0)
    rows = []
    async with peer_of_one().on_tcp() as port:
        fields = {**where(port), "reply_timeout_s": 60.0}
        with pytest.raises(CityTwinError, match="ended after 2 s; there may be more devices"):
            async for row in scan("modbus", fields, Shelf([]), new_site()):
                rows.append(row)
    assert [(row["address"], row["says"]) for row in rows] == [("unit = 1", "answers")]


async def test_an_adapter_that_cannot_scan_says_so():
    with pytest.raises(ConfigError, match='adapter "p1" cannot scan'):
        [row async for row in scan("p1", {"serial": "/dev/ttyUSB9"}, Shelf([]), new_site())]


async def test_fields_that_do_not_suit_are_told():
    with pytest.raises(ConfigError, match=r"adapter modbus: .*speed"):
        [row async for row in scan("modbus", {"speed": 5}, Shelf([]), new_site())]


def test_every_combination_is_tried():
    assert list(alternatives({"baud": [9600, 19200], "serial": ["a"]})) == [
        {"baud": 9600, "serial": "a"},
        {"baud": 19200, "serial": "a"},
    ]


@pytest.mark.parametrize(
    ("what", "value", "text", "fit"),
    [
        (Identify(equals=(7, 8)), 8.0, "", True),
        (Identify(equals=(7, 8)), 9.0, "", False),
        (Identify(equals=(24488606446714947,)), float(24488606446714947), "", True),
        (Identify(equals=(24488606446714947,)), float(24488606446714947 + 8), "", False),
        (Identify(equals=("SDM",)), 1.0, "SDM \0", True),
        (Identify(within=(3, 5)), 5.0, "", True),
        (Identify(within=(3, 5)), 6.0, "", False),
        (Identify(matches=r"SUN2000.*"), 1.0, "SUN2000-60KTL", True),
        (Identify(matches="SUN"), 1.0, "SUN2000", False),
    ],
)
def test_what_a_device_says_of_itself(what, value, text, fit):
    assert fits(what, value, text) is fit


# ---- those of ours: each is known by what its own profile says of it


def says(name):
    """Return what a device of a profile holds where it says what it is, by table and address."""
    profile, held = SHELF.profile(name), {}
    for fields in profile.file.identify:
        size = fields["length"] if "matches" in fields else REGISTERS[fields["type"]]
        if "matches" in fields:
            pattern = st.from_regex(re.compile(fields["matches"], re.ASCII), fullmatch=True)
            text = str(find(pattern, str.isprintable))
            data = text.encode("ascii").ljust(2 * size, b"\0")
        else:
            number = fields["equals"][0] if "equals" in fields else fields["in"][0]
            data = int(number).to_bytes(2 * size, "big")
        pairs = [data[at : at + 2] for at in range(0, len(data), 2)]
        order = fields.get("order", profile.file.device.get("order", "ABCD"))
        if order in {"CDAB", "DCBA"} and "matches" not in fields:
            pairs.reverse()
        assert order in {"ABCD", "CDAB"}, "teach this test the other ones"
        first = fields["address"] - bool(profile.file.device.get("one_based"))
        for address, pair in zip(itertools.count(first), pairs, strict=False):
            held[fields["table"], address] = pair
    return held


def one_that_says(held):
    """Return a peer that has these registers and refuses all others."""

    async def respond(transaction, unit, pdu):
        start, count = struct.unpack(">HH", pdu[1:5])
        places = [(TABLES.get(pdu[0]), start + number) for number in range(count)]
        if not held.keys() >= set(places):
            return [mbap(transaction, unit, bytes([pdu[0] | 0x80, 2]))]
        data = b"".join(held[place] for place in places)
        return [mbap(transaction, unit, bytes([pdu[0], len(data)]) + data)]

    return Peer(respond)


async def known_as(held):
    async with one_that_says(held).on_tcp() as port:
        where = {"transport": "tcp", "host": "127.0.0.1", "port": port, "unit": 1}
        return await identify("modbus", where, SHELF, new_site())


@pytest.mark.parametrize("name", MODBUS)
async def test_a_modbus_device_of_ours_is_recognised(name):
    assert name in await known_as(says(name))


async def test_one_that_says_nothing_is_not_taken_for_any():
    assert await known_as({}) == []


async def profiles_of(name, fields):
    rows = [row async for row in scan(name, fields, SHELF, new_site())]
    return {row["address"]: row["profile"] for row in rows}


@pytest.mark.parametrize(
    ("identification", "profile"),
    [
        (b"/ISk5MT174-0002", "iskraemeco/mt174"),
        (b"/EKT5CE303v11", "energomera/ce303"),
        (b"/EKT5CE301v12", "energomera/ce301"),
        (b"/EKT5CE102Mv01", "energomera/ce102m"),
        (b"/LGZ4ZMF100AC.M26", "landis-gyr/e350"),
        (rb"/LGZ5\2ZMD3104407.B24", "landis-gyr/e650"),
        (b"/XYZ5meter", ""),
    ],
)
async def test_a_meter_is_known_by_its_identification(tmp_path, identification, profile):
    port = tmp_path / "port"
    async with iec_meter(port, identification, b"1.8.0(1*kWh)\r\n!\r\n"):
        fields = {"serial": str(port), "reply_timeout_s": 0.3, "pause_s": 0.0}
        assert await profiles_of("iec62056", fields) == {"": profile}


async def test_devices_of_bridges_are_known_by_what_the_bridge_says(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt_scan, "SCAN_S", 0.5)
    told = {
        "zigbee2mqtt/bridge/devices": json.dumps(BRIDGE),
        "tasmota/discovery/AA/config": '{"t": "pump", "md": "Sonoff Pow R2"}',
        "tasmota/discovery/BB/config": '{"t": "lamp", "md": " NOUS A1T"}',
        "tasmota/discovery/CC/config": '{"t": "strange", "md": "Generic"}',
    }
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        for topic, payload in told.items():
            await client.publish(topic, payload, qos=1, retain=True)
        where = {"host": "127.0.0.1", "port": port}
        assert await profiles_of("mqtt", {**where, "dialect": "zigbee2mqtt"}) == {
            'topic_name = "hall/climate"': "aqara/wsdcgq11lm",
            'topic_name = "plug"': "tuya/ts011f-plug-1",
            'topic_name = "0x03"': "",
        }
        assert await profiles_of("mqtt", {**where, "dialect": "tasmota"}) == {
            'topic_name = "pump"': "sonoff/pow-r2",
            'topic_name = "lamp"': "nous/a1t",
            'topic_name = "strange"': "",
        }


async def test_an_m_bus_meter_of_ours_is_recognised(tmp_path):
    port = str(tmp_path / "port")
    fields = {
        "serial": port, "scan": "secondary", "baud": 19200, "parity": "none",
        "reply_timeout_s": 0.15,
    }  # fmt: skip
    meters = [Meter("06855817", version=52), Meter("16855818", manufacturer="EFE", version=0)]
    async with bus(port, *meters):
        rows = [row async for row in scan("mbus", fields, SHELF, new_site())]
    found = {row["address"].partition(",")[0]: row["profile"] for row in rows}
    assert found['id = "06855817"'].split(", ")[0] == "kamstrup/multical-403-mbus"
    assert "engelmann/waterstar-mbus" in found['id = "16855818"']
