"""Ruuvi: the advertisements of RuuviTag and Ruuvi Air, data formats 3, 5, 6 and E1.

Source: Ruuvi documentation, "Bluetooth advertisements", data formats 3 (RAWv1), 5 (RAWv2), 6, E1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from citytwin.errors import DeviceMalformed
from citytwin.point import Kind
from citytwin_edge.wire.adverts import (
    Format,
    Quantity,
    Section,
    Telegram,
    check_address,
    no_key,
    signed,
)

COMPANY: Final = 0x0499
_STEP_6: Final = math.log(65536) / 254  # of the logarithmic scale of brightness in format 6
_G: Final = 32.767  # what a signed number of mg can hold
_NONE_9: Final = 0x1FF
_AXES: Final = ("acceleration-x", "acceleration-y", "acceleration-z")

_COUNTER: Final = Quantity(kind=Kind.COUNTER)
_PM: Final = Quantity("ug/m3", 0, 1000)
_INDEX: Final = Quantity("1", 0, 500)

QUANTITIES: Final = {
    "temperature": Quantity("Cel", -163.835, 163.835),
    "humidity": Quantity("%", 0, 163.835),  # of which Ruuvi says that over 100 % can be read
    "pressure": Quantity("Pa", 50_000, 115_535),
    **dict.fromkeys(_AXES, Quantity("[g]", -_G, _G)),
    "battery-voltage": Quantity("V", 0, 65.535),
    "tx-power": Quantity("dB[mW]", -40, 20),
    "movements": _COUNTER,
    "sequence": _COUNTER,
    "pm1": _PM,
    "pm2.5": _PM,
    "pm4": _PM,
    "pm10": _PM,
    "co2": Quantity("[ppm]", 0, 40_000),
    "voc-index": _INDEX,
    "nox-index": _INDEX,
    "illuminance": Quantity("lx", 0, 144_284),
    "calibrating": Quantity(low=0, high=1, kind=Kind.STATE),
}
_Said = tuple[dict[str, float], int | None]


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _scaled(raw: int, none: int, divisor: float, offset: float = 0.0) -> float:
    return math.nan if raw == none else (raw + offset) / divisor


def _s16(data: bytes, at: int, divisor: float) -> float:
    return _scaled(signed(data[at : at + 2], "big"), -0x8000, divisor)


def _common(data: bytes) -> dict[str, float]:
    """Return the first three fields of formats 5, 6 and E1."""
    return {
        "temperature": _s16(data, 1, 200),
        "humidity": _scaled(_u16(data, 3), 0xFFFF, 400),
        "pressure": _scaled(_u16(data, 5), 0xFFFF, 1, 50_000),
    }


def _accelerations(data: bytes, first: int) -> dict[str, float]:
    return {name: _s16(data, first + 2 * place, 1000) for place, name in enumerate(_AXES)}


def _3(data: bytes) -> _Said:
    whole, hundredths = data[2], data[3]
    if hundredths > 99:
        raise DeviceMalformed(f"{hundredths} hundredths of a degree are too many")
    degrees = (whole & 0x7F) + hundredths / 100
    return {
        "humidity": data[1] / 2,
        "temperature": -degrees if whole & 0x80 else degrees,
        "pressure": _u16(data, 4) + 50_000.0,
        **_accelerations(data, 6),
        "battery-voltage": _u16(data, 12) / 1000,
    }, None


def _5(data: bytes) -> _Said:
    power, sequence = _u16(data, 13), _u16(data, 16)
    return {
        **_common(data),
        **_accelerations(data, 7),
        "battery-voltage": _scaled(power >> 5, 0x7FF, 1000, 1600),
        "tx-power": _scaled(power & 0x1F, 0x1F, 0.5, -20),
        "movements": _scaled(data[15], 0xFF, 1),
        "sequence": _scaled(sequence, 0xFFFF, 1),
    }, None if sequence == 0xFFFF else sequence


def _indices(voc: int, nox: int, flags: int) -> dict[str, float]:
    """Return two numbers of nine bits whose lowest ones stand among the flags."""
    return {
        "voc-index": _scaled(voc << 1 | flags >> 6 & 1, _NONE_9, 1),
        "nox-index": _scaled(nox << 1 | flags >> 7 & 1, _NONE_9, 1),
        "calibrating": float(flags & 1),
    }


def _6(data: bytes) -> _Said:
    bright = data[13]
    return {
        **_common(data),
        "pm2.5": _scaled(_u16(data, 7), 0xFFFF, 10),
        "co2": _scaled(_u16(data, 9), 0xFFFF, 1),
        **_indices(data[11], data[12], data[16]),
        "illuminance": math.nan if bright == 0xFF else round(math.expm1(bright * _STEP_6), 2),
        "sequence": float(data[15]),
    }, data[15]


def _e1(data: bytes) -> _Said:
    bright, sequence = int.from_bytes(data[19:22], "big"), int.from_bytes(data[25:28], "big")
    names = zip(("pm1", "pm2.5", "pm4", "pm10"), (7, 9, 11, 13), strict=True)
    return {
        **_common(data),
        **{name: _scaled(_u16(data, at), 0xFFFF, 10) for name, at in names},
        "co2": _scaled(_u16(data, 15), 0xFFFF, 1),
        **_indices(data[17], data[18], data[28]),
        "illuminance": _scaled(bright, 0xFFFFFF, 100),
        "sequence": _scaled(sequence, 0xFFFFFF, 1),
    }, None if sequence == 0xFFFFFF else sequence


class _Layout(NamedTuple):
    size: int
    read: Callable[[bytes], _Said]
    address_bytes: int
    """How many bytes at the end are those of the device's own address."""


_LAYOUTS: Final = {
    0x03: _Layout(14, _3, 0),
    0x05: _Layout(24, _5, 6),
    0x06: _Layout(20, _6, 3),
    0xE1: _Layout(40, _e1, 6),
}


class Ruuvi(Format):
    """The four data formats; a tag may send several of them in turn."""

    name = "ruuvi"
    quantities = QUANTITIES
    sections = frozenset({("company", COMPANY)})

    def recognises(self, section: Section, name: str) -> bool:  # noqa: ARG002  # the contract's
        """Tell whether a section begins as one of the four does."""
        return section.key in self.sections and section.data[:1] in _STARTS

    def decoder(self, address: bytes, key: bytes) -> RuuviDecoder:
        """Return a decoder of one device's telegrams."""
        no_key(key, "Ruuvi's")
        return RuuviDecoder(address)


_STARTS: Final = frozenset(bytes([number]) for number in _LAYOUTS)


class RuuviDecoder:
    """One device."""

    def __init__(self, address: bytes) -> None:
        """Decode for the device with this address."""
        self._address = address

    def decode(self, section: Section) -> Telegram | None:
        """Return what a section says; see :class:`citytwin_edge.wire.adverts.Decoder`."""
        data = section.data
        if section.key != ("company", COMPANY):
            return None
        layout = _LAYOUTS.get(data[0]) if data else None
        if layout is None:
            raise DeviceMalformed(f"data format {data[:1].hex()} of Ruuvi is not known")
        if len(data) < layout.size:
            raise DeviceMalformed(
                f"{len(data)} bytes are too few: its data format has {layout.size}"
            )
        said = data[layout.size - layout.address_bytes : layout.size]
        if said.strip(b"\xff"):  # all bits set: it does not say
            check_address(said, self._address)
        values, counter = layout.read(data)
        told = {name: QUANTITIES[name].told(value) for name, value in values.items()}
        return Telegram(told, counter, counts=data[0])


FORMAT: Final = Ruuvi()
