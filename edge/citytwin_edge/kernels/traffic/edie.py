"""Edie's definitions of flow, density and space-mean speed, of a sample for each vehicle.

    q = Σ dᵢ / (L T)        k = Σ tᵢ / (L T)        v = q / k = Σ dᵢ / Σ tᵢ

in a region of length L and time T in which vehicle i goes dᵢ and spends tᵢ. At a detector, over a
short L that every vehicle goes at its speed, dᵢ = L and tᵢ = L / vᵢ, so that

    q = n / T        k = Σ (1 / vᵢ) / T        v = n / Σ (1 / vᵢ)

Source: L. C. Edie, Discussion of traffic stream measurements and definitions, Proc. 2nd
International Symposium on the Theory of Traffic Flow, 1963, which could not be read. A vehicle
whose speed is 0 has no 1 / v: it counts with the mean of the others, and the density is
``uncertain: range``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from citytwin.point import Label, Point
from citytwin.quality import SEVERITY_SHIFT, Quality, Severity
from citytwin_edge.kernels.formula import Builtin, Gives
from citytwin_edge.kernels.traffic.loop_aggregates import FLOW
from citytwin_edge.kernels.traffic.passages import READS, Passages, PassageSettings

DENSITY: Final = Gives(
    "density",
    "{vehicles}/km",
    Label(kk="Көлік тығыздығы", ru="Плотность потока", en="Traffic density"),
)
SPACE_SPEED: Final = Gives(
    "space-mean-speed",
    "km/h",
    Label(
        kk="Кеңістіктік орташа жылдамдық",
        ru="Средняя пространственная скорость",
        en="Space-mean speed",
    ),
    "averageVehicleSpeed",
)
GIVES: Final = (FLOW, DENSITY, SPACE_SPEED)


class Edie(Passages):
    """Gives flow, density and space-mean speed."""

    def __init__(self, settings: PassageSettings, inputs: Sequence[Point]) -> None:
        """Check the input (ConfigError)."""
        super().__init__("edie", settings, inputs, ("speed",), GIVES)

    def _told(self, doubt: int) -> Iterator[tuple[float, int]]:
        count, moving = int(self._columns["count"][0]), int(self._columns["moving"][0])
        yield self._flow, doubt
        bad = doubt >> SEVERITY_SHIFT == Severity.BAD
        if not count and not bad:
            yield 0.0, doubt
            yield float("nan"), int(Quality.BAD_NOT_A_NUMBER)
            return
        if moving < count:
            doubt = max(doubt, int(Quality.UNCERTAIN_RANGE))
        yield self._flow * self._pace, doubt
        yield (1 / self._pace if moving else float("nan")), doubt


EDIE: Final = Builtin(
    PassageSettings,
    Edie,
    (READS["speed"],),
    GIVES,
    "flow, density and space-mean speed after Edie, of a sample for each vehicle",
)
