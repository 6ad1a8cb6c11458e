"""ATC: what Xiaomi's and Tuya's thermometers send with the free firmware of atc1441 and pvvx.

Source: descriptions of the firmwares ATC_MiThermometer (atc1441) and ATC_MiThermometer (pvvx):
"atc1441 format", "Custom format", and the two "energy efficient" encrypted ones.
"""

from __future__ import annotations

import struct
from typing import Final

from citytwin.errors import DeviceMalformed
from citytwin.point import Kind
from citytwin_edge.wire.adverts import (
    ADDRESS_BYTES,
    Format,
    Quantity,
    Section,
    Telegram,
    check_address,
)
from citytwin_edge.wire.ccm import NOT_ENCRYPTED, checked_key, opened

SERVICE: Final = 0x181A  # Environmental Sensing
_SERVICE_DATA: Final = 0x16
_COVERED: Final = b"\x11"
_STATE: Final = Quantity(low=0, high=1, kind=Kind.STATE)

QUANTITIES: Final = {
    "temperature": Quantity("Cel", -40, 125),
    "humidity": Quantity("%", 0, 100),
    "battery": Quantity("%", 0, 100),
    "battery-voltage": Quantity("V", 0.5, 4.0),
    "reed": _STATE,
    "output": _STATE,
    "temperature-trigger": _STATE,
    "humidity-trigger": _STATE,
}
_FLAGS: Final = {"reed": 0, "output": 1, "temperature-trigger": 3, "humidity-trigger": 4}
# Bytes of each kind; the encrypted ones are shorter.
_ATC1441, _PVVX, _SEALED_ATC, _SEALED_PVVX = 13, 15, 8, 11


def _flags(flags: int) -> dict[str, float]:
    return {name: float(flags >> bit & 1) for name, bit in _FLAGS.items()}


class Atc(Format):
    """The format; the length says which of the four it is."""

    name = "atc"
    quantities = QUANTITIES
    sections = frozenset({("service", SERVICE)})

    def recognises(self, section: Section, name: str) -> bool:  # noqa: ARG002  # the contract's
        """Tell whether a section has one of the four lengths."""
        lengths = (_ATC1441, _PVVX, _SEALED_ATC, _SEALED_PVVX)
        return section.key in self.sections and len(section.data) in lengths

    def decoder(self, address: bytes, key: bytes) -> AtcDecoder:
        """Return a decoder of one device's telegrams."""
        return AtcDecoder(address, checked_key(key) if key else b"")


class AtcDecoder:
    """One device."""

    def __init__(self, address: bytes, key: bytes) -> None:
        """Decode for the device with this address; an empty key: it does not encrypt."""
        self._address, self._key = address, key

    def decode(self, section: Section) -> Telegram | None:
        """Return what a section says; see :class:`citytwin_edge.wire.adverts.Decoder`."""
        if section.key != ("service", SERVICE):
            return None
        data = section.data
        size = len(data)
        if size in {_ATC1441, _PVVX} and self._key:
            raise DeviceMalformed(NOT_ENCRYPTED)
        if size == _ATC1441:
            check_address(data[:ADDRESS_BYTES], self._address)
            raw, humidity, battery, millivolts, counter = struct.unpack(">hBBHB", data[6:])
            values = {"temperature": raw / 10, "humidity": float(humidity)}
        elif size == _PVVX:
            check_address(data[:ADDRESS_BYTES][::-1], self._address)
            raw, moist, millivolts, battery, counter, flags = struct.unpack("<hHHBBB", data[6:])
            values = {"temperature": raw / 100, "humidity": moist / 100, **_flags(flags)}
        elif size in {_SEALED_ATC, _SEALED_PVVX}:
            return self._opened(data)
        else:
            raise DeviceMalformed(f"{size} bytes are none of its lengths")
        values |= {"battery": float(battery), "battery-voltage": millivolts / 1000}
        return _telegram(values, counter)

    def _opened(self, data: bytes) -> Telegram:
        """Return an encrypted one: a counter of one byte, what is sealed, the check.

        So short a counter comes again every 256 telegrams: it tells repeats, not replayed ones.
        """
        head = bytes([len(data) + 3, _SERVICE_DATA]) + SERVICE.to_bytes(2, "little")
        nonce = self._address[::-1] + head + data[:1]
        plain = opened(self._key, nonce, data[1:], _COVERED)
        if len(data) == _SEALED_ATC:
            values = {
                "temperature": plain[0] / 2 - 40,
                "humidity": plain[1] / 2,
                "battery": float(plain[2] & 0x7F),
                "output": float(plain[2] >> 7),
            }
        else:
            raw, moist, battery, flags = struct.unpack("<hHBB", plain)
            values = {
                "temperature": raw / 100,
                "humidity": moist / 100,
                "battery": float(battery),
                **_flags(flags),
            }
        return _telegram(values, data[0])


def _telegram(values: dict[str, float], counter: int) -> Telegram:
    return Telegram({name: QUANTITIES[name].told(value) for name, value in values.items()}, counter)


FORMAT: Final = Atc()
