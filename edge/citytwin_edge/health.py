"""Health: what the agent says of itself, as ordinary points under the device ``agent``."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from citytwin.batch import Batch, Int32
from citytwin.identity import SEGMENT_CHARS_MAX
from citytwin.point import Kind, Label, Place, Point, Source
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.outbox import OutboxStats
from citytwin_edge.poller import PollStats

DEVICE: Final = "agent"
OWN: Final = (
    ("outbox-entries", "1", Kind.ANALOG),
    ("outbox-bytes", "By", Kind.ANALOG),
    ("outbox-thinned", "{samples}", Kind.COUNTER),
    ("samples-dropped", "{samples}", Kind.COUNTER),
    ("cpu", "s", Kind.COUNTER),
    ("memory", "By", Kind.ANALOG),
    ("clock-offset", "ms", Kind.ANALOG),
)
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def points(gateway: str, label: Label, place: Place | None, devices: list[str]) -> list[Point]:
    """Return the agent's points: its own, then the success ratio of each device."""
    names = [*OWN, *((success(device), "1", Kind.ANALOG) for device in devices)]
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


def success(device: str) -> str:
    """Return the name of the point that holds a device's success ratio."""
    return f"{device[: SEGMENT_CHARS_MAX - 8]}.success"


def measure(
    numbers: Int32,
    now_ns: int,
    outbox: OutboxStats,
    dropped: int,
    trust: ClockTrust,
    devices: Mapping[str, PollStats],
) -> Batch:
    """Return one sample of every point, in the order of :func:`points`."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    offset_ns = trust.offset_ns
    own = [
        outbox.entries,
        outbox.bytes,
        outbox.thinned_samples,
        dropped,
        usage.ru_utime + usage.ru_stime,
        resident_bytes(),
        np.nan if offset_ns is None else offset_ns / 1e6,
    ]
    ratios = [stats.success for stats in devices.values()]
    value = np.array([*own, *ratios], np.float64)
    quality = np.where(np.isfinite(value), 0, 0x86).astype(np.uint8)
    return Batch.of(numbers, now_ns, value, quality)


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
