"""Gateways: which device belongs to which, and the configuration files that their agents read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from citytwin.point import Label
from democity.devices import Device, Register
from democity.places import DISTRICTS, District, nearest
from democity.sensors import SENSORS, Sensor

GATEWAYS: Final = tuple(
    district
    for district in DISTRICTS
    if district.id in {"almaly", "auezov", "bostandyk", "zhetysu"}
)
"""One gateway at the centre of each of these districts."""
FLUSH_MS: Final = 500


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
        path = folder / name / "edge.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(parts), encoding="utf-8")
        files[name] = path
    return files


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
        f'attribute = "{register.name}"',
    ]
    for name in ("valid", "normal", "writable"):
        span = getattr(register, name)
        if span is not None:
            lines.append(f"{name} = [{span[0]}, {span[1]}]")
    return [*lines, *register.extra.splitlines()]


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
            'time_path = "$.time"',
            f"label = {_label(label)}",
            f"valid = [{valid[0]}, {valid[1]}]",
        ]
        if normal is not None:
            lines.append(f"normal = [{normal[0]}, {normal[1]}]")
    return "\n".join([*lines, ""])


def _label(label: Label) -> str:
    return f'{{ kk = "{label.kk}", ru = "{label.ru}", en = "{label.en}" }}'
