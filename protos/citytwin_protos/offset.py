"""Offset: how far the peer's clock is from ours, by heartbeats, as NTP does it (RFC 5905, 8).

Each beat carries the sender's time, the last time it has heard from us and how long it has held
that. So a beat that answers ours tells the round trip without the peer's waiting in it, and the
peer's time at half of it. The shortest of the latest round trips is believed.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from citytwin_protos.events import ClockCompared

BEATS_KEPT: Final = 8
DRIFT_PPM_MAX: Final = 500
"""Two quartz clocks drift apart by less; a difference beyond that is a clock that was set."""


class _Seen(NamedTuple):
    """One comparison: the peer's UTC minus our monotonic clock, and how sure that is."""

    phase_ns: int
    round_trip_ns: int
    now_ns: int


class ClockOffset:
    """What one end of a session knows of the other's clock. Our own may be set at any time."""

    def __init__(self) -> None:
        """Begin without a comparison."""
        self._sent: deque[tuple[int, int]] = deque(maxlen=BEATS_KEPT)
        self._seen: deque[_Seen] = deque(maxlen=BEATS_KEPT)
        self._heard_time_ns = 0
        self._heard_ns = 0

    def send(self, now_ns: int, time_ns: int) -> tuple[int, int, int]:
        """Return (time_ns, echo_ns, held_ns) of a beat that is sent now."""
        self._sent.append((time_ns, now_ns))
        held_ns = now_ns - self._heard_ns if self._heard_time_ns else 0
        return time_ns, self._heard_time_ns, held_ns

    def hear(self, beat: tuple[int, int, int], now_ns: int, time_ns: int) -> ClockCompared | None:
        """Take in (time_ns, echo_ns, held_ns) of the peer's beat.

        Returns:
            The offset by the best of the latest comparisons; None when this beat answers none of
            ours, or says what cannot be.
        """
        peer_time_ns, echo_ns, held_ns = beat
        self._heard_time_ns, self._heard_ns = peer_time_ns, now_ns
        sent_ns = next((now for time, now in reversed(self._sent) if time == echo_ns), None)
        if sent_ns is None or echo_ns == 0:
            return None
        round_trip_ns = now_ns - sent_ns - held_ns
        if held_ns < 0 or round_trip_ns < 0:
            return None
        latest = _Seen(peer_time_ns + round_trip_ns // 2 - now_ns, round_trip_ns, now_ns)
        if self._seen and self._was_set(latest):
            self._seen.clear()
        self._seen.append(latest)
        best = self._best()
        return ClockCompared(best.phase_ns + now_ns - time_ns, best.round_trip_ns)

    def _best(self) -> _Seen:
        return min(self._seen, key=lambda seen: seen.round_trip_ns)

    def _was_set(self, latest: _Seen) -> bool:
        """Whether the peer's clock has moved by more than both errors and drift allow."""
        best = self._best()
        drift_ns = (latest.now_ns - best.now_ns) * DRIFT_PPM_MAX // 1_000_000
        unsure_ns = (latest.round_trip_ns + best.round_trip_ns) // 2 + drift_ns
        return abs(latest.phase_ns - best.phase_ns) > unsure_ns
