"""Outlines: where the districts meet, typed along the streets, rivers and canals between them.

Derived from OpenStreetMap, © OpenStreetMap contributors (ODbL): the vertices are those of the
streets and rivers in ``places.py``, good to 100 m; between them, and in the mountains, an outline
is good to 1,500 m. No surveyed border.
"""

from __future__ import annotations

from typing import Final

Line = list[tuple[float, float]]
"""(latitude, longitude) of each vertex."""

# Where three districts meet.
_RAIYMBEK_AT_WEST: Final = (43.2375, 76.8095)
_RAIYMBEK_AT_RIVER: Final = (43.2553, 76.8638)
_RAIYMBEK_AT_RAIL: Final = (43.2610, 76.8860)
_RAIYMBEK_AT_NAZARBAYEV: Final = (43.2702, 76.9448)
_ABAY_AT_RIVER: Final = (43.2335, 76.8716)
_ABAY_AT_NAZARBAYEV: Final = (43.2425, 76.9483)
_SAIN_AT_AL_FARABI: Final = (43.1950, 76.8878)
_FOOTHILLS_WEST: Final = (43.1220, 76.9040)
_CANAL_AT_RIVER: Final = (43.2932, 76.9590)
_CANAL_EAST: Final = (43.2975, 77.0187)
_ESENTAI_MOUTH: Final = (43.3273, 76.9177)
_NORTH: Final = (43.3800, 76.9300)
_RAIYMBEK_END: Final = (43.2331, 76.7969)

# What lies between two districts, from one such place to the next.
_RAIYMBEK_WEST: Final[Line] = [
    _RAIYMBEK_AT_WEST, (43.2420, 76.8222), (43.2457, 76.8372), (43.2508, 76.8530),
    _RAIYMBEK_AT_RIVER,
]  # fmt: skip
_RAIYMBEK_SHORT: Final[Line] = [_RAIYMBEK_AT_RIVER, (43.2580, 76.8703), _RAIYMBEK_AT_RAIL]
_RAIYMBEK_EAST: Final[Line] = [_RAIYMBEK_AT_RAIL, (43.2694, 76.9309), _RAIYMBEK_AT_NAZARBAYEV]
_RIVER: Final[Line] = [
    _RAIYMBEK_AT_RIVER, (43.2493, 76.8637), (43.2379, 76.8694), _ABAY_AT_RIVER,
]  # fmt: skip
_RIVER_UP: Final[Line] = [
    _ABAY_AT_RIVER, (43.2317, 76.8724), (43.2197, 76.8840), (43.2103, 76.8848),
    _SAIN_AT_AL_FARABI,
]  # fmt: skip
_RIVER_TOP: Final[Line] = [_SAIN_AT_AL_FARABI, (43.1853, 76.8909), _FOOTHILLS_WEST]
_ABAY: Final[Line] = [
    _ABAY_AT_RIVER, (43.2361, 76.8755), (43.2387, 76.8897), (43.2396, 76.9040),
    (43.2411, 76.9273), (43.2421, 76.9431), _ABAY_AT_NAZARBAYEV,
]  # fmt: skip
_NAZARBAYEV: Final[Line] = [_RAIYMBEK_AT_NAZARBAYEV, (43.2549, 76.9467), _ABAY_AT_NAZARBAYEV]
_TO_THE_PEAKS: Final[Line] = [
    _ABAY_AT_NAZARBAYEV, (43.2284, 76.9502), (43.1900, 76.9650), (43.1300, 76.9800),
    (43.0340, 76.9850),
]  # fmt: skip
_ZHANDOSOV: Final[Line] = [
    _SAIN_AT_AL_FARABI, (43.1984, 76.8423), (43.2095, 76.8426), (43.2164, 76.8395),
    (43.2270, 76.8150), _RAIYMBEK_AT_WEST,
]  # fmt: skip
_ESENTAI: Final[Line] = [
    _RAIYMBEK_AT_RAIL, (43.2926, 76.8956), (43.3006, 76.9029), (43.3171, 76.9089),
    _ESENTAI_MOUTH,
]  # fmt: skip
_ALMATINKA: Final[Line] = [
    _RAIYMBEK_AT_NAZARBAYEV, (43.2709, 76.9522), (43.2721, 76.9667), (43.2784, 76.9657),
    _CANAL_AT_RIVER,
]  # fmt: skip
_SUYUNBAY: Final[Line] = [_CANAL_AT_RIVER, (43.2956, 76.9475), (43.3305, 76.9600), _NORTH]
_CANAL: Final[Line] = [_CANAL_AT_RIVER, (43.2974, 76.9910), _CANAL_EAST]


def _back(line: Line) -> Line:
    return line[::-1]


OUTLINES: Final[dict[str, Line]] = {
    "almaly": [
        *_RAIYMBEK_SHORT, *_RAIYMBEK_EAST, *_NAZARBAYEV, *_back(_ABAY), *_back(_RIVER),
    ],
    "auezov": [*_RIVER, *_RIVER_UP, *_ZHANDOSOV, *_RAIYMBEK_WEST],
    "bostandyk": [
        *_ABAY, *_TO_THE_PEAKS, (43.0340, 76.9300), *_back(_RIVER_TOP), *_back(_RIVER_UP),
    ],
    "medeu": [
        *_NAZARBAYEV, *_TO_THE_PEAKS, (43.0340, 77.1000), (43.1285, 77.1400), (43.2300, 77.0700),
        *_back(_CANAL), *_back(_ALMATINKA),
    ],
    "zhetysu": [
        *_ESENTAI, *_back(_SUYUNBAY), *_back(_ALMATINKA), *_back(_RAIYMBEK_EAST),
    ],
    "turksib": [
        *_SUYUNBAY, (43.4030, 77.0000), (43.3900, 77.0900), (43.3151, 77.0776), *_back(_CANAL),
    ],
    "alatau": [
        *_RAIYMBEK_WEST, *_RAIYMBEK_SHORT, *_ESENTAI, (43.3550, 76.9150), (43.3425, 76.8799),
        (43.3346, 76.8384), (43.3326, 76.7717), (43.2930, 76.7450), (43.2550, 76.7600),
        _RAIYMBEK_END, _RAIYMBEK_AT_WEST,
    ],
    "nauryzbay": [
        *_RIVER_TOP, (43.1230, 76.8700), (43.1500, 76.8300), (43.1900, 76.7750), _RAIYMBEK_END,
        *_back(_ZHANDOSOV),
    ],
}  # fmt: skip
"""Each district's ring, by its id; closed, a vertex that two lines share stands twice."""


def ring(district_id: str) -> list[list[float]]:
    """Return a district's closed outline as GeoJSON wants it: [longitude, latitude], no repeats."""
    line = OUTLINES[district_id]
    distinct = [at for index, at in enumerate(line) if index == 0 or at != line[index - 1]]
    if distinct[0] != distinct[-1]:
        distinct.append(distinct[0])
    return [[lon, lat] for lat, lon in distinct]
