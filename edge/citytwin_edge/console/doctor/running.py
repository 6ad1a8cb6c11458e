"""What a running agent's status says: agent, hub, outbox, clock, devices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from citytwin.batch import SECOND_NS, TIME_NS_MIN
from citytwin_edge.clocktrust import OFFSET_NS_MAX
from citytwin_edge.console import sentences as say
from citytwin_edge.console.doctor.findings import Finding, Result
from citytwin_edge.console.sentences import age, size

FULL: Final = 0.8
"""Part of the outbox from which on it is worth a word."""
SUM_CHARS: Final = 12
KERNEL_KEY: Final = "kernel:"
"""What stands before the name of a vendor's kernel among all kernels."""

Status = dict[str, Any]


def summary(status: Status) -> list[Finding]:
    """Return how the gateway is as a whole."""
    config = status["configuration"]
    words = say.CONFIG.said(
        file=config["file"],
        name=status["gateway"],
        devices=config["devices"],
        points=config["points"],
        sum=config["sha256"][:SUM_CHARS],
    )
    return [
        Finding("configuration", Result.OK, words),
        agent(status),
        hub(status),
        *outbox(status),
        *kernels(status),
        clock(status["time_ns"], status["clock"]),
    ]


def agent(status: Status) -> Finding:
    """Return that it runs, and since when."""
    running_ns = int(status["running_s"] * SECOND_NS)
    runs = say.AGENT_RUNS.said(
        age=age(0, running_ns), pid=status["pid"], memory=size(status["memory_bytes"])
    )
    return Finding("agent", Result.OK, runs)


def hub(status: Status) -> Finding:
    """Return whether it delivers."""
    found, now_ns = status["hub"], status["time_ns"]
    if not found["connected"]:
        why = found["trouble"] or say.TRYING.said()
        words = say.NOT_DELIVERED.said(why=why)
        return Finding("delivery", Result.FAILED, words, say.REACH_HUB.said())
    if not found["acknowledged_ns"]:
        return Finding("delivery", Result.OK, say.CONNECTED.said())
    since = age(found["acknowledged_ns"], now_ns)
    return Finding("delivery", Result.OK, say.DELIVERS.said(age=since))


def outbox(status: Status) -> list[Finding]:
    """Return what waits, and what was refused or lost."""
    found = status["outbox"]
    findings = [_waiting(found, status["time_ns"])]
    if found.get("refused_entries"):
        words = say.OUTBOX_REFUSED.said(count=found["refused_entries"])
        findings.append(Finding("refused", Result.WARNING, words, say.SEE_REFUSED.said()))
    if found["lost_samples"]:
        words = say.SAMPLES_LOST.said(count=found["lost_samples"])
        findings.append(Finding("lost", Result.WARNING, words, say.SEE_DISK.said()))
    return findings


def kernels(status: Status) -> list[Finding]:
    """Return which calculations fail; their outputs are stale meanwhile."""
    return [
        Finding(
            f"kernel {name.removeprefix(KERNEL_KEY)}",
            Result.WARNING,
            say.KERNEL_FAILS.said(why=why),
            say.TELL_MAKER.said(),
        )
        for name, why in sorted(status.get("kernels_failing", {}).items())
    ]


def _waiting(found: Status, now_ns: int) -> Finding:
    if found["trouble"]:
        return Finding("outbox", Result.FAILED, found["trouble"], say.SEE_DISK.said())
    if found.get("held_bytes"):
        words = say.OUTBOX_HELD.said(size=size(found["held_bytes"]))
        return Finding("outbox", Result.FAILED, words, say.SEE_DISK.said())
    if not found["entries"]:
        return Finding("outbox", Result.OK, say.OUTBOX_EMPTY.said())
    words = say.OUTBOX.said(
        entries=found["entries"],
        size=size(found["bytes"]),
        limit=size(found["bytes_max"]),
        age=age(found["oldest_ns"], now_ns),
    )
    if found["bytes"] < FULL * found["bytes_max"]:
        return Finding("outbox", Result.OK, words)
    return Finding("outbox", Result.WARNING, words, say.OUTBOX_FILLS.said())


def clock(now_ns: int, found: Status) -> Finding:
    """Return whether the clock can be believed; ``now_ns`` is what it shows, UTC nanoseconds."""
    time = datetime.fromtimestamp(now_ns // SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M:%S")
    offset_s = found["offset_s"]
    if now_ns < TIME_NS_MIN:
        words = say.CLOCK_UNSET.said(time=time)
        return Finding("clock", Result.FAILED, words, say.SET_CLOCK.said())
    if offset_s is not None and abs(offset_s) * SECOND_NS > OFFSET_NS_MAX:
        words = say.CLOCK_HUB.said(time=time, offset=f"{offset_s:.1f}")
        return Finding("clock", Result.FAILED, words, say.SET_CLOCK.said())
    if offset_s is not None:
        return Finding("clock", Result.OK, say.CLOCK_AGREES.said(time=time))
    if not found["synchronised"]:
        words = say.CLOCK_FREE.said(time=time)
        return Finding("clock", Result.WARNING, words, say.SET_CLOCK.said())
    return Finding("clock", Result.OK, say.CLOCK.said(time=time))


def devices(status: Status) -> list[Finding]:
    """Return how each device is."""
    return [_device(one, status["time_ns"]) for one in status["devices"]]


def _device(one: Status, now_ns: int) -> Finding:
    name = one["device"]
    check = f"device {name}"
    if one["state"] == "failing":
        since = age(one["since_ns"], now_ns)
        words = say.DEVICE_SILENT.said(device=name, age=since, error=one["error"])
        return Finding(check, Result.FAILED, words, say.CHECK_DEVICE.said(device=name))
    if one["state"] == "waiting":
        words = say.DEVICE_WAITS.said(device=name)
        return Finding(check, Result.WARNING, words, say.CHECK_DEVICE.said(device=name))
    if one["bad"]:
        words = say.DEVICE_PART.said(device=name, bad=one["bad"], points=one["points"])
        return Finding(check, Result.WARNING, words, say.SEE_POINTS.said(device=name))
    return Finding(check, Result.OK, say.DEVICE_OK.said(device=name, points=one["points"]))
