"""Memory: what both ends of a stream remember of each point, moved in the same way by each block.

All of it is whole numbers, so that two machines never differ. For every point: its form and last
whole number, and over its latest differences their count and three sums. From these follow, without
a byte on the wire, what the next difference will be about and how many bits it will need.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from citytwin.errors import MalformedError
from citytwin_protos.bits import SHIFT_MAX, Int64, UInt8, UInt64, bit_lengths, runs_of, zigzag
from citytwin_protos.decimals import UNSET

Int32 = npt.NDArray[np.int32]
Index = npt.NDArray[np.intp]
Scalar = TypeVar("Scalar", bound=np.generic)

POINTS_MAX: Final = 131_072
"""Most points of one stream (about 6 MB); an encoder that meets more begins anew."""
SEEN_MAX: Final = 32
"""Differences are remembered to about so many; older ones count half, a quarter, …"""
SEEN_FIRST: Final = 4
"""How much the first guess of a point's shift weighs."""
SHIFT_FIRST: Final = 2
SHIFT_BEGIN_MAX: Final = 45
CAP: Final = 1 << 45
"""A difference counts at most as this much, so that no sum overflows."""


class Groups:
    """Which samples of a column belong to which point: the column sorted by point, stably.

    Attributes:
        order: where the sorted samples stand in the column, or None when it is sorted already.
        starts: where each point's samples begin in the sorted column, shape (points,).
        counts: how many samples each point has, shape (points,).
        single: whether each point has one sample.
        points: point numbers, growing, shape (points,).
    """

    def __init__(self, point: Int32) -> None:
        """Sort a column of one or more point numbers."""
        self.order: Index | None = None
        if not (point[1:] >= point[:-1]).all():
            self.order = np.argsort(point, kind="stable")
            point = point[self.order]
        self.starts, self.counts = runs_of(point)
        self.points = point[self.starts]
        self.single = len(self.points) == len(point)

    def spread(self, values: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Return one value per point as one value per sample."""
        return values if self.single else np.repeat(values, self.counts)

    def total(self, values: Int64) -> Int64:
        """Return the sum over each point's samples."""
        return values if self.single else np.add.reduceat(values, self.starts)


class PointMemory:
    """The memory of all points of one stream; columns of equal length, sorted by point."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._point: Int32 = np.empty(0, np.int32)
        self.form: UInt8 = np.empty(0, np.uint8)
        self.last: Int64 = np.empty(0, np.int64)
        self._seen: Int64 = np.empty(0, np.int64)
        self._plain: Int64 = np.empty(0, np.int64)
        self._drifting: Int64 = np.empty(0, np.int64)
        self._drift: Int64 = np.empty(0, np.int64)

    def find(self, points: Int32) -> Index:
        """Return where the points are, adding those that are new.

        Args:
            points: growing, shape (n,).

        Raises:
            MalformedError: more than POINTS_MAX points.
        """
        at = np.searchsorted(self._point, points)
        known = at < len(self._point)
        known[known] = self._point[at[known]] == points[known]
        if known.all():
            return at
        new = ~known
        if len(self._point) + int(np.count_nonzero(new)) > POINTS_MAX:
            raise MalformedError(f"a stream has at most {POINTS_MAX} points")
        if not len(self._point):
            return self._first(points)
        self._point = np.insert(self._point, at[new], points[new])
        self.form = np.insert(self.form, at[new], UNSET)
        for name in ("last", "_plain", "_drifting", "_drift"):
            setattr(self, name, np.insert(getattr(self, name), at[new], 0))
        self._seen = np.insert(self._seen, at[new], 1)
        return np.searchsorted(self._point, points)

    def _first(self, points: Int32) -> Index:
        """Take in the first points of a stream."""
        count = len(points)
        self._point = points
        self.form = np.full(count, UNSET, np.uint8)
        self.last, self._plain, self._drifting, self._drift = np.zeros((4, count), np.int64)
        self._seen = np.ones(count, np.int64)
        return np.arange(count)

    def expect(self, at: Index) -> tuple[UInt8, Int64, Int64]:
        """Return what is expected of the next differences of some points, each of shape (n,).

        Returns:
            Rice shift; the drift to take off (0 where it has not helped); the drift as estimated.
        """
        seen, plain, drifting = self._seen[at], self._plain[at], self._drifting[at]
        drift = self._drift[at] // seen
        helps = drifting + (drifting >> 3) < plain
        mean = np.where(helps, drifting, plain)
        mean = (mean + (mean >> 2)) // seen
        lengths = bit_lengths(mean.view(np.uint64))
        shift = np.minimum(np.maximum(lengths, 1) - np.uint8(1), np.uint8(SHIFT_MAX))
        return shift, np.where(helps, drift, 0), drift

    def learn(self, at: Index, groups: Groups, steps: Int64, drift: Int64) -> None:
        """Take in the differences of a block.

        Args:
            at: places of the points, shape (points,).
            groups: how the samples belong to them.
            steps: differences, sorted by point, shape (samples,).
            drift: the drift that was estimated for each point, shape (points,).
        """
        plain = _capped(zigzag(steps))
        drifting = _capped(zigzag(steps - groups.spread(drift)))
        seen = self._seen[at] + groups.counts
        halvings = np.maximum(bit_lengths(seen.view(np.uint64)).astype(np.int64) - 6, 0)
        self._seen[at] = seen >> halvings
        self._plain[at] = (self._plain[at] + groups.total(plain)) >> halvings
        self._drifting[at] = (self._drifting[at] + groups.total(drifting)) >> halvings
        moved = groups.total(np.clip(steps, -CAP, CAP))
        self._drift[at] = (self._drift[at] + moved) >> halvings

    def begin(self, at: Index, form: UInt8, shift: UInt8) -> None:
        """Begin some points anew with a form and a first guess of their shift."""
        self.form[at] = form
        self._seen[at] = SEEN_FIRST
        self._plain[at] = self._drifting[at] = np.int64(SEEN_FIRST) << np.minimum(
            shift, SHIFT_BEGIN_MAX
        ).astype(np.int64)
        self._drift[at] = 0


def _capped(codes: UInt64) -> Int64:
    return np.minimum(codes, np.uint64(CAP)).view(np.int64)
