"""Usual: the span of each pressure and flow over a whole day, from the model run beforehand.

An operator sets the limits of a logger from what it has shown; here the model shows it at once. So
a burst or a closed valve leaves the normal spans near it, and a quiet day leaves none.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Final

from democity.truth import DAY_S, SECOND_NS, WaterTruth

STARTS_H: Final = (0, 6, 12, 18)
"""The tanks begin half full whenever the demo starts, so a day is run from several hours."""
STEP_S: Final = 900
PRESSURE_MARGIN_M: Final = 2.5
FLOW_MARGIN: Final = 0.15
"""Of the day's span on either side, and at least of the largest flow."""

Span = tuple[float, float]


@functools.cache
def usual_day() -> tuple[dict[str, Span], dict[str, Span]]:
    """Return the normal spans of pressures (metres, by node) and flows (m³/h, by link)."""
    pressures: dict[str, list[float]] = {}
    flows: dict[str, list[float]] = {}
    for hour in STARTS_H:
        with contextlib.closing(WaterTruth(hour * 3600 * SECOND_NS)) as truth:
            for second in range(0, DAY_S, STEP_S):
                truth.advance((hour * 3600 + second) * SECOND_NS)
                for node in truth.network.junctions:
                    pressures.setdefault(node, []).append(truth.pressure_m(node))
                for link in truth.network.links:
                    flows.setdefault(link, []).append(truth.flow_m3h(link))
    return (
        {node: _widened(seen, PRESSURE_MARGIN_M) for node, seen in pressures.items()},
        {link: _widened(seen, _flow_margin(seen)) for link, seen in flows.items()},
    )


def _flow_margin(seen: list[float]) -> float:
    return FLOW_MARGIN * max(max(seen) - min(seen), *(abs(flow) for flow in seen))


def _widened(seen: list[float], margin: float) -> Span:
    return min(seen) - margin, max(seen) + margin
