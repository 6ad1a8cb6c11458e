"""From samples to a fit and to a table: steps, names, limits."""

import tomllib
from array import array

import numpy as np
import pytest

from citytwin import plant_table
from citytwin.errors import CityTwinError
from citytwin.plant import read as read_model
from citytwin.plant_fit import CELLS_MAX, fit
from citytwin.plant_table import History, Samples, fitted, kernel_table, step_of, steps, told
from tests.common.plants import NAMES, START_NS, plant

SECOND = 10**9


def samples_of(seconds, values):
    times = (np.asarray(seconds) * SECOND).astype(np.int64)
    return Samples(array("q", times.tolist()), array("d", np.asarray(values, float).tolist()))


def test_samples_of_a_step_are_averaged():
    samples = {
        "a/x": samples_of([0, 30, 60, 200], [1.0, 3.0, 5.0, 7.0]),
        "a/y": samples_of([65], [4.0]),
    }
    start_ns, table = steps(samples, 60)
    assert start_ns == 0
    assert np.array_equal(
        table, [[2.0, np.nan], [5.0, 4.0], [np.nan, np.nan], [7.0, np.nan]], equal_nan=True
    )


@pytest.mark.parametrize(
    ("periods", "step"), [((1, 7), 10), ((60, 59.9), 60), ((3600, 1), 3600), ((1e6, 1), 14_400)]
)
def test_the_step_is_what_the_rarest_point_allows(periods, step):
    samples = {
        f"a/p{number}": samples_of(np.arange(50) * period, np.ones(50))
        for number, period in enumerate(periods)
    }
    samples["a/once"] = samples_of([5], [1.0])
    assert step_of(samples) == step


def test_too_many_steps_and_none_are_refused():
    far = samples_of([0, CELLS_MAX + 1], [1.0, 1.0])
    with pytest.raises(CityTwinError, match="take a longer --step"):
        steps({"a/b": far}, 1)
    with pytest.raises(CityTwinError, match="no good sample of any point"):
        steps({}, 60)


def test_the_table_is_what_a_gateway_reads():
    found = fit(NAMES, START_NS, 3600, plant(60))
    text = kernel_table(told(found, "plant"), "year.csv")
    (table,) = tomllib.loads(text)["kernel"]
    assert (table["name"], table["kernel"], table["inputs"]) == (
        "plant", "multivariate", list(NAMES),
    )  # fmt: skip
    assert table["threshold"] == found.threshold()
    assert read_model(table["model"]).names == NAMES
    assert "1439 steps of 3600 s (60 days) of 6 points" in text
    assert "Hardly moved, so an alarm if they do: spare/status." in text


def test_a_history_is_gathered_by_point():
    history = History("the hub", ["*.alarm", "g/x/*"])
    for name in ("g/b/p", "g/a/p", "g/a/p.alarm", "g/x/y", "g/a/p"):
        history.add(name, [1, 2], [3.0, 4.0])
    history.add("g/a/silent", [], [])
    found = history.points()
    assert list(found) == ["a/p", "b/p"]
    assert found["a/p"].value.tolist() == [3.0, 4.0, 3.0, 4.0]


def test_a_history_has_limits(monkeypatch):
    monkeypatch.setattr(plant_table, "SAMPLES_MAX", 3)
    monkeypatch.setattr(plant_table, "POINTS_MAX", 1)
    history = History("the hub")
    history.add("g/a/p", [1, 2], [3.0, 4.0])
    with pytest.raises(CityTwinError, match="the hub: has over 1 points"):
        history.add("g/a/q", [1], [3.0])
    with pytest.raises(CityTwinError, match="the hub: has over 3 samples"):
        history.add("g/a/p", [1, 2], [3.0, 4.0])


def test_points_of_two_gateways_and_other_names_are_refused():
    history = History("the hub")
    history.add("g/a/p", [1], [1.0])
    history.add("h/a/p", [1], [1.0])
    with pytest.raises(CityTwinError, match="the gateways g, h; a kernel watches one"):
        history.points()
    short = History("the hub")
    short.add("flow", [1], [1.0])
    with pytest.raises(CityTwinError, match="'flow' is not a point"):
        short.points()


def test_a_fit_of_samples_takes_the_step_that_they_allow():
    seconds = START_NS // SECOND + 3600 * np.arange(30 * 24)
    samples = {
        name: samples_of(seconds, column) for name, column in zip(NAMES, plant(30).T, strict=True)
    }
    assert fitted(samples, None).model.step_s == 3600
    assert fitted(samples, 7200).steps == 359
    with pytest.raises(CityTwinError, match="--step is at least 1 second, not 0"):
        fitted(samples, 0)
