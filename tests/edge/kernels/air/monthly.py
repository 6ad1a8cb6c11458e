"""Means of 20 minutes over days, for tests of what counts up months."""

import numpy as np

from citytwin import Batch
from tests.edge.kernels.built import at

LOCAL_H = 5
"""Almaty; its days begin at 19:00 UTC."""


def days(*rows, first=0):
    """Return samples every 20 minutes: of each day and input one row of 72 values, or one value.

    ``first``: the local day of January 2026 with which they begin, from 0. One sample more ends it.
    """
    batches = []
    for day, inputs in enumerate(rows, first):
        start_s = day * 86_400 - LOCAL_H * 3600
        for point, values in enumerate(inputs):
            column = np.broadcast_to(np.asarray(values, float), (72,))
            known = np.isfinite(column)
            times = np.array(at(*(start_s + np.arange(72) * 1200)), np.int64)
            count = int(known.sum())
            batches.append(
                Batch.of(np.full(count, point), times[known], column[known], [0] * count)
            )
    whole = Batch.concat(batches)
    end = at((first + len(rows)) * 86_400 - LOCAL_H * 3600)
    ordered = whole.select(np.argsort(whole.time_ns, kind="stable"))
    return Batch.concat([ordered, Batch.of([0], end, [0])])
