"""A gateway of one device and one kernel, and rough samples of its inputs."""

import numpy as np

from citytwin import Batch, Quality
from tests.edge.kernels.built import HEAD, on_a_gateway, points
from tests.edge.kernels.series import rough


def run(tmp_path, units, table, batch):
    """Run samples of points ``a``, ``b``, … of these units through a kernel of all of them.

    Returns its outputs and, for each, values and qualities.
    """
    inputs = ", ".join(f'"d/{name}"' for name in "abcdefgh"[: len(units)])
    kernel = f'[[kernel]]\nname = "k"\ninputs = [{inputs}]\n{table}'
    derived, told = on_a_gateway(tmp_path, HEAD + points(units) + kernel, batch)
    return derived, [told[point.id] for point in derived]


def shaken(seed, centres, widths, samples=800):
    """Return rough samples, each input around a centre."""
    batch = rough(seed, samples, len(centres), bad=0.1)
    value = np.array(centres)[batch.point] + np.array(widths)[batch.point] * np.sin(batch.value / 3)
    value = np.where(np.isnan(batch.value), np.nan, value)
    return Batch(batch.point, batch.time_ns, value, batch.quality)


def days(seed, widths, samples=12_000):
    """Return samples a minute or so apart, for days: gaps, repeated, late, clocks set back."""
    random = np.random.default_rng(seed)
    steps = random.choice(
        [0, 20, 40, 90, 1500, 20_000, -30, -9000],
        samples, p=[0.1, 0.3, 0.3, 0.289, 0.004, 0.001, 0.005, 0.001],
    )  # fmt: skip
    point = random.integers(0, len(widths), samples)
    quality = random.choice(
        [Quality.GOOD, Quality.UNCERTAIN_RANGE, Quality.BAD_SILENT], samples, p=[0.94, 0.03, 0.03]
    )
    value = np.array(widths)[point] * random.uniform(0.5, 1.5, samples)
    value = np.where(quality == Quality.BAD_SILENT, np.nan, value)
    time_ns = (1_767_225_600 + np.cumsum(steps)) * 10**9
    return Batch.of(point, time_ns, value, quality)
