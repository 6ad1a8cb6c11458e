"""The gateway's configuration file: one TOML file; docs/guides/technician.md explains every field.

``load`` checks everything that can be known without touching the network.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from citytwin.adapter import AdapterType, Listens, Locates, Reads, Site
from citytwin.clock import SystemClock
from citytwin.config import At, Document
from citytwin.errors import CityTwinError, ConfigError, IdentityError
from citytwin.identity import SEGMENT_CHARS_MAX, point_id, segment
from citytwin.point import Kind, Label, Place, Point, Span
from citytwin_edge import health, plugins
from citytwin_edge.commander import Interlock
from citytwin_edge.gateway import (
    MIB,
    Device,
    GatewayConfig,
    GatewayPoint,
    Pace,
    join_address,
    nanoseconds,
    split_address,
)
from citytwin_edge.kernels import build
from citytwin_edge.kernels.settings import PointRules

__all__ = ["DEVICES_MAX", "POINTS_MAX", "GatewayConfig", "load"]

DEVICES_MAX: Final = 1000
POINTS_MAX: Final = 100_000
LINK_PORT: Final = 7443
DEVICE_CHARS_MAX: Final = SEGMENT_CHARS_MAX - len(health.SUCCESS)

Duration = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Finite = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]

_NUMBERS: Final = ("scale", "offset", "valid", "normal", "writable")
_THINNING: Final = ("deadband", "swinging_door")
_UNFIT: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.ANALOG: ("counter",),
    Kind.COUNTER: (),
    Kind.STATE: ("rate_per_s_max", "swinging_door", "counter"),
    Kind.TEXT: (*_NUMBERS, "rate_per_s_max", "flatline_s_max", *_THINNING, "counter"),
    Kind.ALARM: (
        "normal", "writable", "rate_per_s_max", "flatline_s_max", *_THINNING, "counter",
    ),
}  # fmt: skip
"""Which fields say nothing of a point of each kind."""


class GatewaySection(msgspec.Struct, forbid_unknown_fields=True):
    """``[gateway]``: name, where it keeps its files, where it stands; ``hub`` is host:port."""

    name: str
    state: str = "/var/lib/citytwin-edge"
    hub: str = ""
    label: Label = Label()
    place: Place | None = None


class OutboxSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[outbox]``: its limit in MiB, and how often samples are put into it and sent."""

    size_mb_max: Annotated[float, msgspec.Meta(ge=1, le=1_000_000)] = 512.0
    flush_ms: Annotated[int, msgspec.Meta(ge=10, le=600_000)] = 1000


class InterlockSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[[interlock]]``: ``target`` may be written only while ``guard`` is within ``span``."""

    target: str
    guard: str
    span: Span


class DeviceSection(msgspec.Struct):
    """What every ``[[device]]`` may have; the rest belongs to its adapter."""

    name: str
    adapter: str
    period_s: Duration = 1.0
    timeout_s: Duration = 10.0
    stale_after_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] | None = None
    backoff_s: Duration = 2.0
    backoff_s_max: Duration = 300.0
    label: Label = Label()
    place: Place | None = None

    def pace(self) -> Pace:
        """Return how it is asked."""
        return Pace(
            nanoseconds(self.period_s),
            nanoseconds(self.timeout_s),
            None if self.stale_after_s is None else nanoseconds(self.stale_after_s),
            nanoseconds(self.backoff_s),
            nanoseconds(self.backoff_s_max),
        )


class PointSection(PointRules, frozen=True, kw_only=True):
    """What every ``[[device.point]]`` may have, the kernels' fields among it."""

    name: str
    unit: str = "1"
    kind: Kind = Kind.ANALOG
    scale: Finite = 1.0
    offset: Finite = 0.0
    label: Label = Label()
    valid: Span | None = None
    normal: Span | None = None
    writable: Span | None = None
    feeds: str = ""
    attribute: str = ""


class _Owner(NamedTuple):
    """What a point has from its gateway and device."""

    gateway: str
    section: DeviceSection
    place: Place | None
    kind: AdapterType


def load(path: Path) -> GatewayConfig:
    """Return a gateway's configuration; touches no network.

    Raises:
        ConfigError: something is wrong; the text says file, line, device, field and what may be.
    """
    document = Document(path)
    data = document.data
    known = ("gateway", "outbox", "device", "interlock")
    for name in data:
        if name not in known:
            raise document.error(f"is not known here; allowed are {', '.join(known)}", (name,))
    if not isinstance(data.get("gateway"), dict):
        raise document.error("there is no table [gateway]; it needs at least a name")
    gateway = document.convert(GatewaySection, data["gateway"], ("gateway",))
    _segment(document, gateway.name, "gateway", ("gateway", "name"))
    outbox = document.convert(OutboxSection, data.get("outbox", {}), ("outbox",))
    devices = _devices(document, gateway)
    return GatewayConfig(
        path=path,
        name=gateway.name,
        hub=_hub(document, gateway.hub),
        state=path.parent / gateway.state,
        label=gateway.label,
        place=gateway.place,
        outbox_bytes_max=int(outbox.size_mb_max * MIB),
        flush_ns=nanoseconds(outbox.flush_ms / 1000),
        devices=devices,
        interlocks=_interlocks(document, gateway.name, devices),
    )


def _hub(document: Document, text: str) -> str:
    try:
        return join_address(*split_address(text, LINK_PORT)) if text else ""
    except ValueError as error:
        raise document.error(str(error), ("gateway", "hub")) from None


def _devices(document: Document, gateway: GatewaySection) -> tuple[Device, ...]:
    tables = _tables(document, document.data, (), "device", DEVICES_MAX)
    devices = tuple(_device(document, index, gateway) for index in range(len(tables)))
    document.unique([device.name for device in devices], ("device",))
    if sum(len(device.points) for device in devices) > POINTS_MAX:
        raise document.error(f"a gateway has at most {POINTS_MAX} points", ("device",))
    _check_lines(document, devices)
    _check_derived(document, devices)
    return devices


def _device(document: Document, index: int, gateway: GatewaySection) -> Device:
    at: At = ("device", index)
    table = document.data["device"][index]
    section = document.convert(DeviceSection, table, at)
    _segment(document, section.name, "device", (*at, "name"))
    if len(section.name) > DEVICE_CHARS_MAX:
        raise document.error(f"has over {DEVICE_CHARS_MAX} characters", (*at, "name"))
    if section.name == health.DEVICE:
        raise document.error(
            f'"{health.DEVICE}" is the gateway\'s own device; choose another', (*at, "name")
        )
    try:
        kind = plugins.adapter(section.adapter)
    except ConfigError as error:
        raise document.error(str(error), (*at, "adapter")) from None
    own = (*_names(DeviceSection), "point")
    rest = {name: value for name, value in table.items() if name not in own}
    settings = document.convert(kind.device_settings, rest, at, also=own)
    tables = _tables(document, table, at, "point", POINTS_MAX)
    if not tables:
        raise document.error("has no [[device.point]]; it needs at least one", at)
    owner = _Owner(gateway.name, section, section.place or gateway.place, kind)
    points = tuple(
        _point(document, one, (*at, "point", number), owner) for number, one in enumerate(tables)
    )
    document.unique([one.point.name for one in points], (*at, "point"))
    return Device(section.name, section.adapter, kind, settings, section.pace(), points)


def _point(document: Document, table: dict[str, Any], at: At, owner: _Owner) -> GatewayPoint:
    section = document.convert(PointSection, table, at)
    own = _names(PointSection)
    rest = {name: value for name, value in table.items() if name not in own}
    address = document.convert(owner.kind.point_settings, rest, at, also=own)
    _segment(document, section.name, "point", (*at, "name"))
    _check_kind(document, table, section, at)
    _check_spans(document, table, section, at)
    if section.attribute and not section.feeds:
        raise document.error("goes with feeds, the city object that has it", (*at, "attribute"))
    try:
        point = Point(
            id=point_id(owner.gateway, owner.section.name, section.name),
            unit=section.unit,
            kind=section.kind,
            label=section.label,
            device_label=owner.section.label,
            valid=section.valid,
            normal=section.normal,
            writable=section.writable,
            place=owner.place,
            feeds=section.feeds,
            attribute=section.attribute,
        )
    except CityTwinError as error:
        about = next((name for name in ("unit", "URN", "attribute") if name in str(error)), "name")
        field = {"URN": "feeds"}.get(about, about)
        raise document.error(str(error), (*at, field)) from None
    return GatewayPoint(point, section.scale, section.offset, section, address)


def _check_kind(document: Document, table: dict[str, Any], section: PointSection, at: At) -> None:
    for name in _UNFIT[section.kind]:
        if name in table:
            fit = [kind.value for kind, unfit in _UNFIT.items() if name not in unfit]
            kinds = " or ".join(f'"{kind}"' for kind in fit)
            raise document.error(
                f'says nothing of a point of kind "{section.kind.value}"; it goes with kind '
                f"= {kinds}",
                (*at, name),
            )
    if "alarm_delay_s" in table and section.normal is None:
        raise document.error("goes with normal, outside of which an alarm is raised",
                             (*at, "alarm_delay_s"))  # fmt: skip
    if "silence_s_max" in table and not any(name in table for name in _THINNING):
        raise document.error("goes with deadband or swinging_door", (*at, "silence_s_max"))


def _check_spans(document: Document, table: dict[str, Any], section: PointSection, at: At) -> None:
    if section.scale == 0:
        raise document.error("must not be 0: every value would be the offset", (*at, "scale"))
    for name in ("valid", "normal", "writable"):
        if name in table and len(table[name]) != 2:
            raise document.error(
                "expected a list [low, high]; an open end is inf or -inf", (*at, name)
            )
    written, valid = section.writable, section.valid
    if written is None:
        return
    if "inf" in f"{written.low} {written.high}":
        raise document.error("needs two finite limits: anything may be commanded within them",
                             (*at, "writable"))  # fmt: skip
    if valid is not None and not (written.low in valid and written.high in valid):
        raise document.error(
            f"[{written.low:g}, {written.high:g}] must lie within valid, "
            f"[{valid.low:g}, {valid.high:g}]",
            (*at, "writable"),
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
    tables = _tables(document, document.data, (), "interlock", POINTS_MAX)
    locks = []
    for index, table in enumerate(tables):
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


def _tables(
    document: Document, within: dict[str, Any], at: At, name: str, count_max: int
) -> list[dict[str, Any]]:
    """Return a list of tables such as ``[[device]]``; empty when there is none."""
    tables = within.get(name, [])
    header = ".".join([*(part for part in at if isinstance(part, str)), name])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise document.error(f"is written as [[{header}]]", (*at, name))
    if len(tables) > count_max:
        raise document.error(f"there are at most {count_max} of [[{header}]]", (*at, name))
    return tables


@functools.cache
def _names(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(kind))


def _segment(document: Document, name: str, what: str, at: At) -> None:
    try:
        segment(name, what)
    except CityTwinError as error:
        raise document.error(str(error), at) from None
