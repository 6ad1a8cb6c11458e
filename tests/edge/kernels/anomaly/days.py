"""Days of a point with a daily course, every five minutes, and the chain over them."""

from __future__ import annotations

import numpy as np

from citytwin_edge.kernels.anomaly import paths
from citytwin_edge.kernels.anomaly.calendar import Calendar

STEP_S = 300
BEGIN = 1_767_225_600


def days(count: int, seed: int = 1) -> np.ndarray:
    """Return five-minute values: a daily course of 20 around 50, with noise."""
    rows = np.arange(count * 288)
    noise = np.random.default_rng(seed).normal(size=len(rows))
    return 50 + 20 * np.sin(rows / 288 * np.pi * 2) + noise


def samples(values: np.ndarray, channels: int = 1) -> paths.Samples:
    """Return the same values for each of some channels, one after the other in time."""
    rows = np.repeat(np.arange(len(values)), channels)
    time_ns = (BEGIN + rows.astype(np.int64) * STEP_S) * 10**9
    places = Calendar("UTC", "none", ()).places(time_ns)
    channel = np.tile(np.arange(channels, dtype=np.int32), len(values))
    return paths.Samples(channel, values[rows], time_ns / 1e9, *places)


def run(values: np.ndarray, budget: float = 1.0) -> np.ndarray:
    """Return what the chain tells of each value."""
    path = paths.NumpyPath(1, np.array([60.0]), np.array([budget]))
    return path.run(samples(values))
