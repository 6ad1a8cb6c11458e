"""BTHome objects: the published table of what may stand in a telegram, by object id.

Source: "BTHome format", version 2 (bthome.io): sensor data, binary sensor data, events, device
information. Names are those of the table, in the plainest words; one quantity that the table has
in several resolutions is one field. Pounds are given in kilograms, millilitres in litres.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from citytwin.point import Kind
from citytwin_edge.wire.adverts import Quantity

PACKET_ID: Final = 0x00
_POUND_KG: Final = 0.45359237
Shape = Literal["unsigned", "signed", "event", "steps", "command", "text", "raw", "id", "version"]


class Thing(NamedTuple):
    """One object.

    Attributes:
        name: of the field.
        size: bytes; 0: the first byte says how many follow.
        shape: how they are to be read.
        factor: value = number * factor.
    """

    name: str
    size: int
    shape: Shape = "unsigned"
    factor: float = 1.0


_BINARY: Final = (
    "generic", "power-on", "opening", None, None, None, "battery-low", "battery-charging",
    "carbon-monoxide", "cold", "connectivity", "door", "garage-door", "gas-detected", "heat",
    "light", "lock", "moisture-detected", "motion", "moving", "occupancy", "plug", "presence",
    "problem", "running", "safety", "smoke", "sound", "tamper", "vibration", "window",
)  # fmt: skip
"""From 0x0F on; the three in the middle are numbers."""

OBJECTS: Final[dict[int, Thing]] = {
    PACKET_ID: Thing("packet-id", 1),
    0x01: Thing("battery", 1),
    0x02: Thing("temperature", 2, "signed", 0.01),
    0x03: Thing("humidity", 2, factor=0.01),
    0x04: Thing("pressure", 3, factor=0.01),
    0x05: Thing("illuminance", 3, factor=0.01),
    0x06: Thing("mass", 2, factor=0.01),
    0x07: Thing("mass", 2, factor=0.01 * _POUND_KG),
    0x08: Thing("dewpoint", 2, "signed", 0.01),
    0x09: Thing("count", 1),
    0x0A: Thing("energy", 3, factor=0.001),
    0x0B: Thing("power", 3, factor=0.01),
    0x0C: Thing("voltage", 2, factor=0.001),
    0x0D: Thing("pm2.5", 2),
    0x0E: Thing("pm10", 2),
    0x12: Thing("co2", 2),
    0x13: Thing("tvoc", 2),
    0x14: Thing("moisture", 2, factor=0.01),
    0x2E: Thing("humidity", 1),
    0x2F: Thing("moisture", 1),
    0x3A: Thing("button", 1, "event"),
    0x3B: Thing("command", 0, "command"),
    0x3C: Thing("dimmer", 2, "steps"),
    0x3D: Thing("count", 2),
    0x3E: Thing("count", 4),
    0x3F: Thing("rotation", 2, "signed", 0.1),
    0x40: Thing("distance", 2, factor=0.001),
    0x41: Thing("distance", 2, factor=0.1),
    0x42: Thing("duration", 3, factor=0.001),
    0x43: Thing("current", 2, factor=0.001),
    0x44: Thing("speed", 2, factor=0.01),
    0x45: Thing("temperature", 2, "signed", 0.1),
    0x46: Thing("uv-index", 1, factor=0.1),
    0x47: Thing("volume", 2, factor=0.1),
    0x48: Thing("volume", 2, factor=0.001),
    0x49: Thing("flow", 2, factor=0.001),
    0x4A: Thing("voltage", 2, factor=0.1),
    0x4B: Thing("gas", 3, factor=0.001),
    0x4C: Thing("gas", 4, factor=0.001),
    0x4D: Thing("energy", 4, factor=0.001),
    0x4E: Thing("volume", 4, factor=0.001),
    0x4F: Thing("water", 4, factor=0.001),
    0x50: Thing("timestamp", 4),
    0x51: Thing("acceleration", 2, factor=0.001),
    0x52: Thing("gyroscope", 2, factor=0.001),
    0x53: Thing("text", 0, "text"),
    0x54: Thing("raw", 0, "raw"),
    0x55: Thing("volume-storage", 4, factor=0.001),
    0x56: Thing("conductivity", 2),
    0x57: Thing("temperature", 1, "signed"),
    0x58: Thing("temperature", 1, "signed", 0.35),
    0x59: Thing("count", 1, "signed"),
    0x5A: Thing("count", 2, "signed"),
    0x5B: Thing("count", 4, "signed"),
    0x5C: Thing("power", 4, "signed", 0.01),
    0x5D: Thing("current", 2, "signed", 0.001),
    0x5E: Thing("direction", 2, factor=0.01),
    0x5F: Thing("precipitation", 2, factor=0.1),
    0x60: Thing("channel", 1),
    0x61: Thing("rotational-speed", 2),
    0x62: Thing("speed", 4, "signed", 1e-6),
    0x63: Thing("acceleration", 4, "signed", 1e-6),
    0x64: Thing("light-level", 1),
    0x65: Thing("settings-revision", 1),
    0xF0: Thing("device-type", 2, "id"),
    0xF1: Thing("firmware", 4, "version"),
    0xF2: Thing("firmware", 3, "version"),
    **{0x0F + place: Thing(name, 1) for place, name in enumerate(_BINARY) if name},
}

_STATE: Final = Quantity(low=0, high=1, kind=Kind.STATE)
_NUMBER: Final = Quantity(kind=Kind.STATE)
_EVENT: Final = Quantity(kind=Kind.STATE, is_event=True)
_TEXT: Final = Quantity(kind=Kind.TEXT)
_VOLUME: Final = Quantity("L", 0, kind=Kind.COUNTER)

QUANTITIES: Final[dict[str, Quantity]] = {
    **{name: _STATE for name in _BINARY if name},
    "packet-id": Quantity(kind=Kind.COUNTER),
    "battery": Quantity("%", 0, 100),
    "temperature": Quantity("Cel", -273.15, 327.67),
    "humidity": Quantity("%", 0, 100),
    "pressure": Quantity("hPa", 0),
    "illuminance": Quantity("lx", 0),
    "mass": Quantity("kg", 0),
    "dewpoint": Quantity("Cel", -273.15, 327.67),
    "count": Quantity(kind=Kind.COUNTER),
    "energy": Quantity("kW.h", 0, kind=Kind.COUNTER),
    "power": Quantity("W"),
    "voltage": Quantity("V", 0),
    "pm2.5": Quantity("ug/m3", 0),
    "pm10": Quantity("ug/m3", 0),
    "co2": Quantity("[ppm]", 0),
    "tvoc": Quantity("ug/m3", 0),
    "moisture": Quantity("%", 0, 100),
    "button": _EVENT,
    "command": _EVENT,
    "dimmer": _EVENT,
    "rotation": Quantity("deg"),
    "distance": Quantity("m", 0),
    "duration": Quantity("s", 0),
    "current": Quantity("A"),
    "speed": Quantity("m/s"),
    "uv-index": Quantity("1", 0),
    "volume": _VOLUME,
    "flow": Quantity("m3/h", 0),
    "gas": Quantity("m3", 0, kind=Kind.COUNTER),
    "water": _VOLUME,
    "timestamp": Quantity("s", 0),
    "acceleration": Quantity("m/s2"),
    "gyroscope": Quantity("deg/s", 0),
    "text": _TEXT,
    "raw": _TEXT,
    "volume-storage": Quantity("L", 0),
    "conductivity": Quantity("uS/cm", 0),
    "direction": Quantity("deg", 0, 360),
    "precipitation": Quantity("mm", 0),
    "channel": _NUMBER,
    "rotational-speed": Quantity("/min", 0),
    "light-level": _NUMBER,
    "settings-revision": _NUMBER,
    "device-type": _NUMBER,
    "firmware": _TEXT,
}

BUTTON: Final = frozenset({0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x80, 0x81})
"""Press, double, triple, long, long double, long triple, hold, release; 0: nothing happened."""
HOLD_OF_OLD: Final = 0xFE
"""What Shelly's buttons before firmware 1.0.20 send for hold (0x80)."""
HOLD: Final = 0x80
COMMANDS_MAX: Final = 4
"""Off, on, toggle, step up, step down."""
LEFT: Final = 0x01
RIGHT: Final = 0x02
