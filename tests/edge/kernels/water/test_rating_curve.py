"""Rating curve: rows, segments, what lies beyond what was gauged, and what is refused."""

import math

import msgspec
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.water.rating_curve import RATING_CURVE
from tests.edge.kernels.built import built, once, settings
from tests.edge.kernels.water.running import run, shaken

TABLE = {"table": [[0.2, 0.0], [0.5, 1.2], [1.0, 5.0], [2.0, 21.0]], "beyond_m": 0.1}
LAW = {"from_m": 0.3, "c": 4.0, "zero": 0.1, "exponent": 2.0}
LAWS = {
    "segment": [
        LAW,
        {"from_m": 1.1, "c": 5.0, "zero": 0.3, "exponent": 1.5},
    ],
    "stage_m_max": 3.3,
    "beyond_m": 0.3,
}


@pytest.mark.parametrize(
    ("curve", "stage", "flow", "quality"),
    [
        (TABLE, 0.2, 0.0, Quality.GOOD),
        (TABLE, 0.35, 0.6, Quality.GOOD),
        (TABLE, 1.0, 5.0, Quality.GOOD),
        (TABLE, 1.25, 9.0, Quality.GOOD),
        (TABLE, 2.0, 21.0, Quality.GOOD),
        (TABLE, 2.05, 21.8, Quality.UNCERTAIN_RANGE),
        (TABLE, 2.2, None, Quality.BAD_OUT_OF_RANGE),
        (TABLE, 0.15, 0.0, Quality.UNCERTAIN_RANGE),
        (TABLE, 0.05, None, Quality.BAD_OUT_OF_RANGE),
        (LAWS, 0.3, 4 * 0.2**2, Quality.GOOD),
        (LAWS, 1.0999, 4 * 0.9999**2, Quality.GOOD),
        (LAWS, 1.1, 5 * 0.8**1.5, Quality.GOOD),
        (LAWS, 3.3, 5 * 3**1.5, Quality.GOOD),
        (LAWS, 3.5, 5 * 3.2**1.5, Quality.UNCERTAIN_RANGE),
        (LAWS, 0.2, 4 * 0.1**2, Quality.UNCERTAIN_RANGE),
        (LAWS, 0.05, 0.0, Quality.UNCERTAIN_RANGE),
        (LAWS, -0.1, None, Quality.BAD_OUT_OF_RANGE),
        (LAWS, 3.7, None, Quality.BAD_OUT_OF_RANGE),
    ],
)
def test_stage_to_flow(curve, stage, flow, quality):
    (found,), said = once(built(RATING_CURVE, ["m"], **curve), stage)
    assert said == quality
    if flow is None:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(flow)


def test_centimetres_of_a_staff_gauge_will_do():
    (found,), _ = once(built(RATING_CURVE, ["cm"], **TABLE), 125)
    assert found == pytest.approx(9)


@pytest.mark.parametrize("curve", [TABLE, LAWS])
def test_it_keeps_every_promise(curve):
    made = check_kernel(lambda: built(RATING_CURVE, ["m"], **curve), shaken(3, [1.2], [3]))
    assert set(made.quality.tolist()) >= {
        Quality.GOOD, Quality.UNCERTAIN_RANGE, Quality.BAD_OUT_OF_RANGE
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "either table or segment"),
        (TABLE | LAWS, "either table or segment"),
        ({"table": [[0, 0]]}, "from 2 to 1000 rows"),
        ({"table": [[0, 0], [0, 1]]}, "table must rise"),
        ({"table": [[0, 2], [1, 1]]}, "table must rise"),
        ({"table": [[0, -1], [1, 1]]}, "flow below 0"),
        ({"table": [[0, float("nan")], [1, 1]]}, "table must hold numbers"),
        (TABLE | {"stage_m_max": 3.0}, "stage_m_max belongs to segment"),
        (TABLE | {"beyond_m": -1}, "beyond_m must not be below 0"),
        ({"segment": [LAW]}, "stage_m_max must be above from_m"),
        ({"segment": [LAW, LAW], "stage_m_max": 3}, "must begin above the one before"),
        ({"segment": [LAW | {"c": 0}], "stage_m_max": 3}, "c must be above 0"),
        ({"segment": [LAW | {"exponent": 0}], "stage_m_max": 3}, "exponent must be above 0"),
        ({"segment": [LAW | {"zero": 1}], "stage_m_max": 3}, "must not be below zero"),
        ({"segment": [LAW | {"zero": float("nan")}], "stage_m_max": 3}, "zero must be a number"),
        ({"segment": [LAW] * 21, "stage_m_max": 3}, "at most 20 segments"),
        (TABLE | {"colour": 1}, "unknown field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        settings(RATING_CURVE, **fields)


def test_another_input_is_refused():
    with pytest.raises(ConfigError, match="input 1 is the stage, in m"):
        built(RATING_CURVE, ["bar"], **TABLE)


def test_a_gateway_runs_it(tmp_path):
    table = (
        'kernel = "rating-curve"\nstage_m_max = 3.3\n'
        "[[kernel.segment]]\nfrom_m = 0.3\nc = 4\nzero = 0.1\nexponent = 2\n"
        "[[kernel.segment]]\nfrom_m = 1.1\nc = 5\nzero = 0.3\nexponent = 1.5\n"
    )
    points, found = run(tmp_path, ["cm"], table, Batch.of([0], 1_767_225_600 * 10**9, [330]))
    assert [point.id for point in points] == ["g/d/a.flow"]
    assert found[0][0] == pytest.approx([5 * 3**1.5])
