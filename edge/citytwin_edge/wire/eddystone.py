"""Eddystone TLM: the health of a beacon (battery, temperature, uptime), unencrypted.

Source: Eddystone protocol specification, "Eddystone-TLM", "Unencrypted TLM Frame Specification".
"""

from __future__ import annotations

import math
import struct
from typing import Final

from citytwin.errors import DeviceMalformed
from citytwin.point import Kind
from citytwin_edge.wire.adverts import Format, Quantity, Section, Telegram, no_key

SERVICE: Final = 0xFEAA
_TLM: Final = 0x20
_BYTES: Final = 14
_NO_TEMPERATURE: Final = -0x8000

QUANTITIES: Final = {
    "battery-voltage": Quantity("V", 0, 10),
    "temperature": Quantity("Cel", -128, 128),
    "advertisements": Quantity(kind=Kind.COUNTER),
    "uptime": Quantity("s", 0),
}


class EddystoneTlm(Format):
    """The format; also its decoder, since nothing is kept between telegrams."""

    name = "eddystone-tlm"
    quantities = QUANTITIES
    sections = frozenset({("service", SERVICE)})

    def recognises(self, section: Section, name: str) -> bool:  # noqa: ARG002  # the contract's
        """Tell whether a section is a TLM frame of version 0."""
        return section.key in self.sections and section.data[:2] == bytes([_TLM, 0])

    def decoder(self, address: bytes, key: bytes) -> EddystoneTlm:  # noqa: ARG002
        """Return a decoder; encrypted TLM is another format."""
        no_key(key, "Eddystone's plain")
        return self

    def decode(self, section: Section) -> Telegram | None:
        """Return what a section says; see :class:`citytwin_edge.wire.adverts.Decoder`."""
        data = section.data
        if section.key not in self.sections or data[:1] != bytes([_TLM]):
            return None  # a beacon sends its other frames in turn
        if len(data) != _BYTES or data[1]:
            raise DeviceMalformed(
                f"{len(data)} bytes of version {data[1:2].hex()} are no TLM of version 0"
            )
        millivolts, degrees, count, tenths = struct.unpack(">HhII", data[2:])
        values = {
            "battery-voltage": millivolts / 1000 if millivolts else math.nan,
            "temperature": math.nan if degrees == _NO_TEMPERATURE else degrees / 256,
            "advertisements": float(count),
            "uptime": tenths / 10,
        }
        return Telegram({name: QUANTITIES[name].told(one) for name, one in values.items()}, count)


FORMAT: Final = EddystoneTlm()
