"""The envelope: only who leaves it deviates, by how far in widths."""

from __future__ import annotations

import pytest

from citytwin_edge.kernels.anomaly.envelope import NUMBERS, envelope
from tests.edge.kernels.anomaly.one import Channel


def test_leaving_counts_in_widths_and_widens():
    channel = Channel(envelope, NUMBERS)
    for row in range(100):
        channel.take(float(row % 11))
    assert channel.take(5.0) == (0.0, 5.0)
    deviation, expected = channel.take(15.0)
    assert deviation == pytest.approx(0.5, rel=0.1)
    assert expected == pytest.approx(10.0, rel=0.05)
    assert channel.take(14.0)[0] == 0.0


def test_it_is_drawn_together_where_nothing_comes():
    channel = Channel(envelope, NUMBERS)
    for value in [0.0, 100.0] + [50.0] * 3000:
        channel.take(value)
    assert channel.take(80.0)[0] > 1
