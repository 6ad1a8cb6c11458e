"""Paths: numpy over all channels gives what it gives for each alone."""

from __future__ import annotations

import numpy as np
import pytest

from citytwin_edge.kernels.anomaly import paths
from tests.edge.kernels.anomaly.days import days, samples


def several(channels):
    return paths.NumpyPath(channels, np.full(channels, 60.0), np.full(channels, 1.0))


@pytest.mark.parametrize("whole", [True, False])
def test_channels_do_not_meet(whole):
    values = days(2)
    together, alone = several(3), several(1)
    some = samples(values, 3)
    if not whole:
        some = some.select(np.flatnonzero(some.channel != 1))
    told = together.run(some)
    own = alone.run(samples(values))
    for channel in (0, 2):
        assert (told[some.channel == channel] == own).all()
    assert (together.state[1] == (alone.state[0] if whole else 0)).all()
