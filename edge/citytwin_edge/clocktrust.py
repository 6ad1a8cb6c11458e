"""Clock trust: whether this gateway's time stamps can be believed, and marking them when not.

They can when the operating system keeps the clock in step with a time source, or when the hub's
clock, compared over the link, differs by little. When the clock is stepped, the difference moves
with it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from citytwin.batch import SECOND_NS, TIME_NS_MIN, Batch
from citytwin.clock import Clock
from citytwin.quality import Quality

OFFSET_NS_MAX: Final = 2 * SECOND_NS
STEP_NS_MIN: Final = SECOND_NS
COMPARED_NS_MAX: Final = 24 * 3600 * SECOND_NS
"""A quartz drifts by about a second a day: so long is one comparison good."""


class ClockTrust:
    """Asked at every flush; told by the link what the hub's clock says."""

    def __init__(self, clock: Clock, *, offset_ns_max: int = OFFSET_NS_MAX) -> None:
        """Judge ``clock``; a hub that differs by more than ``offset_ns_max`` makes it doubtful."""
        self._clock, self._offset_ns_max = clock, offset_ns_max
        self._wall_ns = clock.now_ns() - clock.monotonic_ns()
        self._compared_ns: int | None = None
        self.offset_ns: int | None = None
        self.steps = 0

    def compared(self, offset_ns: int) -> None:
        """Take the hub's clock minus ours."""
        self.offset_ns = offset_ns
        self._compared_ns = self._clock.monotonic_ns()
        self._wall_ns = self._clock.now_ns() - self._clock.monotonic_ns()

    def hub_now_ns(self) -> int:
        """Return UTC as the hub has it, as far as it is known."""
        return self._clock.now_ns() + (self.offset_ns or 0)

    def trusted(self) -> bool:
        """Return whether stamps made now can be believed."""
        self._notice_step()
        if self._clock.now_ns() < TIME_NS_MIN:
            return False
        if self.offset_ns is not None and self._compared_ns is not None:
            fresh = self._clock.monotonic_ns() - self._compared_ns < COMPARED_NS_MAX
            if fresh:
                return abs(self.offset_ns) <= self._offset_ns_max
        return self._clock.synchronised()

    def marked(self, batch: Batch) -> Batch:
        """Return the samples, those of good quality marked UNCERTAIN_CLOCK while not trusted."""
        if not len(batch) or self.trusted():
            return batch
        quality = np.where(batch.quality == Quality.GOOD, Quality.UNCERTAIN_CLOCK, batch.quality)
        return Batch(batch.point, batch.time_ns, batch.value, quality.astype(np.uint8))

    def _notice_step(self) -> None:
        wall_ns = self._clock.now_ns() - self._clock.monotonic_ns()
        step_ns = wall_ns - self._wall_ns
        self._wall_ns = wall_ns
        if abs(step_ns) >= STEP_NS_MIN:
            self.steps += 1
            if self.offset_ns is not None:
                # The hub's clock has not moved: the difference has, by the step.
                self.offset_ns -= step_ns
