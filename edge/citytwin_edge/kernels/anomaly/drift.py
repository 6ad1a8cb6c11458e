"""Drift: a two-sided cumulative sum of what a profile leaves over.

E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954. The sums forget slowly, so a
lasting change that the profile has taken up is no drift any more.
"""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import get, larger, pick, smaller

SLACK: Final = 0.5
"""Deviations that each sample may be off without counting."""
LIMIT: Final = 5.0
"""One sample counts no more than so many deviations."""
FORGET: Final = 0.99
UP, DOWN = range(2)
NUMBERS: Final = 2


def drift(state: Any, base: int, deviation: Any, above: Any) -> Any:
    """Return the larger sum, and take up a deviation from a profile.

    Args:
        state, base: as of ``profile``.
        deviation: not negative.
        above: whether the value is above what was expected.
    """
    size = smaller(deviation, LIMIT)
    signed = pick(above, size, -size)
    up = larger(0.0, FORGET * get(state, base + UP) + signed - SLACK)
    down = larger(0.0, FORGET * get(state, base + DOWN) - signed - SLACK)
    state[base + UP] = up
    state[base + DOWN] = down
    return larger(up, down)
