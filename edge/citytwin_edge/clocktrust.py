"""Clock trust: whether this gateway's clock can be believed, and the best time when it cannot.

The hub's clock, compared over the link, decides; without a comparison the operating system, which
knows whether a time source holds the clock. When the clock is set, the comparison moves with it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import structlog

from citytwin.batch import SECOND_NS, TIME_NS_MIN, Batch
from citytwin.clock import Clock
from citytwin.quality import Quality

OFFSET_NS_MAX: Final = 2 * SECOND_NS
STEP_NS_MIN: Final = SECOND_NS
COMPARED_NS_MAX: Final = 24 * 3600 * SECOND_NS
"""A quartz drifts by about a second a day: so long is one comparison good."""
ASKED_NS_MIN: Final = SECOND_NS
"""The operating system is asked at most so often."""

_log = structlog.get_logger(__name__)


class ClockTrust:
    """A :class:`citytwin.clock.Clock` that knows how far it can be trusted. One thread.

    As long as nothing speaks against the machine's clock, its time is the time. When the hub's
    differs by more than ``offset_ns_max`` and no time source holds ours, the hub's time is the
    time, carried on by the monotonic clock; samples are marked all the same.

    Attributes:
        machine: the clock that is judged.
        offset_ns: the hub's clock minus the machine's; None when it is not known.
        steps: how often the machine's clock was set.
    """

    def __init__(self, clock: Clock, *, offset_ns_max: int = OFFSET_NS_MAX) -> None:
        """Judge ``clock``; a hub that differs by more than ``offset_ns_max`` makes it doubtful."""
        self.machine = self._clock = clock
        self._offset_ns_max = offset_ns_max
        self._wall_ns = clock.now_ns() - clock.monotonic_ns()
        self._compared_ns = 0
        self._asked_ns: int | None = None
        self._synchronised = False
        self.offset_ns: int | None = None
        self.steps = 0

    def compared(self, offset_ns: int, error_ns: int = 0) -> None:
        """Take the hub's clock minus ours, known to within ``error_ns``."""
        self._notice_step()
        was_close = self._is_close()
        # What may be nothing but the slowness of the line says nothing against the clock.
        inside = abs(offset_ns) <= error_ns
        self.offset_ns = 0 if inside else offset_ns
        self._compared_ns = self._clock.monotonic_ns()
        if was_close is not False and self._is_close() is False:
            _log.warning("clock.differs", from_hub_s=offset_ns / SECOND_NS, marked="uncertain")

    def now_ns(self) -> int:
        """Return the best UTC there is."""
        self._notice_step()
        now_ns = self._clock.now_ns()
        # No time source holds a clock that stands before 2020, whatever the kernel says.
        is_held = now_ns >= TIME_NS_MIN and self.synchronised()
        if self._is_close() is False and self.offset_ns is not None and not is_held:
            return now_ns + self.offset_ns
        return now_ns

    def monotonic_ns(self) -> int:
        """Return the machine's monotonic clock."""
        return self._clock.monotonic_ns()

    def synchronised(self) -> bool:
        """Return whether the operating system holds the clock in step; at most a second old."""
        now_ns = self._clock.monotonic_ns()
        if self._asked_ns is None or now_ns - self._asked_ns >= ASKED_NS_MIN:
            self._synchronised, self._asked_ns = self._clock.synchronised(), now_ns
        return self._synchronised

    def hub_now_ns(self) -> int:
        """Return UTC as the hub has it, as far as it is known."""
        self._notice_step()
        return self._clock.now_ns() + (self.offset_ns or 0)

    def trusted(self) -> bool:
        """Return whether the machine's clock can be believed now."""
        self._notice_step()
        if self._clock.now_ns() < TIME_NS_MIN:
            return False
        close = self._is_close()
        return self.synchronised() if close is None else close

    def marked(self, batch: Batch) -> Batch:
        """Return the samples, those of good quality marked UNCERTAIN_CLOCK while not trusted."""
        if not len(batch) or self.trusted():
            return batch
        quality = np.where(batch.quality == Quality.GOOD, Quality.UNCERTAIN_CLOCK, batch.quality)
        return Batch(batch.point, batch.time_ns, batch.value, quality.astype(np.uint8))

    def _is_close(self) -> bool | None:
        """Return whether the hub's clock is close to ours; None when that is not known."""
        if self.offset_ns is None:
            return None
        if self._clock.monotonic_ns() - self._compared_ns >= COMPARED_NS_MAX:
            return None
        return abs(self.offset_ns) <= self._offset_ns_max

    def _notice_step(self) -> None:
        wall_ns = self._clock.now_ns() - self._clock.monotonic_ns()
        step_ns = wall_ns - self._wall_ns
        self._wall_ns = wall_ns
        if abs(step_ns) >= STEP_NS_MIN:
            self.steps += 1
            self._asked_ns = None
            _log.warning("clock.was_set", by_s=step_ns / SECOND_NS)
            if self.offset_ns is not None:
                # The hub's clock has not moved: the difference has, by the step.
                self.offset_ns -= step_ns
