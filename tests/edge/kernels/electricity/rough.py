"""What tests of electricity kernels share: points, rough samples, a gateway's file."""

import numpy as np

from citytwin.batch import SECOND_NS, Batch
from citytwin.quality import Quality
from citytwin_edge.config import load
from citytwin_edge.kernels import build as build_all
from citytwin_edge.pipeline import Pipeline

START_NS = 1_767_225_600 * SECOND_NS
"""2026-01-01 00:00 UTC."""
GATEWAY = """\
[gateway]
name = "g"
[[device]]
name = "m"
adapter = "modbus"
host = "192.0.2.7"
point = [
  { name = "a", unit = "UNIT", table = "input", address = 0 },
  { name = "b", unit = "UNIT", table = "input", address = 1 },
  { name = "c", unit = "UNIT", table = "input", address = 2 },
]
[[kernel]]
name = "k"
"""


def at(*seconds):
    return [START_NS + round(second * SECOND_NS) for second in seconds]


def once(kernel, *values):
    """Return value and quality of what one sample of each input gives."""
    made = kernel.step(Batch.of(range(len(values)), START_NS, values))
    assert len(made) == 1
    return made.value[0], made.quality[0]


def rough(inputs, low, high, *, seed=1, count=600, steps=(0, 1, 1, 1, 30, 200, -30)):
    """Return samples with gaps, bad and doubtful qualities, repeated and late stamps."""
    random = np.random.default_rng(seed)
    quality = random.choice(
        [*[Quality.GOOD] * 5, Quality.BAD_SILENT, Quality.UNCERTAIN_CLOCK], count
    )
    value = np.where(quality == Quality.BAD_SILENT, np.nan, random.uniform(low, high, count))
    time_ns = START_NS + 10**13 + np.cumsum(random.choice(steps, count)) * SECOND_NS
    return Batch.of(random.integers(0, inputs, count), time_ns, value, quality)


def on_a_gateway(tmp_path, text, unit, samples):
    """Return what a gateway makes of samples of its points a, b, c: {id: (values, qualities)}."""
    path = tmp_path / "edge.toml"
    path.write_text(GATEWAY.replace("UNIT", unit) + text)
    config = load(path)
    kernels = build_all([(one.point, one.rules) for one in config.points], config.kernels)
    points = [one.point for one in config.points]
    points += [point for kernel in kernels.values() for point in kernel.outputs]
    pipeline = Pipeline(kernels, points, np.arange(len(points), dtype=np.int32))
    pipeline.take(samples)
    made = pipeline.tick().telemetry
    found = {}
    for number, point in enumerate(points):
        mine = made.select(made.point == number)
        found[point.id] = (mine.value.tolist(), mine.quality.tolist())
    return found
