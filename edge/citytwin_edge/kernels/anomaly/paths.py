"""Paths: the chain over a batch, with numpy round by round, or compiled sample by sample."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from citytwin.batch import Float64, Int32
from citytwin_edge.kernels.anomaly import chain
from citytwin_edge.kernels.anomaly.budget import threshold_at
from citytwin_edge.kernels.anomaly.intake import intake
from citytwin_edge.kernels.anomaly.pvalue import BINS
from citytwin_edge.kernels.state import rounds

Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Samples(NamedTuple):
    """Samples in order of arrival, shape (n,) each; none is bad.

    Attributes:
        channel: whose they are.
        value, time_s: what was seen, and when (UTC).
        half, week, day: see :func:`chain.advance`.
    """

    channel: Int32
    value: Float64
    time_s: Float64
    half: Int64
    week: Int64
    day: Int64

    def select(self, rows: npt.NDArray[np.intp]) -> Samples:
        """Return the samples that an index column names."""
        return Samples(
            self.channel[rows], self.value[rows], self.time_s[rows], self.half[rows],
            self.week[rows], self.day[rows],
        )  # fmt: skip


COLUMNS: Final = 10
STEPPED, SCORE, EVENT, KERNEL, EXPECTED, ONSET, SIMILAR, RIPE, NEWS, THRESHOLD = range(COLUMNS)
"""What a path tells of each sample; all 0 where it made no step."""


class Path(Protocol):
    """What runs the chain; owns the channels' state."""

    state: Float64
    """Shape (channels, chain.NUMBERS), whatever order it has in memory."""
    counts: npt.NDArray[np.uint16]
    """Shape (channels, chain.CALIBRATED, BINS)."""

    def run(self, samples: Samples) -> Float64:
        """Return what is to be said of each sample, shape (n, COLUMNS)."""
        ...


class NumpyPath:
    """Round by round: the k-th samples of all channels at once."""

    def __init__(
        self, channels: int, every_s: Float64, budget: Float64, near: Bools | None = None
    ) -> None:
        """Begin with nothing known; by channel, ``near`` being who asks for its neighbours."""
        self._state = np.zeros((chain.NUMBERS, channels))
        self._counts = np.zeros((chain.CALIBRATED, BINS, channels), np.uint16)
        self.state, self.counts = self._state.T, self._counts.transpose(2, 0, 1)
        self._every_s, self._budget = every_s, budget
        self._near = np.zeros(channels, bool) if near is None else near
        self._scale = 1.0 / np.where(self._near, chain.PARTS + 1.0, chain.PARTS)
        self._begins = np.array([threshold_at(one) for one in budget.tolist()])

    def run(self, samples: Samples) -> Float64:
        """See :class:`Path`."""
        told = np.zeros((len(samples.channel), COLUMNS))
        for rows in rounds(samples.channel):
            self._round(samples.select(rows), told, rows)
        return told

    def _round(self, samples: Samples, told: Float64, rows: npt.NDArray[np.intp]) -> None:
        who = samples.channel
        head = self._state[: chain.BUDGET, who]
        due, x, passed_s = intake(head, samples.value, samples.time_s, self._every_s[who])
        self._state[: chain.BUDGET, who] = head
        if not due.any():
            return
        who = who[due]
        with np.errstate(all="ignore"):
            close = self._nearness(who, x[due])
        everyone = len(who) == self._state.shape[1] and bool((who[1:] > who[:-1]).all())
        state = self._state if everyone else self._state.take(who, axis=1)
        counts = self._counts if everyone else self._counts.take(who, axis=2)
        with np.errstate(all="ignore"):
            when = (
                samples.time_s[due], passed_s[due], samples.half[due], samples.week[due],
                samples.day[due],
            )  # fmt: skip
            aim = (self._budget[who], self._begins[who], close, self._scale[who])
            said = chain.advance(state, counts, x[due], when, aim)
        if not everyone:
            self._state[:, who], self._counts[:, :, who] = state, counts
        told[rows[due], STEPPED] = 1.0
        for number, column in enumerate(said, SCORE):
            told[rows[due], number] = column

    def _nearness(self, who: npt.NDArray[np.int32], x: Float64) -> Float64:
        """Return the neighbours' score of those who ask for it, 0 of the others."""
        close = np.zeros(len(who))
        asks = self._near[who]
        if asks.any():
            some = who[asks]
            state, counts = self._state[:, some], self._counts[:, :, some]
            close[asks] = chain.nearness(state, counts, x[asks])
            self._state[:, some], self._counts[:, :, some] = state, counts
        return close
