"""Runs kernels that watch stations over minutes."""

import numpy as np

from citytwin import Batch
from tests.edge.kernels.built import START_NS

MINUTE_NS = 60 * 10**9


def minutes(*rows):
    """Return samples of every input in each minute, a row of values for each."""
    values = np.array(rows, float)
    count, inputs = values.shape
    times = START_NS + np.repeat(np.arange(count), inputs) * MINUTE_NS
    return Batch.of(np.tile(np.arange(inputs), count), times, values.ravel())


def told(kernel, batch):
    """Return the minute and value of each transition."""
    made = kernel.step(batch)
    return [
        ((time_ns - START_NS) // MINUTE_NS, value)
        for time_ns, value in zip(made.time_ns.tolist(), made.value.tolist(), strict=True)
    ]
