"""Sensors: air posts and road detectors that publish to the broker; their values are generated.

Air follows Almaty's winter: worst on still nights, better at noon. Traffic follows the day with two
peaks; speed falls as the road fills (Greenshields' linear relation of speed and density).
"""

from __future__ import annotations

import asyncio
import json
import math
from random import Random
from typing import Any, Final, NamedTuple

import aiomqtt

from citytwin.clock import Clock
from citytwin.point import Label
from democity.objects import FIELD, urn
from democity.truth import ALMATY_UTC_OFFSET_S, DAY_S, SECOND_NS

PERIOD_S: Final = 2.0
RETRY_S: Final = 1.0
FREE_KMH: Final = 60.0
JAM_VEH_KM: Final = 140.0


class Sensor(NamedTuple):
    """One sensor: its name, kind (air or road), label and place."""

    name: str
    kind: str
    label: Label
    lon: float
    lat: float

    @property
    def feeds(self) -> str:
        """The city object that it observes."""
        kind = "AirQualityObserved" if self.kind == "air" else "TrafficFlowObserved"
        return urn(kind, FIELD, self.name)


def _air(name: str, lat: float, lon: float) -> Sensor:
    number = name.removeprefix("air-").upper()
    label = Label(f"Ауа бекеті {number}", f"Пост воздуха {number}", f"Air post {number}")
    return Sensor(name, "air", label, lon, lat)


SENSORS: Final = (
    _air("air-27", 43.27596, 76.844797),
    _air("air-30", 43.298842, 76.851396),
    _air("air-31", 43.180181, 76.889563),
    _air("air-aqm1", 43.239134, 76.933558),
    _air("air-skat1", 43.219968, 76.926519),
    _air("air-skat6", 43.30075, 76.925961),
    Sensor("road-1", "road", Label("Райымбек – Назарбаев", "Райымбека – Назарбаева",
           "Raiymbek – Nazarbayev"), 76.94475, 43.27023),
    Sensor("road-2", "road", Label("Райымбек – Абылай хан", "Райымбека – Абылай хана",
           "Raiymbek – Abylai Khan"), 76.93963, 43.26986),
    Sensor("road-3", "road", Label("Абай – Сейфуллин", "Абая – Сейфуллина",
           "Abay – Seifullin"), 76.9330, 43.2413),
    Sensor("road-4", "road", Label("Төле би – Байзақов", "Толе би – Байзакова",
           "Tole Bi – Baizakov"), 76.9110, 43.2519),
)  # fmt: skip
"""Sites of Kazhydromet's air posts (good to 100 m) and crossings (good to 150 m), derived from
OpenStreetMap, © OpenStreetMap contributors (ODbL)."""


def reading(sensor: Sensor, now_ns: int, random: Random) -> dict[str, Any]:
    """Return what a sensor publishes at a moment."""
    hour = ((now_ns // SECOND_NS + ALMATY_UTC_OFFSET_S) % DAY_S) / 3600
    stamp = now_ns // 1_000_000
    if sensor.kind == "air":
        night = 0.5 + 0.5 * math.cos((hour - 2) / 24 * 2 * math.pi)
        pm25 = 25 + 60 * night + random.gauss(0, 3)
        return {
            "time": stamp,
            "pm25": round(max(pm25, 1.0), 1),
            "temperature": round(-4 - 5 * night + random.gauss(0, 0.2), 1),
        }
    peaks = math.exp(-((hour - 8.5) ** 2) / 4) + math.exp(-((hour - 18.5) ** 2) / 5)
    density = 8 + 70 * peaks + random.gauss(0, 2)
    density = min(max(density, 1.0), JAM_VEH_KM)
    speed = FREE_KMH * (1 - density / JAM_VEH_KM)
    return {"time": stamp, "speed": round(speed, 1), "flow": round(speed * density)}


async def publish(port: int, clock: Clock, seed: int = 1) -> None:
    """Publish for ever; while the broker is gone, try again."""
    random = Random(seed)
    while True:
        try:
            async with aiomqtt.Client("127.0.0.1", port, identifier="democity-field") as client:
                while True:
                    for sensor in SENSORS:
                        text = json.dumps(reading(sensor, clock.now_ns(), random))
                        await client.publish(f"city/{sensor.kind}/{sensor.name}", text, qos=0)
                    await asyncio.sleep(PERIOD_S)
        except aiomqtt.MqttError:
            await asyncio.sleep(RETRY_S)
