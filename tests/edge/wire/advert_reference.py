"""Other people's decoders of Bluetooth advertisements, to be run beside ours.

bthome-ble, xiaomi-ble and govee-ble are those of Home Assistant, ruuvitag-sensor the usual library.
"""

from typing import Any

from bthome_ble import BTHomeBluetoothDeviceData
from govee_ble import GoveeBluetoothDeviceData
from home_assistant_bluetooth import BluetoothServiceInfo
from ruuvitag_sensor.decoder import get_decoder
from xiaomi_ble import XiaomiBluetoothDeviceData


class Heard(BluetoothServiceInfo):
    """With the time that BTHome's decoder asks for."""

    time = 0.0


def heard(section, address, name=""):
    """Return a section as Home Assistant hears it."""
    uuid = f"0000{section.number:04x}-0000-1000-8000-00805f9b34fb"
    service = {uuid: section.data} if section.of == "service" else {}
    company = {section.number: section.data} if section.of == "company" else {}
    return Heard(
        name=name or address,
        address=address,
        rssi=-60,
        manufacturer_data=company,
        service_data=service,
        service_uuids=list(service),
        source="",
    )


def _values(decoder, advertisement) -> Any:
    update = decoder.update(advertisement)
    found = {key.key: value.native_value for key, value in update.entity_values.items()}
    found |= {key.key: value.native_value for key, value in update.binary_entity_values.items()}
    del found["signal_strength"]
    return found


def bthome(section, address, key=b"") -> Any:
    return _values(BTHomeBluetoothDeviceData(bindkey=key or None), heard(section, address))


def xiaomi(section, address, key=b"") -> Any:
    return _values(XiaomiBluetoothDeviceData(bindkey=key or None), heard(section, address))


def govee(section, name) -> Any:
    return _values(GoveeBluetoothDeviceData(), heard(section, "A4:C1:38:00:00:01", name))


def ruuvi(data) -> Any:
    number = {3: 3, 5: 5, 6: 6, 0xE1: "E1"}[data[0]]
    return get_decoder(number).decode_data(data.hex())
