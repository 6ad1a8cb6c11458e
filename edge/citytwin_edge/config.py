"""The gateway's configuration file: one TOML file; docs/guides/technician.md explains every field.

``load`` checks everything that can be known without touching the network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import msgspec

from citytwin.adapter import Listens, Locates, Reads, Site
from citytwin.clock import SystemClock
from citytwin.config import At, Document
from citytwin.errors import ConfigError, IdentityError
from citytwin.point import Label, Place, Span
from citytwin_edge.catalogue.shelf import Shelf, shelf_for
from citytwin_edge.commander import Interlock
from citytwin_edge.console.page.settings import PageSection
from citytwin_edge.device_tables import POINTS_MAX, Owner, device_of, segment_at, tables
from citytwin_edge.gateway import (
    MIB,
    Device,
    GatewayConfig,
    Remote,
    join_address,
    nanoseconds,
    split_address,
)
from citytwin_edge.kernel_tables import kernels_of
from citytwin_edge.kernels import build
from citytwin_edge.kernels.anomaly.exchange import named
from citytwin_edge.kernels.anomaly.settings import AnomalySettings

__all__ = ["DEVICES_MAX", "POINTS_MAX", "GatewayConfig", "load"]

DEVICES_MAX: Final = 1000
LINK_PORT: Final = 7443


class GatewaySection(msgspec.Struct, forbid_unknown_fields=True):
    """``[gateway]``: name, where it keeps its files, where it stands; ``hub`` is host:port.

    ``remote_config`` says what the hub may change, ``trial_s`` how long the way to the hub may take
    to come back after that; every ``watch_s`` the file is looked at for changes, never with 0.
    """

    name: str
    state: str = "/var/lib/citytwin-edge"
    hub: str = ""
    label: Label = Label()
    place: Place | None = None
    remote_config: Remote = Remote.KEEP_LIMITS
    trial_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 300.0
    watch_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0


class OutboxSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[outbox]``: its limit in MiB, and how often samples are put into it and sent."""

    size_mb_max: Annotated[float, msgspec.Meta(ge=1, le=1_000_000)] = 512.0
    flush_ms: Annotated[int, msgspec.Meta(ge=10, le=600_000)] = 1000


class InterlockSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[[interlock]]``: ``target`` may be written only while ``guard`` is within ``span``."""

    target: str
    guard: str
    span: Span


def load(path: Path, raw: bytes | None = None) -> GatewayConfig:
    """Return a gateway's configuration; touches no network.

    Args:
        path: the file.
        raw: what is to be put there, checked in its stead.

    Raises:
        ConfigError: something is wrong; the text says file, line, device, field and what may be.
    """
    return load_with(path, shelf_for(path), raw)


def load_with(path: Path, shelf: Shelf, raw: bytes | None = None) -> GatewayConfig:
    """Return a gateway's configuration with the profiles of a shelf; otherwise as ``load``.

    Raises:
        ConfigError: as ``load``.
    """
    document = Document(path, raw)
    data = document.data
    known = ("gateway", "outbox", "page", "anomaly", "device", "kernel", "interlock")
    for name in data:
        if name not in known:
            raise document.error(f"is not known here; allowed are {', '.join(known)}", (name,))
    if not isinstance(data.get("gateway"), dict):
        raise document.error("there is no table [gateway]; it needs at least a name")
    gateway = document.convert(GatewaySection, data["gateway"], ("gateway",))
    segment_at(document, gateway.name, "gateway", ("gateway", "name"))
    outbox = document.convert(OutboxSection, data.get("outbox", {}), ("outbox",))
    page = document.convert(PageSection, data.get("page", {}), ("page",))
    devices = _devices(document, gateway, shelf)
    return GatewayConfig(
        path=path,
        name=gateway.name,
        hub=_hub(document, gateway.hub),
        state=path.parent / gateway.state,
        label=gateway.label,
        place=gateway.place,
        outbox_bytes_max=int(outbox.size_mb_max * MIB),
        flush_ns=nanoseconds(outbox.flush_ms / 1000),
        page=page.address(),
        devices=devices,
        kernels=kernels_of(document, gateway.name, devices),
        interlocks=_interlocks(document, gateway.name, devices),
        raw=document.raw,
        remote=gateway.remote_config,
        trial_ns=nanoseconds(gateway.trial_s),
        watch_ns=nanoseconds(gateway.watch_s),
    )


def _hub(document: Document, text: str) -> str:
    try:
        return join_address(*split_address(text, LINK_PORT)) if text else ""
    except ValueError as error:
        raise document.error(str(error), ("gateway", "hub")) from None


def _devices(document: Document, gateway: GatewaySection, shelf: Shelf) -> tuple[Device, ...]:
    anomaly = document.data.get("anomaly", {})
    document.convert(AnomalySettings, anomaly, ("anomaly",))
    owner = Owner(gateway.name, gateway.place, shelf, anomaly)
    count = len(tables(document, document.data, (), "device", DEVICES_MAX))
    devices = tuple(device_of(document, index, owner) for index in range(count))
    document.unique([device.name for device in devices], ("device",))
    if sum(len(device.points) for device in devices) > POINTS_MAX:
        raise document.error(f"a gateway has at most {POINTS_MAX} points", ("device",))
    _check_lines(document, devices)
    _check_meters(document, devices)
    _check_derived(document, devices)
    return devices


def _check_meters(document: Document, devices: tuple[Device, ...]) -> None:
    """Refuse an exchange of a meter that is to be seen by what is not there."""
    known = {named(one.point) for device in devices for one in device.points}
    for index, device in enumerate(devices):
        for number, one in enumerate(device.points):
            watched = one.rules.anomaly
            if watched is not None and watched.exchange and watched.exchange not in known:
                raise document.error(
                    f'"{watched.exchange}" is no point of this gateway; write device/point',
                    ("device", index, "point", number, "anomaly", "exchange"),
                )


def _check_lines(document: Document, devices: tuple[Device, ...]) -> None:
    """Let every adapter plan its work, and refuse two devices that are one and the same."""
    site = Site(SystemClock(), lambda _text: 0)
    seen: dict[tuple[str, str], int] = {}
    for index, device in enumerate(devices):
        at: At = ("device", index)
        try:
            adapter = device.build(site)
        except ConfigError as error:
            said, place = str(error), at
            for number, one in enumerate(device.points):
                if said.startswith(start := f"point {one.point.id}: "):
                    said, place = said.removeprefix(start), (*at, "point", number)
            raise document.error(said, place) from None
        if not isinstance(adapter, Reads | Listens):
            raise document.error(
                f'adapter "{device.adapter}" neither reads nor listens', (*at, "adapter")
            )
        if not isinstance(device.kind, Locates):
            continue
        where = (device.adapter, device.kind.locate(device.settings))
        if where in seen:
            other = seen[where]
            raise document.error(
                f'{where[1]} is device "{devices[other].name}" on line '
                f"{document.line(('device', other))} already",
                at,
            )
        seen[where] = index


def _check_derived(document: Document, devices: tuple[Device, ...]) -> None:
    """Refuse points whose name is that of what a kernel derives from another."""
    ids: dict[str, At] = {
        one.point.id: ("device", index, "point", number)
        for index, device in enumerate(devices)
        for number, one in enumerate(device.points)
    }
    points = [(one.point, one.rules) for device in devices for one in device.points]
    try:
        derived = [point.id for kernel in build(points).values() for point in kernel.outputs]
    except IdentityError as error:
        # The suffix makes the name too long; the longest name is the one.
        longest = max(
            (point.id for point, _ in points), key=lambda one: len(one.rpartition("/")[2])
        )
        raise document.error(
            f"with what is derived from it: {error}", (*ids[longest], "name")
        ) from None
    for name in derived:
        if name in ids:
            origin = name.rpartition(".")[0].rpartition("/")[2]
            raise document.error(
                f'is the name of what is derived from "{origin}"; choose another',
                (*ids[name], "name"),
            )


def _interlocks(
    document: Document, gateway: str, devices: tuple[Device, ...]
) -> tuple[Interlock, ...]:
    known = {one.point.id: one.point for device in devices for one in device.points}
    locks = []
    found = tables(document, document.data, (), "interlock", POINTS_MAX)
    for index, table in enumerate(found):
        at: At = ("interlock", index)
        section = document.convert(InterlockSection, table, at)
        target, guard = f"{gateway}/{section.target}", f"{gateway}/{section.guard}"
        for name, full in (("target", target), ("guard", guard)):
            if full not in known:
                raise document.error("is no point of this gateway; write device/point", (*at, name))
        if known[target].writable is None:
            raise document.error("is not writable, so nothing can lock it", (*at, "target"))
        locks.append(Interlock(target, guard, section.span))
    return tuple(locks)
