"""A freeway of cells: incidents, queues from downstream, stop-and-go waves, and noisy stations.

Cell transmission model (C. F. Daganzo, 1994) with a triangular diagram: flow between two cells is
the least of what the one sends and the other takes. Many roads at once, each with one event.
"""

from typing import NamedTuple

import numpy as np

CELLS, CELL_KM, STEP_S = 24, 0.3, 10
FREE_KM_H, WAVE_KM_H, JAM = 100.0, 18.0, 300.0
CAPACITY = FREE_KM_H * WAVE_KM_H * JAM / (FREE_KM_H + WAVE_KM_H)
LANES, EFFECTIVE_M = 2, 6.5
STATIONS = np.arange(2, CELLS, 3)
"""The cells with a station, 0.9 km apart."""


class Roads(NamedTuple):
    """What stations saw: shape (roads, stations, minutes), and the truth, shape (roads,)."""

    occupancy: np.ndarray
    flow: np.ndarray
    kind: np.ndarray  # 0 nothing, 1 incident, 2 queue from downstream, 3 stop-and-go wave
    pair: np.ndarray  # the station upstream of an incident
    start: np.ndarray  # minutes
    end: np.ndarray


def drive(seed, roads=60, minutes=240):
    """Return roads of which two in five have an incident."""
    random = np.random.default_rng(seed)
    kind = np.arange(roads) % 5
    kind = np.where(kind >= 4, 1, kind)
    pair = random.integers(1, len(STATIONS) - 1, roads)
    cell = STATIONS[pair] + random.integers(1, 3, roads)
    start = random.integers(60, 160, roads)
    length = np.where(kind == 3, random.integers(3, 6, roads), random.integers(15, 40, roads))
    blocked = random.uniform(0.3, 0.5, roads)
    level = random.uniform(0.5, 0.85, roads)
    density = np.outer(level * CAPACITY / FREE_KM_H, np.ones(CELLS))
    seen = np.zeros((2, roads, len(STATIONS), minutes))
    drift = np.zeros(roads)
    for minute in range(minutes):
        drift = 0.98 * drift + random.normal(0, 0.012, roads)
        demand = CAPACITY * np.clip(level + drift + random.normal(0, 0.05, roads), 0.1, 0.95)
        on = (minute >= start) & (minute < start + length)
        most = np.full((roads, CELLS + 1), CAPACITY)
        hit = on & (kind == 1)
        most[hit, cell[hit] + 1] *= blocked[hit]
        most[on & (kind == 2), -1] *= 0.5
        most[on & (kind == 3), -1] *= 0.1
        for _ in range(60 // STEP_S):
            sends = np.minimum(np.column_stack([demand / FREE_KM_H, density]) * FREE_KM_H, most)
            takes = np.minimum(WAVE_KM_H * (JAM - density), CAPACITY)
            flow = np.minimum(sends, np.column_stack([takes, np.full(roads, np.inf)]))
            density = density + (flow[:, :-1] - flow[:, 1:]) * STEP_S / 3600 / CELL_KM
            seen[0, :, :, minute] += density[:, STATIONS] / (60 // STEP_S)
            seen[1, :, :, minute] += flow[:, STATIONS + 1] / (60 // STEP_S)
    occupancy = seen[0] / LANES * EFFECTIVE_M / 10
    occupancy *= random.normal(1, 0.08, occupancy.shape)
    occupancy += random.normal(0, 0.5, occupancy.shape)
    counted = seen[1] / 60 + random.normal(0, 0.6, seen[1].shape) * np.sqrt(seen[1] / 60)
    flows = 60 * np.round(np.maximum(counted, 0))
    return Roads(np.clip(occupancy, 0, 100), flows, kind, pair, start, start + length)


class Score(NamedTuple):
    """How an algorithm did.

    Attributes:
        found: incidents found, as a part of all.
        minutes: mean time to detection.
        false_per_day: false alarms per pair of stations and day.
    """

    found: float
    minutes: float
    false_per_day: float


def score(roads, alarms):
    """Return the figures; ``alarms(road, pair)`` yields the minutes in which one is raised."""
    delays, false = [], 0
    for road in range(len(roads.kind)):
        for pair in range(len(STATIONS) - 1):
            here = roads.kind[road] == 1 and roads.pair[road] == pair
            start, end = roads.start[road], roads.end[road]
            raised = alarms(road, pair)
            inside = [minute for minute in raised if here and start <= minute < end + 2]
            delays += [inside[0] - start] if inside else []
            # One that comes back while its queue dissolves is no new one, nor is it found late.
            false += sum(not (here and start <= minute < end + 15) for minute in raised)
    days = len(roads.kind) * (len(STATIONS) - 1) * roads.flow.shape[2] / 1440
    count = int((roads.kind == 1).sum())
    mean = float(np.mean(delays)) if delays else float("nan")
    return Score(len(delays) / count, mean, false / days)
