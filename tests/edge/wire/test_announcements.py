"""What bridges and firmwares say of themselves: read, and never trusted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_edge.wire.announcements import tasmota_device, zigbee_devices

BRIDGE = [
    {"ieee_address": "0x00", "type": "Coordinator", "friendly_name": "Coordinator"},
    {
        "ieee_address": "0x01", "type": "EndDevice", "friendly_name": "hall/climate",
        "model_id": "lumi.weather", "definition": {
            "vendor": "Aqara", "model": "WSDCGQ11LM", "description": "Temperature sensor",
            "exposes": [
                {"type": "numeric", "property": "temperature", "unit": "°C", "access": 1},
                {"type": "numeric", "property": "battery", "unit": "%", "access": 1},
            ],
        },
    },
    {
        "ieee_address": "0x02", "type": "Router", "friendly_name": "plug",
        "definition": {
            "vendor": "Tuya", "model": "TS011F_plug_1", "description": "Smart plug",
            "exposes": [
                {"type": "switch", "features": [
                    {"type": "binary", "property": "state", "access": 7,
                     "value_on": "ON", "value_off": "OFF"}]},
                {"type": "composite", "property": "overload", "features": [
                    {"type": "numeric", "property": "max_watt", "unit": "W", "access": 2}]},
            ],
        },
    },
    {"ieee_address": "0x03", "type": "EndDevice", "friendly_name": "0x03", "definition": None},
]  # fmt: skip


def test_devices_of_zigbee2mqtt():
    climate, plug, strange = zigbee_devices(json.dumps(BRIDGE).encode())
    assert (climate.name, climate.model) == ("hall/climate", "Aqara WSDCGQ11LM Temperature sensor")
    assert [str(one) for one in climate.properties.values()] == [
        "$.temperature (°C, read)", "$.battery (%, read)",
    ]  # fmt: skip
    assert [str(one) for one in plug.properties.values()] == [
        "$.state (read+set)", "$.overload.max_watt (W, set)",
    ]  # fmt: skip
    assert (strange.name, strange.model) == ("0x03", "not supported by Zigbee2MQTT")
    assert climate.says == {"model": "WSDCGQ11LM", "model_id": "lumi.weather"}
    assert strange.says == {"model": "", "model_id": ""}


def test_a_device_of_tasmota():
    said = {"ip": "192.168.1.7", "dn": "Pump", "t": "pow-1", "md": "Sonoff POW",
            "ft": "%prefix%/%topic%/"}  # fmt: skip
    found = tasmota_device(json.dumps(said).encode())
    assert found is not None
    assert found.name == "pow-1"
    assert found.model == 'Sonoff POW, "Pump", 192.168.1.7'
    assert found.base == "{prefix}/{device}"
    assert found.says == {"module": "Sonoff POW"}


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff", b"[" * 9999, b"{}", b"[1, null, {}]", b'[{"friendly_name": 5}]',
     b'[{"friendly_name": "a", "definition": {"exposes": {"a": 1}}}]', b'{"t": 7}'],
)  # fmt: skip
def test_what_is_none_of_it(payload):
    assert [one for one in zigbee_devices(payload) if one.properties] == []
    assert tasmota_device(payload) is None


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["friendly_name", "definition", "exposes", "features", "property", "type",
                         "unit", "access", "t", "dn"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(NESTED)
def test_whatever_comes_is_read_or_left(said):
    payload = json.dumps(said).encode()
    for one in zigbee_devices(payload):
        assert one.name
    tasmota_device(payload)
