"""Plant: what each point of a plant ought to be, worked out from all the others; a fitted model.

Fitted from history where history is (:mod:`citytwin.plant_fit`), and carried to a gateway as one
line of text in its configuration, so that it goes the way of every configuration: checked, signed,
tried and taken back. A gateway applies it (kernel ``multivariate``).

The model of channel i, standardised (z), at step t is linear: a constant, four harmonics of the
day, all channels at t - 1 (a vector autoregression of order 1), and all other channels at t. What
is left is the residual; its exponentially weighted mean over its limit is the channel's deviation.
A channel that hardly moved in the history predicts nothing, and should stay where it was.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from citytwin.batch import Float64
from citytwin.errors import MalformedError, TooLargeError

VERSION: Final = 1
HEAD: Final = "plant1:"
"""What the text begins with; the digit is the version."""
CHANNELS_MIN: Final = 2
CHANNELS_MAX: Final = 100
NAME_LENGTH_MAX: Final = 200
HARMONICS: Final = 4
BASE: Final = 1 + 2 * HARMONICS
DAY_S: Final = 86_400
STEP_S_MIN: Final = 1
STEP_S_MAX: Final = DAY_S
STANDARD_MAX: Final = 1000.0
"""A value counts as at most so many standard deviations off."""
FILL_ROUNDS: Final = 8

TEXT_LENGTH_MAX: Final = 256 * 1024
"""100 channels make 113,000 characters, and their names."""


class _Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    names: list[str]
    step_s: int
    smoothing: float
    columns: bytes


@dataclass(frozen=True, slots=True, eq=False)
class PlantModel:
    """A fitted model of n channels; regressors are BASE + 2 n: base, before, now.

    Attributes:
        names: of the channels: points without their gateway's name.
        step_s: seconds of a step, over which the samples of a channel are averaged.
        smoothing: weight of the latest residual in its exponentially weighted mean.
        mean, scale: float64, shape (n,): to standard deviations.
        limit: float64, shape (n,): of the smoothed residual; passed in one step of a thousand of
            the clean history, of blocks that the fit had not seen.
        weights: float64, shape (BASE + 2 n, n): 0 where a channel would predict itself.
    """

    names: tuple[str, ...]
    step_s: int
    smoothing: float
    mean: Float64
    scale: Float64
    limit: Float64
    weights: Float64

    def standard(self, values: Float64) -> Float64:
        """Return values, shape (…, n), in standard deviations; NaN stays NaN."""
        found: Float64 = np.clip((values - self.mean) / self.scale, -STANDARD_MAX, STANDARD_MAX)
        return found

    def expected(self, start_ns: int, before: Float64, now: Float64) -> Float64:
        """Return what each channel ought to be, standardised, shape (n,).

        Args:
            start_ns: when the step begins.
            before, now: standardised, shape (n,), without NaN.
        """
        found: Float64 = np.concatenate((day(start_ns), before, now)) @ self.weights
        return found

    def filled(self, start_ns: int, before: Float64, now: Float64) -> Float64:
        """Return ``now`` with every NaN replaced by what is expected there, given the rest."""
        absent = np.isnan(now)
        if not absent.any():
            return now
        whole = np.where(absent, np.where(np.isnan(before), 0.0, before), now)
        for _ in range(FILL_ROUNDS):
            ought = np.clip(self.expected(start_ns, before, whole), -STANDARD_MAX, STANDARD_MAX)
            whole = np.where(absent, ought, now)
        return whole

    def shares(self, residual: Float64) -> Float64:
        """Return for which part of a deviation each channel alone can account, shape (n,), 0 to 1.

        A wrong value makes all that are predicted by it deviate, often more than itself. So each
        channel in turn is taken to be what the others let expect: the part of the sum of squares
        (of residuals over limits) that goes away with it is its share.
        """
        count = len(self.names)
        # Channel j off by r_j moves the residual of i by -w_ji r_j.
        without = residual + self.weights[BASE + count :] * residual[:, np.newaxis]
        np.fill_diagonal(without, 0.0)
        whole = float(np.square(residual / self.limit).sum())
        if whole <= 0:
            return np.zeros(count)
        part: Float64 = np.square(without / self.limit).sum(axis=1) / whole
        return np.maximum(1 - part, 0.0)

    def text(self) -> str:
        """Return the model as one line of printable characters."""
        columns = np.concatenate(
            (self.mean, self.scale, self.limit, self.weights.ravel())
        ).astype("<f4")  # fmt: skip
        wire = _Wire(VERSION, list(self.names), self.step_s, self.smoothing, columns.tobytes())
        body = msgspec.msgpack.encode(wire)
        return HEAD + base64.b64encode(body + zlib.crc32(body).to_bytes(4, "little")).decode()


def day(start_ns: int) -> Float64:
    """Return the part of the regressors that knows the hour, shape (BASE,)."""
    angle = 2 * np.pi * (start_ns % (DAY_S * 10**9)) / (DAY_S * 10**9)
    turns = angle * np.arange(1, HARMONICS + 1)
    return np.concatenate(([1.0], np.sin(turns), np.cos(turns)))


def read(text: str) -> PlantModel:
    """Return the model that a text holds.

    Raises:
        TooLargeError: it has over TEXT_LENGTH_MAX characters.
        MalformedError: it is no model, one of another version, or a damaged one.
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise TooLargeError(f"a model has at most {TEXT_LENGTH_MAX} characters, not {len(text)}")
    if not text.startswith(HEAD):
        raise MalformedError(
            f"a model begins with {HEAD!r}: fit it with a citytwin-edge of this version"
        )
    try:
        raw = base64.b64decode(text.removeprefix(HEAD), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError("the model is damaged: it is not base64") from None
    body, check = raw[:-4], raw[-4:]
    if zlib.crc32(body).to_bytes(4, "little") != check:
        raise MalformedError("the model is damaged: its checksum is wrong; copy it whole")
    try:
        wire = msgspec.msgpack.decode(body, type=_Wire)
    except msgspec.MsgspecError as error:
        raise MalformedError(f"the model is damaged: {error}") from None
    return _checked(wire)


def _checked(wire: _Wire) -> PlantModel:
    count = len(wire.names)
    sane: list[Any] = [
        wire.version == VERSION,
        CHANNELS_MIN <= count <= CHANNELS_MAX,
        len(set(wire.names)) == count,
        all(0 < len(name) <= NAME_LENGTH_MAX for name in wire.names),
        STEP_S_MIN <= wire.step_s <= STEP_S_MAX,
        0 < wire.smoothing <= 1,
        len(wire.columns) == 4 * count * (3 + BASE + 2 * count),
    ]
    if not all(sane):
        raise MalformedError("the model is damaged: its sizes do not fit together")
    columns = np.frombuffer(wire.columns, "<f4").astype(np.float64)
    mean, scale, limit = columns[: 3 * count].reshape(3, count)
    weights = columns[3 * count :].reshape(BASE + 2 * count, count)
    if not np.isfinite(columns).all() or (scale <= 0).any() or (limit <= 0).any():
        raise MalformedError("the model is damaged: it holds numbers that cannot be")
    return PlantModel(tuple(wire.names), wire.step_s, wire.smoothing, mean, scale, limit, weights)


def smoothed(residual: npt.NDArray[np.float64], smoothing: float) -> Float64:
    """Return the exponentially weighted mean of residuals, shape (steps, n), from 0 on."""
    out = np.empty_like(residual)
    state = np.zeros(residual.shape[1])
    for row, left in enumerate(residual):
        state = state + smoothing * (left - state)
        out[row] = state
    return out
