"""Voltage unbalance: how far three voltages are from equal, in percent, from their magnitudes.

`method` says by which definition, and with it which voltages are read:

- `negative-sequence`, of the three voltages between lines: the ratio u₂ of the negative to the
  positive sequence (IEC 61000-4-30, 5.7) in the form for magnitudes, below. It is exact as long as
  these are of the fundamental.
- `nema`, of the three voltages between lines: the largest deviation from their mean, of the mean
  (NEMA MG 1, for motors).
- `phase`, of the three voltages to neutral: the same as `nema`, of these (IEEE Std 141). From their
  magnitudes alone nobody can tell the negative sequence.

    u₂ = 100 √((1 − √(3 − 6β)) / (1 + √(3 − 6β)))
    β = (U₁₂⁴ + U₂₃⁴ + U₃₁⁴) / (U₁₂² + U₂₃² + U₃₁²)²

Where the mean is below `voltage_min` there is no supply, and so no unbalance: `bad: out of range`.
So it is with a voltage below zero, and, by `negative-sequence`, with three that make no triangle.

Source: IEC 61000-4-30, 5.7, NEMA MG 1 and IEEE Std 141, which were not read in print.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.point import Label, Point
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Gives, Reads

READS: Final = (
    Reads("voltage L1-L2, or L1-N", "V"),
    Reads("voltage L2-L3, or L2-N", "V"),
    Reads("voltage L3-L1, or L3-N", "V"),
)
LABEL: Final = Label(
    kk="Кернеу теңгерімсіздігі", ru="Несимметрия напряжений", en="Voltage unbalance"
)
GIVES: Final = (Gives("unbalance", "%", LABEL),)


class VoltageUnbalanceSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which definition counts, and from when there is a supply.

    Attributes:
        method: the definition; between lines "negative-sequence" or "nema", to neutral "phase".
        voltage_min: the least mean of the three with which there is a supply, in V.
    """

    method: Literal["negative-sequence", "nema", "phase"]
    voltage_min: Annotated[float, Meta(gt=0, le=1e6)] = 50.0


def negative_sequence(line: Float64) -> Float64:
    """Return u₂ in percent of voltages between lines, shape (3, n); NaN where none has it."""
    squares = line**2
    beta = (squares**2).sum(axis=0) / squares.sum(axis=0) ** 2
    root = np.sqrt(3 - 6 * beta)
    # Of equal voltages the root is 1, or by rounding a little more.
    percent: Float64 = 100 * np.sqrt(np.maximum(1 - root, 0) / (1 + root))
    return percent


def deviation(values: Float64) -> Float64:
    """Return the largest deviation from the mean, in percent of it; values of shape (3, n)."""
    mean = values.sum(axis=0) / 3
    percent: Float64 = 100 * np.abs(values - mean).max(axis=0) / mean
    return percent


def build(settings: VoltageUnbalanceSettings, inputs: Sequence[Point]) -> Formula:
    """Return the kernel (ConfigError)."""
    formula = negative_sequence if settings.method == "negative-sequence" else deviation

    def calculate(values: Float64) -> Float64:
        none = (values < 0).any(axis=0) | (values.sum(axis=0) / 3 < settings.voltage_min)
        return np.where(none, np.nan, formula(values))[np.newaxis]

    return Formula(
        "voltage-unbalance", inputs, READS, GIVES, calculate, age_s_max=settings.age_s_max
    )


VOLTAGE_UNBALANCE: Final = Builtin(
    VoltageUnbalanceSettings,
    build,
    READS,
    GIVES,
    "unbalance of three voltages, after IEC 61000-4-30, NEMA MG 1 or IEEE Std 141",
)
