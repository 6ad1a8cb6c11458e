"""Vehicles at a detector, for tests of what counts them."""

import numpy as np

from citytwin import Batch, Quality
from tests.edge.kernels.built import at


def vehicles(times_s, speeds, *, until_s, quality=Quality.GOOD):
    """Return a passage at each time, and one at ``until_s`` that closes what is before."""
    times = at(*times_s, until_s)
    values = [*speeds, 50.0]
    return Batch.of(np.zeros(len(times)), times, values, [quality] * len(speeds) + [0])
