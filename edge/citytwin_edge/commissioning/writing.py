"""Writing: one point set at a device and read back, where no agent runs that would do it.

With an agent its commander does it, behind the hub's commands and polls. Without one the same
commander does it here, by the same journal, so that what one has set the other knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import math
import os
import uuid
from pathlib import Path
from typing import Any, Final

import numpy as np

from citytwin import reasons
from citytwin.adapter import Site, Writes
from citytwin.batch import SECOND_NS
from citytwin.command import Command, Outcome, OutcomeState, Readback
from citytwin.errors import CommandError, DeviceError
from citytwin.point import Point
from citytwin.quality import Severity, severity
from citytwin_edge.commander import JOURNAL, WRITE_S_MAX, Commander
from citytwin_edge.gateway import Device, GatewayConfig
from citytwin_edge.probing import CLOSE_S_MAX, probe
from citytwin_edge.scaling import Scaling

READBACK_S_MAX: Final = 10.0
LOOK_S: Final = 0.2
TOLERANCE: Final = 1e-6
"""Part of the value by which a read-back may differ where the point says nothing."""


def found(config: GatewayConfig, name: str) -> tuple[Device, int]:
    """Return the device and the place of a point among its own, by ``device/point``.

    Raises:
        CommandError: there is none of that name.
    """
    for device in config.devices:
        for index, one in enumerate(device.points):
            if name in {f"{device.name}/{one.point.name}", one.point.id}:
                return device, index
    writable = [
        f"{one.point.device}/{one.point.name}"
        for one in config.points
        if one.point.writable is not None
    ]
    raise CommandError(f"there is no point {name!r}; writable are {', '.join(writable) or 'none'}")


def check(device: Device, index: int, value: float) -> None:
    """Refuse what the point's limits forbid (CommandError)."""
    point = device.points[index].point
    if not math.isfinite(value):
        raise CommandError(reasons.NOT_FINITE.said())
    if point.writable is None:
        raise CommandError(reasons.NOT_WRITABLE.said(point=point.id))
    if value not in point.writable:
        ends = reasons.ends(point.writable)
        raise CommandError(reasons.OUTSIDE.said(value=f"{value:g}", **ends))
    if not point.on_step(value):
        raise CommandError(reasons.off_step(point, value))


async def write(config: GatewayConfig, device: Device, index: int, value: float) -> dict[str, Any]:
    """Set a point whose limits were checked, and read it back; nobody else has the device open.

    It is in the journal of commands of the state folder, which an agent reads, too: the shortest
    time between two commands and the fail-safe value hold for whoever set the point.

    Returns:
        ``point``, ``value``, ``before``, ``state``, ``reason``, ``confirmed`` and ``read``, as the
        operation ``write`` of a running agent (docs/specs/console.md).

    Raises:
        CommandError: an interlock guards the point: only an agent knows what it guards; or the
            journal cannot be kept.
        DeviceError: the device cannot be reached.
    """
    point = device.points[index].point
    for lock in config.interlocks:
        if lock.target == point.id:
            raise CommandError(
                f"{point.id} is locked while {lock.guard} is not as it must be, and no agent runs "
                "that would know; start it first (citytwin-edge run)"
            )
    from citytwin.clock import SystemClock

    clock = SystemClock()
    adapter = device.build(Site(clock, lambda _text: 0))
    if not isinstance(adapter, Writes):
        raise CommandError(f"device {device.name} cannot be commanded")
    scaling = _scaling(device)
    done: dict[str, Any] = {"point": point.id, "value": value, "before": None, "reason": "",
                            "confirmed": False, "read": None}  # fmt: skip

    async def set_it(_point: str, value: float) -> None:
        await adapter.open()
        done["before"] = await _seen(adapter, device, index, scaling)
        await adapter.write(index, scaling.undo(index, value))

    async def tell(outcome: Outcome) -> None:
        done.update(state=outcome.state.value, reason=outcome.reason)

    commander = Commander(
        journal(config.state),
        {point.id: point},
        write=set_it,
        tell=tell,
        now_ns=clock.now_ns,
        intervals_ns=config.intervals_ns,
    )
    try:
        await commander.handle(_command(point, value, clock.now_ns()))
        if done["state"] == OutcomeState.EXECUTED:
            await _read_back(adapter, device, index, scaling, done)
    finally:
        commander.close()
        async with asyncio.timeout(CLOSE_S_MAX):
            await adapter.close()
    return done


def journal(state: Path) -> Path:
    """Return where a gateway's commands are journalled; as its agent could have made it.

    Raises:
        CommandError: it cannot be written.
    """
    path = state / JOURNAL
    try:
        state.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            if os.geteuid() == 0:  # root acts for a service that must be able to write it, too
                folder = state.stat()
                os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
    except OSError as error:
        raise CommandError(
            f"what is set must be in the journal {path}, which cannot be written: "
            f"{error.strerror or error}; type sudo before the command, or let [gateway] state "
            "name a folder of yours"
        ) from None
    return path


def _command(point: Point, value: float, now_ns: int) -> Command:
    tolerance = point.tolerance or abs(value) * TOLERANCE
    readback = Readback(point.id, value, tolerance, int(READBACK_S_MAX * SECOND_NS))
    return Command(
        id=uuid.uuid4().hex, point=point.id, value=value, issued_by=getpass.getuser(),
        issued_ns=now_ns, expires_ns=now_ns + int(WRITE_S_MAX * SECOND_NS), readback=readback,
    )  # fmt: skip


async def _read_back(
    adapter: Any, device: Device, index: int, scaling: Scaling, done: dict[str, Any]
) -> None:
    """Read until the value is there, or for READBACK_S_MAX."""
    wanted = done["value"]
    tolerance = device.points[index].point.tolerance or abs(wanted) * TOLERANCE
    with contextlib.suppress(DeviceError, TimeoutError):
        async with asyncio.timeout(READBACK_S_MAX):
            while not done["confirmed"]:
                done["read"] = seen = await _seen(adapter, device, index, scaling)
                done["confirmed"] = seen is not None and abs(seen - wanted) <= tolerance
                if not done["confirmed"]:
                    await asyncio.sleep(LOOK_S)


async def _seen(adapter: Any, device: Device, index: int, scaling: Scaling) -> float | None:
    """Return what a point reads now; None where it has no good value."""
    from citytwin.batch import Batch

    for one in await probe(adapter, len(device.points)):
        if one.point == index:
            batch = scaling.apply(Batch.of([index], 0, [one.value], [one.quality]))
            is_bad = bool(severity(batch.quality)[0] == Severity.BAD)
            return None if is_bad else float(batch.value[0])
    return None


def _scaling(device: Device) -> Scaling:
    return Scaling(
        [one.point for one in device.points],
        np.arange(len(device.points), dtype=np.int32),
        np.array([one.scale for one in device.points], np.float64),
        np.array([one.offset for one in device.points], np.float64),
    )
