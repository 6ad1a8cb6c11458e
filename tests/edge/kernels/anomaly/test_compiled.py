"""The compiled path: bit by bit what numpy gives, on samples as rough as the field's."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin.point import Point
from citytwin_edge.kernels.anomaly import paths
from citytwin_edge.kernels.anomaly.compiled import CompiledPath
from citytwin_edge.kernels.anomaly.kernel import Anomaly
from citytwin_edge.kernels.anomaly.settings import AnomalySettings
from tests.edge.kernels.anomaly.days import days, samples
from tests.edge.kernels.anomaly.roughness import rough

SETTINGS = (
    AnomalySettings(budget=1000.0, trace=True, every_s=1.0),
    AnomalySettings(budget=4.0),
    AnomalySettings(every_s=5.0, time_zone="UTC", holidays="none"),
)


def both(batch):
    points = [Point(id=f"g/d/p{number}") for number in range(len(SETTINGS))]
    for make_path in (CompiledPath, paths.NumpyPath):
        kernel = Anomaly(points, SETTINGS, make_path)
        yield kernel.step(batch), kernel.snapshot()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), step_s=st.sampled_from([0.5, 20.0, 300.0, 7200.0]))
def test_samples_of_all_kinds_give_the_same_alarms_and_the_same_state(seed, step_s):
    (compiled, one), (numpy, other) = both(rough(seed, 400, len(SETTINGS), step_s))
    assert compiled == numpy
    assert one == other


def test_weeks_give_the_same_scores_to_the_last_bit():
    values = days(21)
    values[3000:3100] += 15
    made = [kind(2, np.full(2, 60.0), np.full(2, 2.0)) for kind in (CompiledPath, paths.NumpyPath)]
    told = [path.run(samples(values, 2)) for path in made]
    assert (told[0] == told[1]).all()
    assert told[0][:, paths.EVENT].max() > 0, "otherwise nothing is proven"
    assert (made[0].state == made[1].state).all()
    assert (made[0].counts == made[1].counts).all()
