"""Device tables: ``[[device]]`` and its points, from a gateway's file or from a profile, checked.

A device with ``profile`` has the profile's settings and points; what its own tables say comes
before them (docs/specs/profile.md).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

from citytwin.adapter import AdapterType
from citytwin.config import At, Document
from citytwin.errors import CityTwinError, ConfigError
from citytwin.identity import SEGMENT_CHARS_MAX, point_id, segment
from citytwin.point import Kind, Label, Place, Point, Span
from citytwin_edge import health, plugins
from citytwin_edge.catalogue.profile import Profile
from citytwin_edge.catalogue.shelf import Shelf
from citytwin_edge.gateway import Device, GatewayPoint, Pace, WriteRules, nanoseconds
from citytwin_edge.kernels.settings import PointRules

POINTS_MAX: Final = 100_000
DEVICE_CHARS_MAX: Final = SEGMENT_CHARS_MAX - len(health.SUCCESS)

Duration = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Finite = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]

_NUMBERS: Final = ("scale", "offset", "valid", "normal", "writable")
_THINNING: Final = ("deadband", "swinging_door")
_UNFIT: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.ANALOG: ("counter",),
    Kind.COUNTER: ("anomaly",),
    Kind.STATE: ("rate_per_s_max", "swinging_door", "counter"),
    Kind.TEXT: (*_NUMBERS, "rate_per_s_max", "flatline_s_max", *_THINNING, "counter", "anomaly"),
    Kind.ALARM: (
        "normal", "writable", "rate_per_s_max", "flatline_s_max", *_THINNING, "counter", "anomaly",
    ),
}  # fmt: skip
"""Which fields say nothing of a point of each kind."""


class DeviceSection(msgspec.Struct, kw_only=True):
    """What every ``[[device]]`` may have; the rest belongs to its adapter.

    Attributes:
        name: what the device is called on this gateway; a part of its points' ids.
        adapter: the protocol it speaks; comes from the profile where there is one.
        profile: ``vendor/model`` of the catalogue; it brings adapter, settings and points.
        points: which points of the profile; all of them when left out.
        feeds: the city object (URN) to which the profile's points belong.
        period_s: how often it is read.
        slow_period_s: how often points of ``pace = "slow"`` are read.
        timeout_s: how long one reading of all its points may take.
        stale_after_s: after so long without a fresh value its points are stale; for devices that
            speak by themselves.
        backoff_s: how much longer the gateway waits after each failed reading.
        backoff_s_max: the longest that it waits before it tries a failing device again.
        label: its name for people.
        place: where it is: [longitude, latitude] or with the height; the gateway's when left out.
    """

    name: str
    adapter: str = ""
    profile: str = ""
    points: tuple[str, ...] | None = None
    feeds: str = ""
    period_s: Duration = 1.0
    slow_period_s: Duration = 60.0
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
            nanoseconds(max(self.slow_period_s, self.period_s)),
        )


class PointSection(PointRules, frozen=True, kw_only=True):
    """What every ``[[device.point]]`` may have, the kernels' fields among it.

    Attributes:
        name: what the point is called; the last part of its id.
        unit: UCUM code of its values after scale and offset.
        kind: what the numbers mean.
        scale: what the device's number is multiplied by to be in ``unit``.
        offset: what is added after that.
        label: its name for people.
        valid: what the instrument can measure; outside it a sample is uncertain.
        normal: what the operator calls normal; outside it an alarm is raised.
        writable: the limits of what may be commanded; without it nothing may.
        write: further rules for commands.
        pace: whether it is read each ``period_s`` or each ``slow_period_s`` of the device.
        feeds: URN of the city object that it belongs to.
        attribute: the attribute of that object which it gives.
    """

    name: str
    unit: str = "1"
    kind: Kind = Kind.ANALOG
    scale: Finite = 1.0
    offset: Finite = 0.0
    label: Label = Label()
    valid: Span | None = None
    normal: Span | None = None
    writable: Span | None = None
    write: WriteRules | None = None
    pace: Literal["fast", "slow"] = "fast"
    feeds: str = ""
    attribute: str = ""


class Owner(NamedTuple):
    """What devices have from their gateway."""

    gateway: str
    place: Place | None
    shelf: Shelf
    anomaly: Mapping[str, Any] = MappingProxyType({})
    """``[anomaly]``: what ``anomaly`` of a point has where it says nothing else."""


class _Maker(NamedTuple):
    """What points have from their device."""

    owner: Owner
    section: DeviceSection
    kind: AdapterType


def device_of(document: Document, index: int, owner: Owner) -> Device:
    """Return the device of a gateway's file with that index.

    Raises:
        ConfigError: something is wrong with it.
    """
    at: At = ("device", index)
    table = document.data["device"][index]
    own = tables(document, table, at, "point", POINTS_MAX)
    placed = [(one, (*at, "point", number)) for number, one in enumerate(own)]
    given = {name: value for name, value in table.items() if name != "point"}
    profile = _profile(document, table, at, owner.shelf)
    if profile is None:
        if "adapter" not in table:
            raise document.error('needs profile = "vendor/model" (citytwin-edge profiles list), or '
                                 "adapter and points of its own", at)  # fmt: skip
        for name in ("points", "feeds"):
            if name in table:
                raise document.error("goes with profile", (*at, name))
    else:
        if "adapter" in table:
            raise document.error(f'comes from the profile: "{profile.adapter}"', (*at, "adapter"))
        placed = _merged(document, profile, given, placed, at)
        given = profile.device_table(given)
    return built(document, given, at, placed, owner)


def built(
    document: Document,
    table: dict[str, Any],
    at: At,
    points: Sequence[tuple[dict[str, Any], At]],
    owner: Owner,
) -> Device:
    """Return a device of its own fields and its points, each with its place in the document.

    Raises:
        ConfigError: something is wrong with it.
    """
    section = document.convert(DeviceSection, table, at)
    segment_at(document, section.name, "device", (*at, "name"))
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
    settings = settings_of(document, table, at, kind)
    if not points:
        raise document.error("has no [[device.point]]; it needs at least one", at)
    maker = _Maker(owner, section, kind)
    made = tuple(_point(document, one, place, maker) for one, place in points)
    seen: dict[str, At] = {}
    for (_, place), one in zip(points, made, strict=True):
        if one.point.name in seen:
            line = document.line(seen[one.point.name])
            raise document.error(
                f'"{one.point.name}" is the name on line {line} already; each needs its own',
                (*place, "name"),
            )
        seen[one.point.name] = (*place, "name")
    return Device(section.name, section.adapter, kind, settings, section.pace(), made,
                  section.profile)  # fmt: skip


def settings_of(document: Document, table: dict[str, Any], at: At, kind: AdapterType) -> Any:
    """Return the adapter's own settings from the fields of a ``[[device]]``.

    Raises:
        ConfigError: something is wrong in them.
    """
    own = (*names(DeviceSection), "point")
    rest = {name: value for name, value in table.items() if name not in own}
    return document.convert(kind.device_settings, rest, at, also=own)


def _profile(document: Document, table: dict[str, Any], at: At, shelf: Shelf) -> Profile | None:
    name = table.get("profile")
    if name is None:
        return None
    if not isinstance(name, str):
        raise document.error('is a text such as "eastron/sdm120"', (*at, "profile"))
    try:
        return shelf.profile(name)
    except ConfigError as error:
        raise document.error(str(error), (*at, "profile")) from None


def _merged(
    document: Document,
    profile: Profile,
    table: dict[str, Any],
    own: Sequence[tuple[dict[str, Any], At]],
    at: At,
) -> list[tuple[dict[str, Any], At]]:
    """Return the profile's points as the device wants them, each with where its error belongs."""
    chosen = table.get("points")
    known = {point.name: point for point in profile.points}
    if chosen is not None:
        if not isinstance(chosen, list) or not all(isinstance(one, str) for one in chosen):
            raise document.error("is a list of names of points", (*at, "points"))
        for name in chosen:
            if name not in known:
                raise document.error(
                    f'profile "{profile.name}" has no point "{name}"; it has {", ".join(known)}',
                    (*at, "points"),
                )
    changes = {str(one.get("name")): (one, place) for one, place in own}
    if len(changes) < len(own):
        document.unique([str(one.get("name")) for one, _ in own], (*at, "point"))
    placed = []
    for name, point in known.items():
        if chosen is not None and name not in chosen and name not in changes:
            continue
        change, place = changes.pop(name, ({}, (*at, "profile")))
        try:
            placed.append((point.table(change, feeds=table.get("feeds", "")), place))
        except ConfigError as error:
            raise document.error(str(error), place) from None
    return placed + list(changes.values())


def _point(document: Document, table: dict[str, Any], at: At, maker: _Maker) -> GatewayPoint:
    if isinstance(table.get("anomaly"), dict):
        table = {**table, "anomaly": {**maker.owner.anomaly, **table["anomaly"]}}
    section = document.convert(PointSection, table, at)
    own = names(PointSection)
    rest = {name: value for name, value in table.items() if name not in own}
    address = document.convert(maker.kind.point_settings, rest, at, also=own)
    segment_at(document, section.name, "point", (*at, "name"))
    _check_kind(document, table, section, at)
    _check_spans(document, table, section, at)
    if section.attribute and not section.feeds:
        raise document.error("goes with feeds, the city object that has it", (*at, "attribute"))
    write = section.write
    try:
        point = Point(
            id=point_id(maker.owner.gateway, maker.section.name, section.name),
            unit=section.unit,
            kind=section.kind,
            label=section.label,
            device_label=maker.section.label,
            valid=section.valid,
            normal=section.normal,
            writable=section.writable,
            step=0.0 if write is None else write.step or 0.0,
            tolerance=0.0 if write is None else write.allowed(),
            place=maker.section.place or maker.owner.place,
            feeds=section.feeds,
            attribute=section.attribute,
        )
    except CityTwinError as error:
        about = next((name for name in ("unit", "URN", "attribute") if name in str(error)), "name")
        field = {"URN": "feeds"}.get(about, about)
        raise document.error(str(error), (*at, field)) from None
    return GatewayPoint(
        point, section.scale, section.offset, section, address,
        section.pace == "slow", section.write,
    )  # fmt: skip


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
    if section.write is not None and section.writable is None:
        raise document.error("goes with writable, the limits of what may be commanded",
                             (*at, "write"))  # fmt: skip
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
    failsafe = None if section.write is None else section.write.failsafe
    if isinstance(failsafe, float) and failsafe not in written:
        raise document.error(
            f"failsafe {failsafe:g} must lie within writable, [{written.low:g}, {written.high:g}]",
            (*at, "write"),
        )
    if valid is not None and not (written.low in valid and written.high in valid):
        raise document.error(
            f"[{written.low:g}, {written.high:g}] must lie within valid, "
            f"[{valid.low:g}, {valid.high:g}]",
            (*at, "writable"),
        )


def tables(
    document: Document, within: dict[str, Any], at: At, name: str, count_max: int
) -> list[dict[str, Any]]:
    """Return a list of tables such as ``[[device]]``; empty when there is none."""
    found = within.get(name, [])
    header = ".".join([*(part for part in at if isinstance(part, str)), name])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        raise document.error(f"is written as [[{header}]]", (*at, name))
    if len(found) > count_max:
        raise document.error(f"there are at most {count_max} of [[{header}]]", (*at, name))
    return found


@functools.cache
def names(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the fields of a struct."""
    return tuple(field.encode_name for field in msgspec.structs.fields(kind))


def segment_at(document: Document, name: str, what: str, at: At) -> None:
    """Refuse a name that cannot be part of an id (ConfigError)."""
    try:
        segment(name, what)
    except CityTwinError as error:
        raise document.error(str(error), at) from None
