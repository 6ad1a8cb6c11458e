"""Rough samples for the chain: gaps, repeats, late ones, clocks set back, values out of range."""

from __future__ import annotations

import numpy as np

from citytwin import Batch, Quality
from tests.edge.kernels.anomaly.days import BEGIN


def rough(seed: int, count: int, points: int, step_s: float) -> Batch:
    """Return samples of some points, ``step_s`` apart as a rule."""
    random = np.random.default_rng(seed)
    steps = random.choice([1, 1, 1, 0, 0.3, 10, 300, -2, -5000], count,
                          p=[0.25, 0.25, 0.25, 0.05, 0.1, 0.05, 0.02, 0.02, 0.01])  # fmt: skip
    time_ns = BEGIN * 10**9 + np.cumsum(steps * step_s * 1e9).astype(np.int64)
    value = random.normal(size=count) * random.choice([1, 1, 1, 30], count)
    value += 5 * np.sin(time_ns / 1e9 / 86_400 * np.pi * 2)
    odd = random.random(count) < 0.03
    value[odd] = random.choice(
        [np.nan, np.inf, -np.inf, 1e300, -1e16, 1e15, 0.0, 1e-310], odd.sum()
    )
    quality = random.choice(
        [Quality.GOOD] * 6 + [Quality.UNCERTAIN_CLOCK, Quality.UNCERTAIN_RANGE, Quality.BAD_SILENT],
        count,
    ).astype(np.uint8)
    value[quality == Quality.BAD_SILENT] = np.nan
    return Batch(random.integers(0, points, count).astype(np.int32), time_ns, value, quality)
