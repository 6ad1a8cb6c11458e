"""Samples of whole hours, for tests of what looks at hours."""

import numpy as np

from citytwin import Batch, Quality
from tests.edge.kernels.built import at


def hours(means, *, quality=Quality.GOOD, every_s=300):
    """Return samples for hours, oldest first, NaN for none, and one that closes the last."""
    count = 3600 // every_s
    times = np.array(at(*np.arange(len(means) * count) * every_s), np.int64)
    value = np.repeat(np.asarray(means, float), count)
    keep = np.isfinite(value)
    end = Batch.of([0], at(len(means) * 3600), [0])
    return Batch.concat(
        [Batch.of(np.zeros(keep.sum()), times[keep], value[keep], [quality] * keep.sum()), end]
    )
