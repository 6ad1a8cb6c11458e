"""Govee: its thermometers that agree about a layout, H5051 to H5179 (docs/guides/ble.md).

Govee publishes nothing; these layouts are what several independent decoders agree about. There is
neither a check nor a counter in them: what the sensor cannot measure is no value.
"""

from __future__ import annotations

import math
import struct
from typing import Final

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.adverts import Format, Quantity, Section, Telegram, no_key

OLD: Final = 0xEC88
NEW: Final = 0x0001  # Nokia's, which Govee uses
H5179: Final = 0x8801
_TAIL: Final = b"INTELLI_ROCKS"  # an iBeacon that some receivers leave behind the data
_TAIL_BYTES: Final = 25
_NAMES: Final = ("GVH5", "Govee_H5", "GV5", "B5178")

_TEMPERATURE: Final = Quantity("Cel", -40, 100)
_HUMIDITY: Final = Quantity("%", 0, 100)
_BATTERY: Final = Quantity("%", 0, 100)

QUANTITIES: Final = {
    "temperature": _TEMPERATURE,
    "humidity": _HUMIDITY,
    "battery": _BATTERY,
    "remote-temperature": _TEMPERATURE,
    "remote-humidity": _HUMIDITY,
    "remote-battery": _BATTERY,
}
_LENGTHS: Final = {OLD: (6, 7, 9), NEW: (6, 8, 9), H5179: (9,)}


class Govee(Format):
    """The format; also its decoder, since nothing is kept between telegrams."""

    name = "govee"
    quantities = QUANTITIES
    sections = frozenset(("company", number) for number in _LENGTHS)
    answers_only = True

    def recognises(self, section: Section, name: str) -> bool:
        """Tell whether a section has a length of Govee's; under Nokia's number by the name, too."""
        if (
            section.key not in self.sections
            or len(_bare(section.data)) not in _LENGTHS[section.number]
        ):
            return False
        return section.number == OLD or name.startswith(_NAMES)

    def decoder(self, address: bytes, key: bytes) -> Govee:  # noqa: ARG002  # the contract's
        """Return a decoder; Govee's thermometers do not encrypt."""
        no_key(key, "Govee's")
        return self

    def decode(self, section: Section) -> Telegram | None:
        """Return what a section says; see :class:`citytwin_edge.wire.adverts.Decoder`."""
        if section.key not in self.sections:
            return None
        data = _bare(section.data)
        size = len(data)
        if size not in _LENGTHS[section.number]:
            raise DeviceMalformed(f"{size} bytes are none of the lengths of Govee's thermometers")
        prefix = ""
        if section.number == OLD:
            values = _packed(data[1:5]) if size == 6 else _plain(data[1:6])
        elif section.number == H5179:
            values = _plain(data[4:9])
        elif size == 9:  # H5178, which speaks for its second sensor, too
            if data[2] > 1:
                raise DeviceMalformed(f"sensor {data[2]} of two is not known")
            prefix, values = ("", "remote-")[data[2]], _packed(data[3:7])
        else:
            values = _packed(data[2:6])
        return Telegram(
            {prefix + name: QUANTITIES[name].told(value) for name, value in values.items()}
        )


def _bare(data: bytes) -> bytes:
    """Return the data without what is glued behind it."""
    return data[:-_TAIL_BYTES] if len(data) > _TAIL_BYTES and _TAIL in data else data


def _packed(data: bytes) -> dict[str, float]:
    """Return temperature and humidity from one number of 24 bits, its highest the sign.

    The highest bit of the battery's byte says that the sensor is broken.
    """
    number, last = int.from_bytes(data[:3], "big"), data[3]
    magnitude = number & 0x7FFFFF
    degrees = magnitude // 1000 / 10
    broken = bool(last & 0x80)
    return {
        "temperature": math.nan if broken else -degrees if number & 0x800000 else degrees,
        "humidity": math.nan if broken else magnitude % 1000 / 10,
        "battery": float(last & 0x7F),
    }


def _plain(data: bytes) -> dict[str, float]:
    raw, moist, battery = struct.unpack("<hHB", data)
    return {"temperature": raw / 100, "humidity": moist / 100, "battery": float(battery)}


FORMAT: Final = Govee()
