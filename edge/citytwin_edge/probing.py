"""Probing: one look at each device through whatever its adapter can do, for a technician's eyes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from citytwin.adapter import Adapter, Listens, Probed, Probes, Reads, Site
from citytwin.batch import Batch
from citytwin.errors import CityTwinError, DeviceError
from citytwin.point import Kind
from citytwin.quality import Quality
from citytwin.units import unit
from citytwin_edge.gateway import Device
from citytwin_edge.poller import Poller
from citytwin_edge.scaling import Scaling

DEVICE_S_MAX: Final = 30.0
POINT_S_MAX: Final = 1.0
"""A device may take so long, and so much longer for each of its points: slow lines have many."""
LISTEN_S_MAX: Final = 10.0
"""A device that speaks by itself is heard for so long, or until it has told all its points."""
AT_ONCE_MAX: Final = 8
CLOSE_S_MAX: Final = 1.0
SINGLE_MAX: Final = 1e38
"""A float32 holds no more."""

Row = dict[str, Any]
Heard = Callable[[Sequence[int], float], Awaitable[Mapping[int, tuple[float, int, str]]]]
"""(numbers, seconds) -> (value, quality, text) by number: see :func:`probe_running`."""


async def probe_all(devices: Sequence[Device], site: Site) -> list[Row]:
    """Return one row for every point, in the file's order; several devices are asked at once."""
    return await _at_once(devices, lambda device: probe_device(device, site))


async def probe_running(
    devices: Sequence[Device], pollers: Mapping[str, Poller], heard: Heard
) -> list[Row]:
    """Return the same of devices that a running agent has: on their lines, between its polls.

    Args:
        devices: which.
        pollers: of all devices, by name.
        heard: waits for samples of a device that only listens, and cannot be heard twice; returns
            the newest of each point that has spoken, by the poller's numbers.
    """

    async def one(device: Device) -> list[Row]:
        poller = pollers[device.name]
        timeout_s = DEVICE_S_MAX + POINT_S_MAX * len(device.points)
        try:
            if isinstance(poller.spec.adapter, Probes | Reads):
                count = len(device.points)
                probed = await poller.lend(lambda adapter: probe(adapter, count), timeout_s)
            else:
                numbers = poller.spec.numbers.tolist()
                return rows_of_heard(device, numbers, await heard(numbers, LISTEN_S_MAX))
        except (CityTwinError, OSError) as error:  # TimeoutError is one
            return _rows(device, (), str(error) or f"no answer within {timeout_s:g} s")
        return _rows(device, probed, "nothing was heard of it")

    return await _at_once(devices, one)


async def _at_once(
    devices: Sequence[Device], probe_one: Callable[[Device], Awaitable[list[Row]]]
) -> list[Row]:
    turns = asyncio.Semaphore(AT_ONCE_MAX)

    async def one(device: Device) -> list[Row]:
        async with turns:
            return await probe_one(device)

    return [row for rows in await asyncio.gather(*map(one, devices)) for row in rows]


async def probe_device(device: Device, site: Site) -> list[Row]:
    """Return one row a point: raw bytes, value in its unit, quality, milliseconds, note."""
    adapter = device.build(site)
    missing = "nothing was heard of it"
    timeout_s = DEVICE_S_MAX + POINT_S_MAX * len(device.points)
    probed: Sequence[Probed] = ()
    try:
        async with asyncio.timeout(timeout_s):
            await adapter.open()
            probed = await probe(adapter, len(device.points))
    except TimeoutError as error:
        missing = str(error) or f"no answer within {timeout_s:g} s"
    except (CityTwinError, OSError) as error:
        missing = str(error) or type(error).__name__
    finally:
        await _close(adapter)
    return _rows(device, probed, missing)


async def probe(adapter: Adapter, points: int) -> Sequence[Probed]:
    """Return every point that can be had once, with raw bytes where the adapter can show them.

    Raises:
        DeviceError: nothing came.
    """
    if isinstance(adapter, Probes):
        return await adapter.probe()
    if isinstance(adapter, Reads):
        return _latest([await adapter.read()])
    if isinstance(adapter, Listens):
        return _latest(await _heard(adapter, points))
    raise DeviceError("this adapter can neither be read nor listened to")


async def _heard(adapter: Listens, points: int) -> list[Batch]:
    batches: list[Batch] = []
    seen: set[int] = set()
    stream = adapter.listen()
    try:
        async with asyncio.timeout(LISTEN_S_MAX):
            async for batch in stream:
                batches.append(batch)
                seen.update(batch.point.tolist())
                if len(seen) == points:
                    break
    except TimeoutError:
        pass
    finally:
        aclose = getattr(stream, "aclose", None)
        if aclose is not None:
            await aclose()
    return batches


def _latest(batches: Sequence[Batch]) -> list[Probed]:
    latest = {
        int(point): Probed(int(point), b"", float(value), int(quality), 0)
        for batch in batches
        for point, value, quality in zip(batch.point, batch.value, batch.quality, strict=True)
    }
    return list(latest.values())


def _rows(device: Device, probed: Sequence[Probed], missing: str) -> list[Row]:
    """Scale and judge what was read as the running agent would; add what was not."""
    count = len(device.points)
    spare = {n: Probed(n, b"", math.nan, Quality.BAD_SILENT, 0, missing) for n in range(count)}
    every = sorted((spare | {one.point: one for one in probed}).values())
    scaling = Scaling(
        [one.point for one in device.points],
        np.arange(count, dtype=np.int32),
        np.array([one.scale for one in device.points], np.float64),
        np.array([one.offset for one in device.points], np.float64),
    )
    columns = ([one.point for one in every], 0, [one.value for one in every])
    scaled = scaling.apply(Batch.of(*columns, [one.quality for one in every]))
    return [
        _row(device, one, float(value), Quality(int(quality)))
        for one, value, quality in zip(every, scaled.value, scaled.quality, strict=True)
    ]


def rows_of_heard(
    device: Device, numbers: Sequence[int], heard: Mapping[int, tuple[float, int, str]]
) -> list[Row]:
    """Return rows of what a running agent has heard: (value, quality, text) by its numbers.

    They are in the points' units already; bytes are not shown.
    """
    silent = (math.nan, int(Quality.BAD_SILENT), "")
    rows = []
    for index, number in enumerate(numbers):
        value, quality, text = heard.get(number, silent)
        note = text if number in heard else f"nothing was heard of it within {LISTEN_S_MAX:g} s"
        one = Probed(index, b"", value, quality, 0, note)
        rows.append(_row(device, one, value, Quality(quality)))
    return rows


def shown(value: float) -> float | None:
    """Return a value as people read it: nine digits, nothing where it is none.

    What a device said as a float32 has as many digits as tell it from its neighbours: 5.1, not
    5.0999999.
    """
    if not math.isfinite(value):
        return None
    if abs(value) < SINGLE_MAX and not value.is_integer():
        single = np.float32(value)
        if value == single:
            return float(str(single))
    return float(f"{value:.9g}")


def _row(device: Device, one: Probed, value: float, quality: Quality) -> Row:
    point = device.points[one.point].point
    seen: float | str | None = shown(value)
    if point.kind == Kind.TEXT and seen is not None:
        seen = one.note  # the number that stands for a text tells nobody anything
    return {
        "device": device.name,
        "point": point.name,
        "raw": one.raw.hex(" "),
        "value": seen,
        "unit": unit(point.unit).symbol,
        "quality": quality.words,
        "ms": round(one.elapsed_ns / 1e6, 1),
        "note": one.note,
    }


async def _close(adapter: Adapter) -> None:
    try:
        async with asyncio.timeout(CLOSE_S_MAX):
            await adapter.close()
    except TimeoutError:
        pass
