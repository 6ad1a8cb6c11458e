"""Health: what the agent says of itself, as ordinary points under the device ``agent``."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from citytwin.batch import Batch, Int32
from citytwin.point import Kind, Label, Place, Point, Source
from citytwin.quality import Quality
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.outbox import OutboxStats
from citytwin_edge.pollstats import PollStats

DEVICE: Final = "agent"
SUCCESS: Final = ".success"
OWN: Final = (
    ("outbox-entries", "1", Kind.ANALOG),
    ("outbox-bytes", "By", Kind.ANALOG),
    ("outbox-thinned", "{samples}", Kind.COUNTER),
    ("samples-dropped", "{samples}", Kind.COUNTER),
    ("cpu", "s", Kind.COUNTER),
    ("memory", "By", Kind.ANALOG),
    ("clock-offset", "ms", Kind.ANALOG),
    ("config-version", "1", Kind.STATE),
    ("config-result", "1", Kind.STATE),
)
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class ConfigHealth(NamedTuple):
    """How the configuration does.

    Attributes:
        version: how many different ones have run since the state folder was made.
        result: of the last reload: 0 there was none since the start, 1 applied, 2 refused,
            3 rolled back, 4 on trial.
    """

    version: int = 0
    result: int = 0


_UNCHANGED: Final = ConfigHealth()


def points(gateway: str, label: Label, place: Place | None, devices: Sequence[str]) -> list[Point]:
    """Return the agent's points: its own, then the success ratio of each device."""
    names = [*OWN, *((f"{device}{SUCCESS}", "1", Kind.ANALOG) for device in devices)]
    return [
        Point(
            id=f"{gateway}/{DEVICE}/{name}",
            unit=unit,
            kind=kind,
            source=Source.HEALTH,
            device_label=label,
            place=place,
        )
        for name, unit, kind in names
    ]


class Health:
    """Measures the agent; remembers what it measured last."""

    def __init__(self, numbers: Int32, trust: ClockTrust) -> None:
        """Prepare.

        Args:
            numbers: of :func:`points`, in that order, int32, shape (n,).
            trust: knows the clock.
        """
        self._numbers = numbers
        self._trust = trust
        self._seen: dict[str, tuple[int, int]] = {}

    def go_on(self, before: Health, names: Iterable[str]) -> None:
        """Go on from what was measured last of devices that have not begun anew."""
        self._seen = {name: before._seen[name] for name in names if name in before._seen}

    def measure(
        self, now_ns: int, outbox: OutboxStats, dropped: int, devices: Mapping[str, PollStats],
        config: ConfigHealth = _UNCHANGED,
    ) -> Batch:  # fmt: skip
        """Return one sample of every point; what is not known yet is NaN and stale."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        offset_ns = self._trust.offset_ns
        own = [
            outbox.entries,
            outbox.bytes,
            outbox.thinned_samples,
            dropped,
            usage.ru_utime + usage.ru_stime,
            resident_bytes(),
            np.nan if offset_ns is None else offset_ns / 1e6,
            config.version,
            config.result,
        ]
        ratios = [self._success(name, stats) for name, stats in devices.items()]
        value = np.array([*own, *ratios], np.float64)
        quality = np.where(np.isnan(value), Quality.BAD_STALE, Quality.GOOD).astype(np.uint8)
        return Batch.of(self._numbers, now_ns, value, quality)

    def _success(self, name: str, stats: PollStats) -> float:
        """Return the part of the polls ended since the last measurement that were answered.

        Without any it is 0 for a device that is silent and therefore left alone, else NaN.
        """
        ended = stats.answered + stats.failures.total()
        before, answered = self._seen.get(name, (0, 0))
        self._seen[name] = (ended, stats.answered)
        if ended == before:
            return 0.0 if stats.in_row else np.nan
        return (stats.answered - answered) / (ended - before)


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
