"""Standing: what the states of kernels stand on, so that a new configuration keeps what it may.

A state goes on where its point still means the same: the same unit and scale, the same settings of
the kernel, and, of what other kernels derive, the same derivation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from citytwin_edge.gateway import GatewayConfig, GatewayPoint

STATE_OF: Final[Mapping[str, Callable[[GatewayPoint], Any]]] = {
    "rules": lambda one: one.point.normal is None,
    "counter": lambda one: one.rules.counter,
    "anomaly": lambda one: one.rules.anomaly and one.rules.anomaly.learns_by,
    "deadband": lambda one: (one.rules.deadband, one.rules.silence_s_max),
    "swinging-door": lambda one: (one.rules.swinging_door, one.rules.silence_s_max),
}
"""By kernel, what its state of a point stands on beside what the point measures."""


class Standing:
    """What one configuration's states stand on.

    Attributes:
        kernels: those of ``[[kernel]]``, by key.
    """

    def __init__(self, config: GatewayConfig, givers: Mapping[str, str]) -> None:
        """Look at a configuration; ``givers`` says which kernel gives a point, by its id."""
        self._points = {one.point.id: one for one in config.points}
        self.kernels = {one.key: one for one in config.kernels}
        self._givers = givers

    def of(self, key: str) -> tuple[Any, ...]:
        """Return what the state of one of ``kernels`` stands on as a whole."""
        one = self.kernels[key]
        inputs = [(point.id, self._meaning(point.id)) for point in one.inputs]
        return (one.kernel, one.settings, inputs)

    def stays_in(self, new: Standing) -> Callable[[str, str], bool]:
        """Return what tells whether the state of (a kernel, a point's id) means the same there."""

        def stays(kernel: str, point: str) -> bool:
            return self._row(kernel, point) == new._row(kernel, point) is not None

        return stays

    def _row(self, kernel: str, point: str) -> tuple[Any, ...] | None:
        """Return what the row of a point stands on; None where a state has no such rows."""
        if kernel in STATE_OF:
            return (STATE_OF[kernel](self._points[point]), self._meaning(point))
        added = self.kernels[kernel]
        learns_by = getattr(added.kind, "learns_by", None)
        if learns_by is None:
            return None
        return (added.kernel, learns_by(added.settings), self._meaning(point))

    def _meaning(self, point: str) -> tuple[Any, ...]:
        """Return what values of a point must have in common to be compared with each other."""
        own = self._points.get(point)
        if own is not None:
            return (own.point.unit, own.point.kind, own.scale, own.offset)
        giver = self._givers[point]
        if giver in self.kernels:
            return self.of(giver)
        origin = point.rpartition(".")[0]
        return (giver, STATE_OF[giver](self._points[origin]), self._meaning(origin))
