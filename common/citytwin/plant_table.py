"""Plant table: samples of points to the steps of a fit, and a fitted model to ``[[kernel]]``.

What the fits at the hub and on a technician's laptop share; where the samples come from differs.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from citytwin.batch import SECOND_NS, Float64, Int64
from citytwin.errors import CityTwinError
from citytwin.plant_fit import CELLS_MAX, PlantFit, fit

SAMPLES_MAX: Final = 10_000_000
POINTS_MAX: Final = 1000
STEPS_S: Final = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 14_400)
"""A step that nobody names is the shortest of these in which the rarest point speaks."""
THRESHOLDS_MORE: Final = (0.0, 0.5, 1.0, 2.0)
"""Beside the suggested threshold, what such higher ones would have given is told."""


@dataclass(slots=True)
class Samples:
    """Good samples of one point, in any order."""

    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    @property
    def time_ns(self) -> Int64:
        """UTC nanoseconds, int64, shape (n,)."""
        return np.array(self.times, np.int64)

    @property
    def value(self) -> Float64:
        """In the point's unit, shape (n,)."""
        return np.array(self.values, np.float64)


class History:
    """Gathers samples by point."""

    def __init__(self, where: str, without: Sequence[str] = ()) -> None:
        """Gather nothing yet.

        Args:
            where: what the history is called in errors.
            without: names to leave out; ``*`` stands for anything.
        """
        self._where, self._without, self._count = where, without, 0
        self._found: dict[str, Samples] = {}

    def add(self, name: str, times_ns: Sequence[int], values: Sequence[float]) -> None:
        """Take samples of a point.

        Raises:
            CityTwinError: there are more points or samples than a fit can hold.
        """
        if name not in self._found and len(self._found) == POINTS_MAX:
            raise CityTwinError(f"{self._where}: has over {POINTS_MAX} points: choose some")
        self._count += len(times_ns)
        if self._count > SAMPLES_MAX:
            raise CityTwinError(f"{self._where}: has over {SAMPLES_MAX} samples: shorten the span")
        one = self._found.setdefault(name, Samples())
        one.times.extend(times_ns)
        one.values.extend(values)

    def points(self) -> dict[str, Samples]:
        """Return the samples by device/point, in the order of these names.

        Raises:
            CityTwinError: they are of two gateways, or not called so.
        """
        found = {
            name: one
            for name, one in self._found.items()
            if len(one.times) and not any(fnmatchcase(name, wish) for wish in self._without)
        }
        gateways = {name.split("/")[0] for name in found if name.count("/") > 1}
        if len(gateways) > 1:
            raise CityTwinError(
                f"{self._where}: has points of the gateways {', '.join(sorted(gateways))}; a "
                f"kernel watches one: leave the others out with --without 'NAME/*'"
            )
        short = {name.partition("/")[2] if name.count("/") > 1 else name: name for name in found}
        wrong = [name for name in short if name.count("/") != 1]
        if wrong:
            raise CityTwinError(
                f"{self._where}: {wrong[0]!r} is not a point: they are called device/point"
            )
        return {name: found[short[name]] for name in sorted(short)}


def step_of(samples: dict[str, Samples]) -> int:
    """Return the step, in seconds, that the rarest point allows."""
    longest = 0.0
    for one in samples.values():
        if len(one.time_ns) > 1:
            between = np.diff(np.sort(one.time_ns))
            between = between[between > 0]
            longest = max(longest, float(np.median(between)) if len(between) else 0.0)
    return next((step for step in STEPS_S if step * SECOND_NS >= longest), STEPS_S[-1])


def steps(samples: dict[str, Samples], step_s: int) -> tuple[int, npt.NDArray[np.float64]]:
    """Return when the first step begins, and the means, shape (steps, points); NaN for none.

    Raises:
        CityTwinError: there is nothing, or too much.
    """
    if not samples:
        raise CityTwinError("the history has no good sample of any point")
    step_ns = step_s * SECOND_NS
    places = {name: one.time_ns // step_ns for name, one in samples.items()}
    first = min(int(place.min()) for place in places.values())
    last = max(int(place.max()) for place in places.values())
    count = last - first + 1
    if count * len(samples) > CELLS_MAX:
        raise CityTwinError(
            f"{count} steps of {step_s} s and {len(samples)} points are too many: take a longer "
            f"--step or a shorter history"
        )
    table = np.full((count, len(samples)), np.nan)
    for column, (name, one) in enumerate(samples.items()):
        place = places[name] - first
        number = np.bincount(place, minlength=count)
        spoke = number > 0
        total = np.bincount(place, weights=one.value, minlength=count)
        table[spoke, column] = total[spoke] / number[spoke]
    return first * step_ns, table


def fitted(samples: dict[str, Samples], step_s: int | None) -> PlantFit:
    """Return the fit of a history; ``step_s`` None: as the rarest point allows.

    Raises:
        CityTwinError: it cannot be fitted; the text says what is needed.
    """
    step_s = step_of(samples) if step_s is None else step_s
    if step_s < 1:
        raise CityTwinError(f"--step is at least 1 second, not {step_s}")
    start_ns, values = steps(samples, step_s)
    return fit(list(samples), start_ns, step_s, values)


def told(found: PlantFit, name: str) -> dict[str, Any]:
    """Return the fields of the table, and what speaks for them, for scripts."""
    threshold = found.threshold()
    return {
        "name": name,
        "kernel": "multivariate",
        "inputs": list(found.model.names),
        "threshold": threshold,
        "model": found.model.text(),
        "step_s": found.model.step_s,
        "steps": found.steps,
        "still": list(found.still),
        "alarms": {
            f"{one:g}": found.alarms(one) for one in (threshold + more for more in THRESHOLDS_MORE)
        },
    }


def kernel_table(about: dict[str, Any], source: str) -> str:
    """Return the ``[[kernel]]`` table of what ``told`` gives, as it stands in ``edge.toml``."""
    days = about["steps"] * about["step_s"] / 86_400
    alarms = ", ".join(f"{threshold}: {count}" for threshold, count in about["alarms"].items())
    lines = [
        f"# Fitted of {source}: {about['steps']} steps of {about['step_s']} s ({days:.0f} days) of "
        f"{len(about['inputs'])} points.",
        f"# In the parts of it that a fit had not seen, alarms by threshold: {alarms}.",
    ]
    if about["still"]:
        lines.append(f"# Hardly moved, so an alarm if they do: {', '.join(about['still'])}.")
    lines += [
        "[[kernel]]",
        f"name = {json.dumps(about['name'])}",
        f"kernel = {json.dumps(about['kernel'])}",
        "inputs = [",
        *(f"    {json.dumps(one)}," for one in about["inputs"]),
        "]",
        f"threshold = {about['threshold']:g}",
        f"model = {json.dumps(about['model'])}",
    ]
    return "\n".join(lines) + "\n"
