"""Plant fit: a model of a plant out of its history; ridge regression, judged on unseen blocks.

Source: A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal
problems", Technometrics 12, 1970; the residual of a channel given all the others is that of the
joint normal distribution (partial regression). Limits come of residuals of blocks that were left
out of the fit, so that a channel which seldom moves is not taken for known better than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from citytwin.batch import SECOND_NS, Float64
from citytwin.errors import CityTwinError
from citytwin.plant import (
    BASE,
    CHANNELS_MAX,
    CHANNELS_MIN,
    DAY_S,
    STEP_S_MAX,
    STEP_S_MIN,
    PlantModel,
    day,
    smoothed,
)

RIDGE: Final = 1e-4
"""Relative to the mean square of a standardised channel, which is 1."""
SMOOTHING: Final = 0.5
BLOCKS: Final = 5
LIMIT_PART: Final = 0.999
STILL: Final = 0.005
"""A channel that moves by less than this of its mean tells of its rounding only."""
RESOLUTION: Final = 0.01
"""In the channel's unit: what a channel that stood at 0 may stir."""
LIMIT_MIN: Final = 0.02
STEPS_PER_REGRESSOR_MIN: Final = 5
DAYS_MIN: Final = 7
HOLD_STEPS: Final = 12
ALARMS_A_YEAR: Final = 4.0
THRESHOLD_TENTHS_MIN: Final = 10
THRESHOLD_TENTHS_MAX: Final = 100
CELLS_MAX: Final = 20_000_000
"""Steps times channels: 160 MB."""


class PlantFit(NamedTuple):
    """What a fit gives.

    Attributes:
        model: the model.
        steps: of the history that could be used.
        still: names of channels that hardly moved.
        peaks: float64, shape (steps,): greatest deviation of any channel, of unseen blocks.
    """

    model: PlantModel
    steps: int
    still: tuple[str, ...]
    peaks: Float64

    def alarms(self, threshold: float, hold_steps: int = HOLD_STEPS) -> int:
        """Return how many alarms a threshold would have given in the history, unseen as it was."""
        above = np.flatnonzero(self.peaks > threshold)
        return int(len(above) > 0) + int(np.count_nonzero(np.diff(above) > hold_steps + 1))

    def threshold(self, alarms_a_year: float = ALARMS_A_YEAR) -> float:
        """Return the least threshold that keeps to so many alarms a year in the clean history."""
        years = self.steps * self.model.step_s / (365 * DAY_S)
        allowed = max(round(alarms_a_year * years), 1)
        for tenths in range(THRESHOLD_TENTHS_MIN, THRESHOLD_TENTHS_MAX):
            if self.alarms(tenths / 10) <= allowed:
                return tenths / 10
        return THRESHOLD_TENTHS_MAX / 10


def fit(
    names: Sequence[str],
    start_ns: int,
    step_s: int,
    values: npt.NDArray[np.float64],
    *,
    ridge: float = RIDGE,
    smoothing: float = SMOOTHING,
) -> PlantFit:
    """Fit a model of a clean history: one in which nothing was wrong.

    Args:
        names: of the channels.
        start_ns: when the first step begins.
        step_s: seconds of a step.
        values: shape (steps, channels), the mean of each step; NaN where there was none.
        ridge, smoothing: see the constants.

    Raises:
        CityTwinError: too few or too many channels or steps; the text says what is needed.
    """
    _refuse(names, step_s, values)
    mean = np.nanmean(values, axis=0)
    spread = np.nanstd(values, axis=0)
    still = spread < np.maximum(STILL * np.abs(mean), 1e-9)
    scale = np.where(still, np.maximum(STILL * np.abs(mean), RESOLUTION), spread)
    table = (values - mean) / scale
    whole = ~np.isnan(table).any(axis=1)
    rows = 1 + np.flatnonzero(whole[1:] & whole[:-1])
    regressors = BASE + 2 * len(names)
    needed = max(STEPS_PER_REGRESSOR_MIN * regressors, DAYS_MIN * DAY_S // step_s)
    if len(rows) < needed:
        raise CityTwinError(
            f"the history has {len(rows)} steps of {step_s} s in which every point spoke, and in "
            f"the step before too; {len(names)} points need {needed}: take a longer history, a "
            f"longer step, or leave out what seldom speaks"
        )
    hours = np.array([day(start_ns + int(row) * step_s * SECOND_NS) for row in rows])
    design = np.concatenate((hours, table[rows - 1], table[rows]), axis=1)
    left = np.empty((len(rows), len(names)))
    block = np.arange(len(rows)) * BLOCKS // len(rows)
    for number in range(BLOCKS):
        seen = block != number
        weights = _solved(design[seen], still, ridge)
        left[~seen] = table[rows[~seen]] - design[~seen] @ weights
    mean_left = np.abs(smoothed(left, smoothing))
    limit = np.quantile(mean_left, LIMIT_PART, axis=0)
    limit = np.maximum(limit, np.where(still, 1.0, LIMIT_MIN))
    weights = _solved(design, still, ridge)
    model = PlantModel(tuple(names), step_s, smoothing, mean, scale, limit, weights)
    quiet = tuple(name for name, is_still in zip(names, still, strict=True) if is_still)
    return PlantFit(model, len(rows), quiet, (mean_left / limit).max(axis=1))


def _refuse(names: Sequence[str], step_s: int, values: npt.NDArray[np.float64]) -> None:
    count = len(names)
    if not CHANNELS_MIN <= count <= CHANNELS_MAX:
        raise CityTwinError(
            f"a model has {CHANNELS_MIN} to {CHANNELS_MAX} points, not {count}: leave some out"
        )
    if values.ndim != 2 or values.shape[1] != count:
        raise CityTwinError(f"values have the shape {values.shape}, not (steps, {count})")
    if values.size > CELLS_MAX:
        raise CityTwinError(
            f"{len(values)} steps of {count} points are more than {CELLS_MAX}: take a longer step"
        )
    if not STEP_S_MIN <= step_s <= STEP_S_MAX:
        raise CityTwinError(f"a step is {STEP_S_MIN} to {STEP_S_MAX} s, not {step_s}")
    silent = [name for name, one in zip(names, values.T, strict=True) if np.isnan(one).all()]
    if silent:
        raise CityTwinError(f"{', '.join(silent)}: no good value in the history; leave it out")


def _solved(design: Float64, still: npt.NDArray[np.bool_], ridge: float) -> Float64:
    """Return weights, shape (regressors, channels); 0 for itself, and from and to what is still."""
    count = len(still)
    gram = design.T @ design / len(design)
    penalty = np.full(len(gram), ridge)
    penalty[0] = 0.0
    moves = ~np.concatenate((np.zeros(BASE, np.bool_), still, still))
    weights = np.zeros((len(gram), count))
    for channel in np.flatnonzero(~still):
        itself = BASE + count + channel
        used = np.flatnonzero(moves & (np.arange(len(gram)) != itself))
        square = gram[np.ix_(used, used)] + np.diag(penalty[used])
        weights[used, channel] = np.linalg.solve(square, gram[used, itself])
    return weights
