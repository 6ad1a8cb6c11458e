"""Gateways: which device belongs to which, and the configuration files that their agents read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from citytwin.point import Label
from democity.devices import Device, Register
from democity.instruments import INSTRUMENTS, Instrument, Quantity
from democity.objects import Placed
from democity.places import DISTRICTS, District, nearest
from democity.sensors import SENSORS, Sensor

GATEWAYS: Final = tuple(
    district
    for district in DISTRICTS
    if district.id in {"almaly", "auezov", "bostandyk", "zhetysu"}
)
"""One gateway at the centre of each of these districts."""
FLUSH_MS: Final = 500
BESIDE: Final = 0.0006
"""Degrees by which instruments stand beside each other, so that the map shows them all."""


def gateway_name(district: District) -> str:
    """Return the name of a district's gateway."""
    return f"{district.id}-1"


def assigned(devices: list[Device]) -> dict[str, list[Device]]:
    """Return each gateway's devices: the nearest ones; a serial line stays in one hand."""
    result: dict[str, list[Device]] = {gateway_name(district): [] for district in GATEWAYS}
    lines: dict[str, str] = {}
    for device in devices:
        name = gateway_name(nearest(device.lon, device.lat, GATEWAYS))
        if device.line != "tcp":
            name = lines.setdefault(device.line, name)
        result[name].append(device)
    return result


def write_configs(
    folder: Path,
    devices: list[Device],
    endpoints: dict[str, dict[str, Any]],
    hub: str,
    broker_port: int,
) -> dict[str, Path]:
    """Write every gateway's TOML; return the files by gateway."""
    files = {}
    for district in GATEWAYS:
        name = gateway_name(district)
        parts = [_gateway(district, hub)]
        parts += [_device(one, endpoints[one.name]) for one in assigned(devices)[name]]
        parts += [
            _sensor(one, broker_port)
            for one in SENSORS
            if nearest(one.lon, one.lat, GATEWAYS) == district
        ]
        parts += [
            _instrument(one, number, place, endpoints[one.name])
            for number, (one, place) in enumerate(_placed(devices))
            if one.name in endpoints and nearest(*place, GATEWAYS) == district
        ]
        path = folder / name / "edge.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(parts), encoding="utf-8")
        files[name] = path
    return files


def fed(devices: list[Device]) -> Iterator[Placed]:
    """Yield what every device and sensor of the city gives its points to."""
    for device in devices:
        yield Placed(device.feeds, device.label, device.lon, device.lat)
    for sensor in SENSORS:
        yield Placed(sensor.feeds, sensor.label, sensor.lon, sensor.lat)
    for one, (lon, lat) in _placed(devices):
        yield Placed(one.feeds, one.label, lon, lat)


def _placed(devices: list[Device]) -> list[tuple[Instrument, tuple[float, float]]]:
    """Return each instrument with its longitude and latitude, those of what it stands beside."""
    places = {one.name: (one.lon, one.lat) for one in devices}
    return [
        (one, places[one.where] if isinstance(one.where, str) else one.where) for one in INSTRUMENTS
    ]


def _gateway(district: District, hub: str) -> str:
    return f"""# Made by the demo city at every start.
[gateway]
name = "{gateway_name(district)}"
state = "state"
hub = "{hub}"
place = [{district.lon}, {district.lat}]
label = {_label(district.label)}

[outbox]
size_mb_max = 64
flush_ms = {FLUSH_MS}
"""


def _device(device: Device, endpoint: dict[str, Any]) -> str:
    lines = [
        "[[device]]",
        f'name = "{device.name}"',
        'adapter = "modbus"',
        f"label = {_label(device.label)}",
        f"place = [{device.lon}, {device.lat}]",
        f"unit = {endpoint['unit']}",
    ]
    if "serial" in endpoint:
        lines += ['transport = "rtu"', f'serial = "{endpoint["serial"]}"', "baud = 19200"]
    else:
        lines += [f'host = "{endpoint["host"]}"', f"port = {endpoint['port']}"]
    for register in device.registers:
        lines += _point(device, register)
    return "\n".join([*lines, ""])


def _point(device: Device, register: Register) -> list[str]:
    lines = [
        "[[device.point]]",
        f'name = "{register.name}"',
        f'unit = "{register.unit}"',
        f'kind = "{register.kind}"',
        'table = "holding"',
        f"address = {register.address}",
        f'type = "{register.type}"',
        f"scale = {register.scale}",
        f"label = {_label(register.label)}",
        f'feeds = "{device.feeds}"',
        f'attribute = "{register.attribute or register.name}"',
    ]
    return [*lines, *_spans(register), *register.extra.splitlines()]


def _instrument(
    one: Instrument, number: int, place: tuple[float, float], endpoint: dict[str, Any]
) -> str:
    lon = round(place[0] + BESIDE * (1 + number), 6)
    lines = [
        "[[device]]",
        f'name = "{one.name}"',
        'adapter = "serial"',
        f'serial = "{endpoint["serial"]}"',
        f"label = {_label(one.label)}",
        f"place = [{lon}, {place[1]}]",
        one.settings,
    ]
    for quantity in one.quantities:
        lines += [
            "[[device.point]]",
            f'name = "{quantity.name}"',
            f'unit = "{quantity.unit}"',
            f'kind = "{quantity.kind}"',
            quantity.place,
            f"label = {_label(quantity.label)}",
            f'feeds = "{one.feeds}"',
            f'attribute = "{_camel(quantity.name)}"',
            *_spans(quantity),
        ]
    return "\n".join([*lines, ""])


def _camel(name: str) -> str:
    """Return a point's name as an attribute of a city object is written."""
    first, *more = name.split("-")
    return first + "".join(word.capitalize() for word in more)


def _spans(of: Register | Quantity) -> list[str]:
    spans = {name: getattr(of, name) for name in ("valid", "normal", "writable")}
    return [f"{name} = [{span[0]}, {span[1]}]" for name, span in spans.items() if span is not None]


_SENSOR_POINTS: Final = {
    "air": (
        ("pm25", "ug/m3", Label("PM2,5", "PM2,5", "PM2.5"), (0, 1000), (0, 160)),
        ("temperature", "Cel", Label("Температура", "Температура", "Temperature"), (-50, 60), None),
    ),
    "road": (
        ("flow", "{vehicles}/h", Label("Ағын", "Интенсивность", "Flow"), (0, 4000), None),
        ("speed", "km/h", Label("Жылдамдық", "Скорость", "Speed"), (0, 150), (5, 90)),
    ),
}


def _sensor(sensor: Sensor, port: int) -> str:
    lines = [
        "[[device]]",
        f'name = "{sensor.name}"',
        'adapter = "mqtt"',
        'host = "127.0.0.1"',
        f"port = {port}",
        'version = "3.1.1"',
        "stale_after_s = 20",
        'time = { path = "$.time" }',
        "backoff_s = 1",
        "backoff_s_max = 5",
        f"label = {_label(sensor.label)}",
        f"place = [{sensor.lon}, {sensor.lat}]",
    ]
    for name, unit, label, valid, normal in _SENSOR_POINTS[sensor.kind]:
        lines += [
            "[[device.point]]",
            f'name = "{name}"',
            f'unit = "{unit}"',
            f'topic = "city/{sensor.kind}/{sensor.name}"',
            f'path = "$.{name}"',
            f"label = {_label(label)}",
            f"valid = [{valid[0]}, {valid[1]}]",
            f'feeds = "{sensor.feeds}"',
            f'attribute = "{name}"',
        ]
        if normal is not None:
            lines.append(f"normal = [{normal[0]}, {normal[1]}]")
    return "\n".join([*lines, ""])


def _label(label: Label) -> str:
    return f'{{ kk = "{label.kk}", ru = "{label.ru}", en = "{label.en}" }}'
