"""Builds kernels as the gateway does, and runs them from an edge.toml."""

import msgspec
import numpy as np

from citytwin import Batch, Point, Quality
from citytwin.batch import SECOND_NS
from citytwin_edge.config import load
from citytwin_edge.kernels import build
from citytwin_edge.pipeline import Pipeline

START_NS = 1_767_225_600 * SECOND_NS
"""2026-01-01 00:00 UTC."""
HEAD = """\
[gateway]
name = "g"
[[device]]
name = "d"
adapter = "modbus"
host = "192.0.2.7"
"""


def at(*seconds):
    return [START_NS + round(second * SECOND_NS) for second in seconds]


def settings(kind, /, **fields):
    """Decode the fields as the gateway does; what is wrong is a ValidationError."""
    return msgspec.convert(fields, kind.settings)


def built(kind, units, /, **fields):
    points = [Point(id=f"g/d/{number}", unit=unit) for number, unit in enumerate(units)]
    return kind.build(settings(kind, **fields), points)


def of(batch, number):
    """Return values and qualities of one point."""
    mine = batch.select(batch.point == number)
    return mine.value.tolist(), mine.quality.tolist()


def once(kernel, *values):
    """Return what one sample of each input gives: values, and the quality of the first."""
    made = kernel.step(Batch.of(np.arange(len(values)), START_NS, values))
    return made.value.tolist(), int(made.quality[0])


def shaken(seed, highest, steps, samples=4000, low=0.0):
    """Return samples some of these steps (s) apart: gaps, bad ones, late ones, clocks set back.

    ``highest``: of each input; values lie from ``low`` of it up, and now and then far outside.
    """
    random = np.random.default_rng(seed)
    passed = np.cumsum(random.choice(steps, samples))
    passed = passed + np.where(random.random(samples) < 0.02, -random.choice(steps, samples), 0)
    passed[samples // 2 :] -= 5000
    point = random.integers(0, len(highest), samples)
    value = np.array(highest)[point] * random.uniform(low, 1.0, samples)
    value = np.where(random.random(samples) < 0.01, -1e6, value)
    quality = random.choice([Quality.GOOD, Quality.BAD_SILENT], samples, p=[0.95, 0.05])
    some = slice(samples // 4, samples // 3)
    quality[some] = np.where(quality[some], quality[some], Quality.UNCERTAIN_CLOCK)
    value = np.where(quality == Quality.BAD_SILENT, np.nan, value)
    return Batch.of(point, START_NS + 10_000 * SECOND_NS + passed * SECOND_NS, value, quality)


def points(units):
    """Return the tables of points ``a``, ``b``, … of these units, behind HEAD in an edge.toml."""
    return "".join(
        f'[[device.point]]\nname = "{name}"\nunit = "{unit}"\ntable = "input"\naddress = {where}\n'
        for where, (name, unit) in enumerate(zip("abcdefgh", units, strict=False))
    )


def on_a_gateway(tmp_path, text, batch):
    """Load an edge.toml and run samples of its points through what a gateway makes of it.

    Returns the points that kernels derive, and {id of any point: (values, qualities)}.
    """
    path = tmp_path / "edge.toml"
    path.write_text(text)
    config = load(path)
    kernels = build([(one.point, one.rules) for one in config.points], config.kernels)
    derived = [point for kernel in kernels.values() for point in kernel.outputs]
    everything = [one.point for one in config.points] + derived
    pipeline = Pipeline(kernels, everything, np.arange(len(everything), dtype=np.int32))
    pipeline.take(batch)
    parcel = pipeline.tick()
    told = Batch.concat([parcel.telemetry, parcel.alarms])
    return derived, {point.id: of(told, number) for number, point in enumerate(everything)}


def run(tmp_path, units, table, batch):
    """Run samples of points of these units through kernels; see ``on_a_gateway``."""
    return on_a_gateway(tmp_path, HEAD + points(units) + table, batch)[1]
