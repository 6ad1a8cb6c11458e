"""Cayenne LPP: values of LoRaWAN devices that say themselves what they are.

Low Power Payload of myDevices: channel, type (IPSO object number less 3200), value with the high
byte first. A value is named as The Things Stack's formatter names it, ``temperature_3``, and with
its part where there are several, ``gps_1.latitude``.

>>> LppField("temperature_3").find(bytes.fromhex("03 67 01 10 05 67 00 FF"))
27.2
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.payload import Absent


class _Kind(NamedTuple):
    """One type: its name, its parts, the bytes of each, and what one step is."""

    name: str
    parts: tuple[str, ...]
    sizes: tuple[int, ...]
    steps: tuple[int, ...]
    is_signed: bool = False


def _one(name: str, size: int, per_unit: int = 1, *, is_signed: bool = False) -> _Kind:
    return _Kind(name, ("",), (size,), (per_unit,), is_signed)


_AXES: Final = ("x", "y", "z")
KINDS: Final = {
    0: _one("digital_in", 1),
    1: _one("digital_out", 1),
    2: _one("analog_in", 2, 100, is_signed=True),
    3: _one("analog_out", 2, 100, is_signed=True),
    100: _one("generic", 4),
    101: _one("luminosity", 2),
    102: _one("presence", 1),
    103: _one("temperature", 2, 10, is_signed=True),
    104: _one("relative_humidity", 1, 2),
    113: _Kind("accelerometer", _AXES, (2, 2, 2), (1000,) * 3, is_signed=True),
    115: _one("barometric_pressure", 2, 10),
    116: _one("voltage", 2, 100),
    117: _one("current", 2, 1000),
    118: _one("frequency", 4),
    120: _one("percentage", 1),
    121: _one("altitude", 2, is_signed=True),
    125: _one("concentration", 2),
    128: _one("power", 2),
    130: _one("distance", 4, 1000),
    131: _one("energy", 4, 1000),
    132: _one("direction", 2),
    133: _one("time", 4),
    134: _Kind("gyrometer", _AXES, (2, 2, 2), (100,) * 3, is_signed=True),
    135: _Kind("colour", ("r", "g", "b"), (1, 1, 1), (1,) * 3),
    136: _Kind("gps", ("latitude", "longitude", "altitude"), (3, 3, 3), (10_000, 10_000, 100),
               is_signed=True),
    142: _one("switch", 1),
}  # fmt: skip
"""By type: 0 to 3, 101 to 104, 113, 115, 134 and 136 are those that myDevices published first, the
others its later list. A step is the unit divided by the number."""
_BY_NAME: Final = {kind.name: code for code, kind in KINDS.items()}
_NAME: Final = re.compile(r"([a-z_]+)_([0-9]{1,3})(?:\.([a-z]+))?")


class LppField:
    """One value of a payload, by its name."""

    def __init__(self, name: str) -> None:
        """Compile.

        Raises:
            ValueError: it is no name; the text says which there are.
        """
        found = _NAME.fullmatch(name)
        code = _BY_NAME.get(found[1]) if found else None
        if found is None or code is None or int(found[2]) > 255:
            raise ValueError(
                f"{name!r} is no value of Cayenne LPP; write a type and its channel, "
                f"temperature_3; types are {', '.join(_BY_NAME)}"
            )
        kind, part = KINDS[code], found[3] or ""
        if part not in kind.parts:
            parts = ", ".join(f"{kind.name}_{found[2]}.{one}" for one in kind.parts if one)
            raise ValueError(f"{name!r}: there is {parts or f'{kind.name}_{found[2]} alone'}")
        self._name, self._channel, self._code = name, int(found[2]), code
        self._index = kind.parts.index(part)

    def find(self, data: bytes) -> float:
        """Return the value in these bytes; of several the last.

        Raises:
            Absent: there is none.
            DeviceMalformed: they end too soon, or have a type whose length nobody knows before.
        """
        found: bytes | None = None
        place = 0
        while place < len(data):
            code = data[place + 1] if place + 1 < len(data) else -1
            kind = KINDS.get(code)
            if kind is None:
                if found is not None:
                    break
                what = f"has the unknown type {code}" if code >= 0 else "ends too soon"
                raise DeviceMalformed(f"the payload {what} at byte {place}")
            size = sum(kind.sizes)
            if place + 2 + size > len(data):
                raise DeviceMalformed(f"the payload ends within a {kind.name}")
            if (data[place], code) == (self._channel, self._code):
                found = data[place + 2 : place + 2 + size]
            place += 2 + size
        if found is None:
            raise Absent(f"the payload has no {self._name}")
        kind, start = KINDS[self._code], sum(KINDS[self._code].sizes[: self._index])
        own = found[start : start + kind.sizes[self._index]]
        return int.from_bytes(own, "big", signed=kind.is_signed) / kind.steps[self._index]
