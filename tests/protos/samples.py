"""Batches for tests of the wire: any that hypothesis can think of, and a city's ordinary ones."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from citytwin.batch import Batch

NOW_NS = 1_767_225_600 * 10**9
SECOND_NS = 10**9

VALUES = st.one_of(
    st.floats(),
    st.integers(-(2**60), 2**60).map(float),
    st.integers(-(10**6), 10**6).map(lambda n: n / 10),
    st.integers(-(10**6), 10**6).map(lambda n: n * 0.01),
    st.integers(-(10**9), 10**9).map(lambda n: n / 10**6),
    st.floats(width=32, allow_nan=False),
    st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf, -np.inf, 5e-324, 1.7976931348623157e308]),
)
POINTS = st.one_of(st.integers(0, 9), st.integers(-(2**31), 2**31 - 1))
TIMES = st.one_of(
    st.integers(0, 5).map(lambda n: NOW_NS + n * SECOND_NS), st.integers(-(2**63), 2**63 - 1)
)
QUALITIES = st.one_of(st.sampled_from([0, 0x41, 0x81]), st.integers(0, 255))
SAMPLES = st.lists(st.tuples(POINTS, TIMES, VALUES, QUALITIES), max_size=60)


def batch_of(samples: list[tuple[int, int, float, int]]) -> Batch:
    """Return a batch of (point, time, value, quality)."""
    columns = list(zip(*samples, strict=True)) or [(), (), (), ()]
    return Batch(*(np.array(c, t) for c, t in zip(columns, "iqdB", strict=True)))


BATCHES = SAMPLES.map(batch_of)


def bits_of(batch: Batch) -> tuple[list[int], ...]:
    """Return the columns bit by bit; all NaN are one."""
    value = np.where(np.isnan(batch.value), np.nan, batch.value)
    return (
        batch.point.tolist(),
        batch.time_ns.tolist(),
        value.view(np.uint64).tolist(),
        batch.quality.tolist(),
    )


class Devices:
    """Registers like those of real devices, second by second, seeded.

    35 % registers of 0.1, 15 % that hardly move, 15 % of 0.01 °C, 10 % noisy float32, 15 %
    counters, 10 % booleans; the points of a device share one stamp, which jitters by up to 3 ms.
    """

    KINDS = np.repeat(
        ["tenth", "slow", "cents", "noise", "counter", "switch"], [35, 15, 15, 10, 15, 10]
    )

    def __init__(self, points: int, seed: int = 1, devices: int = 10) -> None:
        self._rng = np.random.default_rng(seed)
        self._kind = self.KINDS[self._rng.permutation(100)][np.arange(points) % 100]
        self._points = np.arange(points, dtype=np.int32)
        self._device = self._points * devices // points
        self._phase = self._rng.integers(0, SECOND_NS, devices)
        self._level = self._rng.integers(0, 5000, points).astype(np.float64)
        self._rate = self._rng.uniform(1, 10, points)
        self._raw = self._level.copy()
        self._raw[self._kind == "switch"] = 0
        self._second = 0

    def scan(self) -> Batch:
        """Return the next second: one sample of each point."""
        rng, kind, raw = self._rng, self._kind, self._raw
        count = len(raw)
        self._level += rng.normal(0, 0.3, count)
        raw = np.where(kind == "tenth", np.rint(self._level + rng.normal(0, 2, count)), raw)
        moves = rng.random(count) < 0.02
        raw = np.where((kind == "slow") & moves, raw + rng.integers(-5, 6, count), raw)
        raw = np.where(kind == "cents", raw + np.rint(rng.normal(0, 1.5, count)), raw)
        noise = (self._level * (1 + rng.normal(0, 0.01, count))).astype(np.float32)
        raw = np.where(kind == "noise", noise, raw)
        raw = np.where(kind == "counter", raw + rng.poisson(self._rate), raw)
        raw = np.where((kind == "switch") & (rng.random(count) < 0.01), 1 - raw, raw)
        self._raw = raw
        value = np.where(kind == "tenth", raw / 10, np.where(kind == "cents", raw / 100, raw))
        jitter = rng.integers(0, 3_000_000, len(self._phase))
        stamps = NOW_NS + self._second * SECOND_NS + self._phase + jitter
        self._second += 1
        return Batch.of(self._points, stamps[self._device], value)

    def block(self, samples: int) -> Batch:
        """Return as many seconds as make up so many samples."""
        return Batch.concat([self.scan() for _ in range(samples // len(self._points))])
