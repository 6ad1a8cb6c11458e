"""What tests of electricity kernels share: points, rough samples, a gateway's file."""

import numpy as np

from citytwin.batch import SECOND_NS, Batch
from citytwin.quality import Quality
from tests.edge.kernels.built import START_NS, on_a_gateway

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


def of_three(tmp_path, text, unit, samples):
    """Return what a gateway makes of samples of its points a, b, c: {id: (values, qualities)}."""
    return on_a_gateway(tmp_path, GATEWAY.replace("UNIT", unit) + text, samples)[1]
