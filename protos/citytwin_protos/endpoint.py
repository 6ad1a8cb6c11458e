"""Endpoint: what both ends of a session have in common: frames, heartbeats, silence, the end."""

from __future__ import annotations

from abc import ABC, abstractmethod

from citytwin_protos.events import ClockCompared, Closed, Limits
from citytwin_protos.frames import reason_number
from citytwin_protos.offset import ClockOffset
from citytwin_protos.v1 import link_pb2 as pb


class Endpoint(ABC):
    """One end of a session, without I/O. Not for use by two threads at once.

    Attributes:
        limits: what this end allows.
        closed: why the session is over; None while it lives. Once it is set, everything that
            arrives is ignored and nothing can be sent but what ``outgoing`` still holds.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        """Begin; ``start`` must follow."""
        self.limits = limits or Limits()
        self.closed: Closed | None = None
        self._frames: list[bytes] = []
        self._greeted = False
        self._time_ns = 0
        self._greet_by_ns = 0
        self._heard_ns = 0
        self._beat_at_ns = 0
        self._heartbeat_ns = self.limits.heartbeat_ns
        self._silence_ns = self.limits.silence_ns
        self._offset = ClockOffset()

    @abstractmethod
    def _send_beat(self, beat: pb.Beat) -> None:
        """Queue a beat in a frame of this end."""

    @abstractmethod
    def _send_bye(self, bye: pb.Bye) -> None:
        """Queue a Bye in a frame of this end."""

    def _begin(self, now_ns: int) -> None:
        self._heard_ns = now_ns
        self._greet_by_ns = now_ns + self.limits.hello_ns

    def bye(self, reason: str, detail: str) -> None:
        """End the session from this side.

        Args:
            reason: one of the wire's reasons in lower case: ``shutdown``, ``revoked``, …
            detail: one sentence for the people at the other end.

        Raises:
            ValueError: the reason is not one of the wire's.
        """
        number = reason_number(reason)
        if self.closed is None:
            cut = detail[: self.limits.detail_chars_max]
            self._send_bye(pb.Bye(reason=number, detail=cut))
            self.closed = Closed(reason, cut, by_peer=False)

    def outgoing(self) -> list[bytes]:
        """Return the frames to send, in order; each is returned once."""
        frames, self._frames = self._frames, []
        return frames

    def next_tick_ns(self) -> int:
        """Return when ``tick`` is due next, by the monotonic clock."""
        silent_ns = self._heard_ns + self._silence_ns
        return min(silent_ns, self._beat_at_ns if self._greeted else self._greet_by_ns)

    def tick(self, now_ns: int, time_ns: int) -> list[Closed]:
        """Do what is due: send a heartbeat, or end a session whose peer is silent.

        May be called at any time; does nothing before ``next_tick_ns``.
        """
        self._time_ns = time_ns
        if self.closed is not None:
            return []
        if not self._greeted and now_ns >= self._greet_by_ns:
            return self._end("silent", f"no greeting came within {_s(self.limits.hello_ns)}")
        if now_ns >= self._heard_ns + self._silence_ns:
            return self._end("silent", f"nothing was heard for {_s(self._silence_ns)}")
        if self._greeted and now_ns >= self._beat_at_ns:
            self._beat(now_ns, time_ns)
        return []

    def _beat(self, now_ns: int, time_ns: int) -> None:
        sent_ns, echo_ns, held_ns = self._offset.send(now_ns, time_ns)
        self._send_beat(pb.Beat(time_ns=sent_ns, echo_ns=echo_ns, held_ns=held_ns))
        self._beat_at_ns = now_ns + self._heartbeat_ns

    def _hear_beat(self, beat: pb.Beat, now_ns: int, time_ns: int) -> list[ClockCompared]:
        seen = (beat.time_ns, beat.echo_ns, beat.held_ns)
        compared = self._offset.hear(seen, now_ns, time_ns)
        return [] if compared is None else [compared]

    def _end(self, reason: str, detail: str) -> list[Closed]:
        """End the session because of the peer, and tell it why."""
        self.bye(reason, detail)
        return [] if self.closed is None else [self.closed]

    def _ended(self, reason: str, detail: str) -> Closed:
        """Take in the peer's Bye."""
        self.closed = Closed(reason, detail[: self.limits.detail_chars_max], by_peer=True)
        return self.closed


def _s(duration_ns: int) -> str:
    return f"{duration_ns / 1e9:g} s"
