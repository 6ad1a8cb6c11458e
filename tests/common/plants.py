"""A made-up plant: a tank, two pumps by level, what flows and what it presses; hour by hour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

START_NS = 1_767_225_600 * 10**9
HOUR_NS = 3600 * 10**9
NAMES = ("tank/level", "pump-1/flow", "pump-1/status", "main/pressure", "main/flow", "spare/status")
LEVEL, FLOW, STATUS, PRESSURE, MAIN, SPARE = range(6)


def plant(days: int, seed: int = 1) -> npt.NDArray[np.float64]:
    """Return hours of a plant in which nothing is wrong, shape (24 * days, 6)."""
    random = np.random.default_rng(seed)
    level, running, rows = 3.0, 1.0, []
    for hour in range(24 * days):
        demand = 40 + 15 * np.sin(2 * np.pi * (hour % 24) / 24) + 3 * random.standard_normal()
        running = 1.0 if level < 2 else 0.0 if level > 4 else running
        flow = running * (80 - 4 * level) * (1 + 0.002 * random.standard_normal())
        pressure = 30 + 10 * level + 0.1 * flow + 0.02 * random.standard_normal()
        level += (flow - demand) / 150
        rows.append((level, flow, running, pressure, demand, 0.0))
    return np.array(rows)
