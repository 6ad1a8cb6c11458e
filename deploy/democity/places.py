"""Places: where the demo city's things stand. Facts are typed in; what is invented says so.

Coordinates of districts, streets and rivers are derived from OpenStreetMap, © OpenStreetMap
contributors (ODbL), good to the metres that each table names. The pipes are EPANET's Net3.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from citytwin.point import Label

CENTRE_LAT: Final = 43.245
CENTRE_LON: Final = 76.905
_METRES_PER_DEGREE: Final = 111_320.0


class District(NamedTuple):
    """A district: id, name, centre (good to 1,500 m)."""

    id: str
    label: Label
    lat: float
    lon: float


DISTRICTS: Final = (
    District("medeu", Label("Медеу ауданы", "Медеуский район", "Medeu"), 43.240, 76.980),
    District("almaly", Label("Алмалы ауданы", "Алмалинский район", "Almaly"), 43.252, 76.910),
    District("auezov", Label("Әуезов ауданы", "Ауэзовский район", "Auezov"), 43.225, 76.847),
    District(
        "bostandyk", Label("Бостандық ауданы", "Бостандыкский район", "Bostandyk"), 43.205, 76.905
    ),
    District("zhetysu", Label("Жетісу ауданы", "Жетысуский район", "Zhetysu"), 43.300, 76.915),
    District("turksib", Label("Түрксіб ауданы", "Турксибский район", "Turksib"), 43.340, 76.985),
    District("alatau", Label("Алатау ауданы", "Алатауский район", "Alatau"), 43.290, 76.825),
    District(
        "nauryzbay", Label("Наурызбай ауданы", "Наурызбайский район", "Nauryzbay"), 43.200, 76.810
    ),
)

STREETS: Final = (
    (Label("Абай даңғылы", "пр. Абая", "Abay Ave"),
     [(43.2164, 76.8395), (43.2269, 76.8623), (43.2361, 76.8755), (43.2396, 76.9040),
      (43.2411, 76.9273), (43.2430, 76.9569)]),
    (Label("Төле би көшесі", "ул. Толе би", "Tole Bi St"),
     [(43.2377, 76.8239), (43.2459, 76.8559), (43.2509, 76.8881), (43.2535, 76.9257),
      (43.2556, 76.9554)]),
    (Label("Райымбек даңғылы", "пр. Райымбека", "Raiymbek Ave"),
     [(43.2331, 76.7969), (43.2457, 76.8372), (43.2580, 76.8703), (43.2694, 76.9309),
      (43.2721, 76.9667)]),
)  # fmt: skip
"""Main streets, good to 100 m."""

RIVERS: Final = (
    (Label("Есентай", "Есентай (Весновка)", "Esentai"),
     [(43.2156, 76.9413), (43.2185, 76.9334), (43.2313, 76.9207), (43.2601, 76.9153),
      (43.2734, 76.9065), (43.2926, 76.8956), (43.3171, 76.9089), (43.3273, 76.9177)]),
)  # fmt: skip


def position(east_m: float, north_m: float) -> tuple[float, float]:
    """Return (longitude, latitude) of a place in metres from the centre; good within 10 km."""
    lat = CENTRE_LAT + north_m / _METRES_PER_DEGREE
    lon = CENTRE_LON + east_m / (_METRES_PER_DEGREE * math.cos(math.radians(CENTRE_LAT)))
    return round(lon, 6), round(lat, 6)


def outline(district: District, radius_m: float = 2200.0) -> list[list[float]]:
    """Return a plain octagon about a district's centre: a sketch, not its border."""
    ring = []
    for corner in range(9):
        angle = math.radians(22.5 + 45 * corner)
        lat = district.lat + radius_m * math.sin(angle) / _METRES_PER_DEGREE
        scale = _METRES_PER_DEGREE * math.cos(math.radians(district.lat))
        ring.append([round(district.lon + radius_m * math.cos(angle) / scale, 5), round(lat, 5)])
    return ring


def nearest(lon: float, lat: float, districts: tuple[District, ...] = DISTRICTS) -> District:
    """Return the district whose centre is nearest."""
    return min(districts, key=lambda one: (one.lat - lat) ** 2 + ((one.lon - lon) * 0.73) ** 2)
