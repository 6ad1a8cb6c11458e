"""Probing: one look at a device through whatever its adapter can do."""

from __future__ import annotations

from collections.abc import Sequence

from citytwin.adapter import Adapter, Listens, Probed, Probes, Reads
from citytwin.batch import Batch
from citytwin.errors import DeviceError


async def probe(adapter: Adapter, points: int) -> Sequence[Probed]:
    """Return every point once: with raw bytes where the adapter can show them.

    Raises:
        DeviceError: nothing came.
    """
    if isinstance(adapter, Probes):
        return await adapter.probe()
    if isinstance(adapter, Reads):
        return _probed(await adapter.read(), points)
    if isinstance(adapter, Listens):
        return _probed(await anext(aiter(adapter.listen())), points)
    raise DeviceError("this adapter can neither be read nor listened to")


def _probed(batch: Batch, points: int) -> list[Probed]:
    latest = {
        int(point): Probed(int(point), b"", float(value), int(quality), 0)
        for point, value, quality in zip(batch.point, batch.value, batch.quality, strict=True)
    }
    return [latest[index] for index in range(points) if index in latest]
