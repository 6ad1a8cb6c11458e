"""Admission: what pollers bring is put right before it is kept, so that the hub refuses none of it.

A receiver refuses a whole block for one impossible sample. So a device whose clock was never set,
or an adapter that makes a mistake, must not cost the samples of the others.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
import structlog

from citytwin.batch import FUTURE_NS_MAX, TIME_NS_MIN, Batch
from citytwin.quality import KNOWN, Quality, Severity, severity
from citytwin_edge.clocktrust import ClockTrust

EARLY_SAMPLES_MAX: Final = 200_000
"""What may wait for a clock that was never set: three minutes at 1,000 samples a second."""

_log = structlog.get_logger(__name__)


class Admission:
    """Marks samples while the clock is doubtful, and mends impossible ones. One thread.

    As long as the gateway does not know the time at all (its clock stands before 2020 and no hub
    has told it), samples wait in memory; they are stamped anew when it does.
    """

    def __init__(self, trust: ClockTrust, *, samples_max: int = EARLY_SAMPLES_MAX) -> None:
        """Judge by ``trust``; at most ``samples_max`` wait for a clock."""
        self._trust = trust
        self._samples_max = samples_max
        self._early: deque[tuple[Batch, int]] = deque()
        self._early_samples = 0
        self.dropped = 0

    @property
    def waiting_samples(self) -> int:
        """How many wait in memory until the time is known."""
        return self._early_samples

    def abandon(self) -> None:
        """Give up what still waits for the time: the agent ends. Counted as dropped."""
        self.dropped += self._early_samples
        self._early.clear()
        self._early_samples = 0

    def admit(self, batch: Batch) -> Batch:
        """Return what may be kept of a batch; nothing while the time is not known."""
        if not len(batch):
            return batch
        now_ns = self._trust.now_ns()
        batch = self._trust.marked(mended(batch))
        if now_ns < TIME_NS_MIN:
            self._hold(batch, now_ns)
            return Batch.empty()
        return _stamped(batch, now_ns)

    def released(self) -> Batch:
        """Return the samples that have waited for the time, stamped, once it is known."""
        now_ns = self._trust.now_ns()
        if not self._early or now_ns < TIME_NS_MIN:
            return Batch.empty()
        phase_ns = now_ns - self._trust.monotonic_ns()
        late = [
            _stamped(Batch(b.point, b.time_ns + (phase_ns - then), b.value, b.quality), now_ns)
            for b, then in self._early
        ]
        _log.info("clock.known", samples_stamped=self._early_samples)
        self._early.clear()
        self._early_samples = 0
        return Batch.concat(late)

    def _hold(self, batch: Batch, now_ns: int) -> None:
        if not self._early:
            _log.warning("clock.unknown", now_ns=now_ns, samples="wait until it is set")
        self._early.append((batch, now_ns - self._trust.monotonic_ns()))
        self._early_samples += len(batch)
        while self._early_samples > self._samples_max:
            oldest, _ = self._early.popleft()
            self._early_samples -= len(oldest)
            self.dropped += len(oldest)


def mended(batch: Batch) -> Batch:
    """Return the batch with values and qualities that a receiver takes."""
    if KNOWN[batch.quality].all() and np.isfinite(batch.value).all():
        return batch
    quality = np.where(KNOWN[batch.quality], batch.quality, np.uint8(Quality.BAD_MALFORMED))
    finite = np.isfinite(batch.value)
    void = ~finite & (severity(quality) != Severity.BAD)
    quality = np.where(void, np.uint8(Quality.BAD_NOT_A_NUMBER), quality)
    return Batch(batch.point, batch.time_ns, np.where(finite, batch.value, np.nan), quality)


def _stamped(batch: Batch, now_ns: int) -> Batch:
    """Return the batch, stamps that cannot be replaced by the time of arrival and marked."""
    wrong = (batch.time_ns < TIME_NS_MIN) | (batch.time_ns > now_ns + FUTURE_NS_MAX // 2)
    if not wrong.any():
        return batch
    good = severity(batch.quality) == Severity.GOOD
    quality = np.where(wrong & good, np.uint8(Quality.UNCERTAIN_CLOCK), batch.quality)
    return Batch(batch.point, np.where(wrong, now_ns, batch.time_ns), batch.value, quality)
