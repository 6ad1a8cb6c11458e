"""Turns: who may speak next on a line that several devices share.

Commands go first. Polls follow in the order in which they came, so that each unit has its share.
Units that gave no answer last time come into a lane of their own, which may use only a small part
of the line's time: however many are dead, the living keep their pace.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum


class Rank(IntEnum):
    """How urgent a turn is."""

    COMMAND = 0
    POLL = 1
    SILENT = 2
    """A unit that was silent when it was asked last."""


@dataclass(slots=True, eq=False, kw_only=True)
class Unit:
    """What a line remembers of one device on it.

    Attributes:
        is_silent: it gave no answer when it was asked last.
        answered: it did once.
        late_until: until then the answer to its last request may still come, by the loop's clock.
    """

    is_silent: bool = False
    answered: bool = False
    late_until: float = 0.0


def has_living(units: Iterable[Unit]) -> bool:
    """Tell whether one of them answers, so that the silent ones must not take its time."""
    return any(unit.answered and not unit.is_silent for unit in units)


class Turns:
    """One holder at a time; see the module for the order of the others."""

    def __init__(
        self,
        contended: Callable[[], bool],
        *,
        silent_share_max: float = 0.1,
        silent_burst_s: float = 0.5,
    ) -> None:
        """Begin with nobody on the line.

        Args:
            contended: whether there are living units to protect from the silent ones.
            silent_share_max: part of the line's time that silent units may waste in the long run.
            silent_burst_s: how much of it they may save up.
        """
        self._contended = contended
        self._share = silent_share_max
        self._burst_s = silent_burst_s
        self._allowance_s = silent_burst_s
        self._counted_at = 0.0
        self._busy = False
        self._lanes: tuple[deque[asyncio.Future[None]], ...] = (deque(), deque(), deque())
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return sum(map(len, self._lanes))

    async def take(self, rank: Rank) -> None:
        """Wait for the turn; it must be given back. A cancelled wait leaves no trace."""
        # Nobody holds the line while others wait only if those are silent ones without allowance.
        if not self._busy and (rank is not Rank.SILENT or self._silent_wait_s() <= 0):
            self._busy = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lanes[rank].append(turn)
        if not self._busy:
            self._pass_on()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._lanes[rank].remove(turn)
            else:
                self.give_back()
            raise

    async def take_for(self, unit: Unit, *, command: bool) -> Rank:
        """Wait until a unit may be asked: for its own late answer, then for the turn."""
        late_s = unit.late_until - asyncio.get_running_loop().time()
        if late_s > 0:
            await asyncio.sleep(late_s)
        rank = Rank.COMMAND if command else Rank.SILENT if unit.is_silent else Rank.POLL
        await self.take(rank)
        return rank

    def give_back(self, *, wasted_s: float = 0.0) -> None:
        """End the turn.

        Args:
            wasted_s: what it cost, when it was the turn of a silent unit and brought nothing.
        """
        if wasted_s:
            self._silent_wait_s()
            self._allowance_s -= wasted_s
        self._busy = False
        self._pass_on()

    def close(self) -> None:
        """Stop the timer; who still waits is served as turns are given back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pass_on(self) -> None:
        self.close()
        silent_wait_s = self._silent_wait_s() if self._lanes[Rank.SILENT] else 0.0
        for rank in (Rank.COMMAND, Rank.SILENT, Rank.POLL):
            lane = self._lanes[rank]
            if rank is Rank.SILENT and silent_wait_s > 0:
                continue
            for turn in lane:
                if not turn.done():  # a cancelled one removes itself
                    lane.remove(turn)
                    turn.set_result(None)
                    self._busy = True
                    return
        if silent_wait_s > 0:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(silent_wait_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        if not self._busy:
            self._pass_on()

    def _silent_wait_s(self) -> float:
        """Return how long silent units must wait for their allowance; brings it up to date."""
        now = asyncio.get_running_loop().time()
        earned = (now - self._counted_at) * self._share
        self._allowance_s = min(self._allowance_s + earned, self._burst_s)
        self._counted_at = now
        if self._allowance_s > 0 or not self._contended():
            return 0.0
        return (0.001 - self._allowance_s) / self._share
