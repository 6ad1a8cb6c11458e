"""MiBeacon: the telegrams of Xiaomi's sensors, versions 2 to 5, encrypted ones with their bind key.

Source: Xiaomi IoT documentation, "BLE MiBeacon protocol" v4 and v5 and "BLE object definition".
Before version 4 encrypted telegrams have no check, so that a wrong key would give numbers: they
are refused.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from citytwin.errors import DeviceMalformed
from citytwin.point import Kind
from citytwin_edge.wire.adverts import (
    ADDRESS_BYTES,
    Format,
    Quantity,
    Section,
    Telegram,
    Told,
    check_address,
)
from citytwin_edge.wire.ccm import CHECK_BYTES, NOT_ENCRYPTED, Counter, checked_key, opened

SERVICE: Final = 0xFE95
_HEAD: Final = 5  # frame control, product, counter
_ENCRYPTED, _ADDRESS, _CAPABILITY, _OBJECT, _MESH = 0x0008, 0x0010, 0x0020, 0x0040, 0x0080
_HAS_IO: Final = 0x20
_COVERED: Final = b"\x11"
_RANDOM_BYTES: Final = 3
_VERSIONS: Final = range(2, 6)
_COUNTS: Final = 5
"""From this version on the counter is one of 4 bytes, against telegrams that are sent again."""
_RESTARTS_BELOW: Final = 1 << 12

_STATE: Final = Quantity(low=0, high=1, kind=Kind.STATE)
_PERCENT: Final = Quantity("%", 0, 100)

QUANTITIES: Final = {
    "temperature": Quantity("Cel", -273.15, 300),
    "humidity": _PERCENT,
    "battery": _PERCENT,
    "illuminance": Quantity("lx", 0, 120_000),
    "moisture": _PERCENT,
    "conductivity": Quantity("uS/cm", 0, 10_000),
    "formaldehyde": Quantity("mg/m3", 0),
    "consumable": _PERCENT,
    "idle": Quantity("s", 0),
    "power-on": _STATE,
    "moisture-detected": _STATE,
    "smoke": _STATE,
    "light": _STATE,
    "opening": _STATE,
    "left-open": _STATE,
    "motion": Quantity(low=0, high=1, kind=Kind.STATE, is_event=True),
}

_Values = dict[str, float]


class _Object(NamedTuple):
    size: int
    read: Callable[[bytes], _Values]


def _unsigned(name: str, divisor: float = 1.0) -> Callable[[bytes], _Values]:
    return lambda own: {name: int.from_bytes(own, "little") / divisor}


def _decimal(name: str) -> Callable[[bytes], _Values]:
    return lambda own: {name: round(float(struct.unpack("<f", own)[0]), 3)}


def _temperature(own: bytes) -> _Values:
    return {"temperature": int.from_bytes(own[:2], "little", signed=True) / 10}


def _climate(own: bytes) -> _Values:
    return {**_temperature(own), "humidity": int.from_bytes(own[2:], "little") / 10}


def _kettle(own: bytes) -> _Values:
    return {"power-on": float(own[0]), "temperature": float(own[1])}


def _opening(own: bytes) -> _Values:
    if own[0] > 2:  # 3: it was reset
        return {}
    return {"opening": float(own[0] != 1), "left-open": float(own[0] == 2)}


def _motion(own: bytes) -> _Values:
    return {"motion": 1.0, "illuminance": float(int.from_bytes(own, "little"))}


_OBJECTS: Final = {
    0x000F: _Object(3, _motion),
    0x1004: _Object(2, _temperature),
    0x1005: _Object(2, _kettle),
    0x1006: _Object(2, _unsigned("humidity", 10)),
    0x1007: _Object(3, _unsigned("illuminance")),
    0x1008: _Object(1, _unsigned("moisture")),
    0x1009: _Object(2, _unsigned("conductivity")),
    0x100A: _Object(1, _unsigned("battery")),
    0x100D: _Object(4, _climate),
    0x1010: _Object(2, _unsigned("formaldehyde", 100)),
    0x1012: _Object(1, _unsigned("power-on")),
    0x1013: _Object(1, _unsigned("consumable")),
    0x1014: _Object(1, _unsigned("moisture-detected")),
    0x1015: _Object(1, _unsigned("smoke")),
    0x1017: _Object(4, _unsigned("idle")),
    0x1018: _Object(1, _unsigned("light")),
    0x1019: _Object(1, _opening),
}
_THERMOMETERS: Final = {
    0x1203: "XMWSDJ04MMC", 0x2542: "LYWSD02MMC", 0x2832: "MJWSD05MMC", 0x4C47: "MJWSD05MMC",
    0x4F59: "CGDK3", 0x55B5: "MJWSD06MMC", 0x5BEA: "MJWSD06MMC",
}  # fmt: skip
"""Products whose own objects (0x48xx, 0x4Cxx) are known; those of others mean something else."""
_OF_THERMOMETERS: Final = {
    0x4801: _Object(4, _decimal("temperature")),
    0x4802: _Object(1, _unsigned("humidity")),
    0x4803: _Object(1, _unsigned("battery")),
    0x4808: _Object(4, _decimal("humidity")),
    0x4C01: _Object(4, _decimal("temperature")),
    0x4C02: _Object(1, _unsigned("humidity")),
    0x4C03: _Object(1, _unsigned("battery")),
    0x4C08: _Object(4, _decimal("humidity")),
}


class MiBeacon(Format):
    """The format."""

    name = "mibeacon"
    quantities = QUANTITIES
    sections = frozenset({("service", SERVICE)})

    def recognises(self, section: Section, name: str) -> bool:  # noqa: ARG002  # the contract's
        """Tell whether a section is of a version that is known."""
        data = section.data
        return section.key in self.sections and len(data) >= _HEAD and data[1] >> 4 in _VERSIONS

    def decoder(self, address: bytes, key: bytes) -> MiBeaconDecoder:
        """Return a decoder of one device's telegrams; ``key`` is its bind key."""
        return MiBeaconDecoder(address, checked_key(key) if key else b"")


class MiBeaconDecoder:
    """One device."""

    def __init__(self, address: bytes, key: bytes) -> None:
        """Decode for the device with this address; an empty key: it does not encrypt."""
        self._address, self._key = address, key
        self._counter = Counter(restarts_below=_RESTARTS_BELOW)

    def decode(self, section: Section) -> Telegram | None:
        """Return what a section says; see :class:`citytwin_edge.wire.adverts.Decoder`."""
        if section.key != ("service", SERVICE):
            return None
        data = section.data
        if len(data) < _HEAD:
            raise DeviceMalformed(f"{len(data)} bytes are too few: its head has {_HEAD}")
        control, product = struct.unpack_from("<HH", data)
        version = control >> 12
        if version not in _VERSIONS or control & _MESH:
            raise DeviceMalformed(f"MiBeacon of version {version}, or of a mesh, is not known")
        at = self._past_head(data, control)
        if not control & _OBJECT:
            return None  # it says that it is there, and no more
        body = data[at:]
        counter = data[4]
        if control & _ENCRYPTED:
            body, counter = self._opened(data, at, version)
        elif self._key:
            raise DeviceMalformed(NOT_ENCRYPTED)
        return Telegram(parsed(body, product), counter, counts=int(bool(control & _ENCRYPTED)))

    def _past_head(self, data: bytes, control: int) -> int:
        """Return where the objects begin."""
        at = _HEAD
        if control & _ADDRESS:
            said = data[at : at + ADDRESS_BYTES][::-1]
            check_address(said, self._address)
            at += ADDRESS_BYTES
        if control & _CAPABILITY:
            if at >= len(data):
                raise DeviceMalformed("it is cut off")
            at += 3 if data[at] & _HAS_IO else 1
        return at

    def _opened(self, data: bytes, at: int, version: int) -> tuple[bytes, int]:
        """Return the objects and the counter of an encrypted telegram."""
        if version < 4:
            raise DeviceMalformed(
                f"encrypted MiBeacon of version {version} has no check against wrong values"
            )
        end = len(data) - CHECK_BYTES - _RANDOM_BYTES
        if end <= at:
            raise DeviceMalformed(f"{len(data)} bytes are too few to be encrypted ones")
        random = data[end : end + _RANDOM_BYTES]
        nonce = self._address[::-1] + data[2:5] + random
        body = opened(self._key, nonce, data[at:end] + data[-CHECK_BYTES:], _COVERED)
        counter = int.from_bytes(random, "little") << 8 | data[4]
        if version >= _COUNTS:
            self._counter.check(counter)
        return body, counter


def parsed(body: bytes, product: int) -> dict[str, Told]:
    """Return the fields of objects: type (2 bytes), length (1), value.

    Raises:
        DeviceMalformed: an object is cut off, or has not the length that its type has.
    """
    values: dict[str, Told] = {}
    at = 0
    while at < len(body):
        if at + 3 > len(body):
            raise DeviceMalformed("an object is cut off")
        number, size = struct.unpack_from("<HB", body, at)
        own = body[at + 3 : at + 3 + size]
        if len(own) < size:
            raise DeviceMalformed(f"object 0x{number:04x} is cut off")
        at += 3 + size
        known = _OBJECTS.get(number)
        if known is None and product in _THERMOMETERS:
            known = _OF_THERMOMETERS.get(number)
        if known is None:
            continue
        if known.size != size:
            raise DeviceMalformed(f"object 0x{number:04x} has {known.size} bytes, not {size}")
        for name, value in known.read(own).items():
            values[name] = QUANTITIES[name].told(value if math.isfinite(value) else math.nan)
    return values


FORMAT: Final = MiBeacon()
