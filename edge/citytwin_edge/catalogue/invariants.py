"""Invariants: what holds for every profile of a nature, whoever wrote it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping

from citytwin.adapter import Binding, Site
from citytwin.clock import SystemClock
from citytwin.config import At, Document
from citytwin.conversion import commensurable
from citytwin.errors import CityTwinError, ConfigError
from citytwin.point import Kind, Point, Span
from citytwin_edge.catalogue import golden
from citytwin_edge.catalogue.natures import in_own_unit
from citytwin_edge.catalogue.profile import Identify, Profile, ProfilePoint
from citytwin_edge.device_tables import DeviceSection, Owner, names
from citytwin_edge.gateway import Device, GatewayPoint


def check(profile: Profile, owner: Owner) -> list[str]:
    """Return everything that is wrong with a profile and its golden frames, a sentence each."""
    document = Document(profile.path)
    try:
        device = golden.device_like(profile, owner)
        identities(profile, device)
    except ConfigError as error:
        return [str(error)]
    wrong = [
        str(document.error(problem, ("point", number)))
        for number, (point, made) in enumerate(zip(profile.points, device.points, strict=True))
        for problem in _point(point, made)
    ]
    wrong += [str(document.error(problem)) for problem in _whole(profile)]
    try:
        wrong += golden.check(profile, owner)
        wrong += _laws(profile)
    except ConfigError as error:
        wrong.append(str(error))
    return wrong


def identities(profile: Profile, device: Device) -> list[tuple[Binding | None, Identify]]:
    """Return where a device of this profile says what it is, and what it must say there.

    There is no binding where a scan is told it.

    Raises:
        ConfigError: a table of ``[[identify]]`` is no point of the adapter.
    """
    document = Document(profile.path)
    own = (*names(Identify), "kind")
    found: list[tuple[Binding | None, Identify]] = []
    for index, fields in enumerate(profile.file.identify):
        at: At = ("identify", index)
        what = document.convert(Identify, fields, at)
        if what.said:
            known = getattr(device.kind, "says", ())
            if what.said not in known:
                words = ", ".join(known) or "nothing"
                raise document.error(f"a scan of {profile.adapter} is told {words}", (*at, "said"))
            found.append((None, what))
            continue
        rest = {name: value for name, value in fields.items() if name not in own}
        address = document.convert(device.kind.point_settings, rest, at, also=own)
        kind = Kind.TEXT if what.matches or isinstance((*what.equals, 0)[0], str) else Kind.ANALOG
        point = Point(id=f"scan/device/identity-{index + 1}", kind=kind)
        found.append((Binding(point, address), what))
    try:
        device.kind.build(
            device.settings,
            [one for one, _ in found if one is not None],
            Site(SystemClock(), lambda _text: 0),
        )
    except ConfigError as error:
        raise document.error(str(error), ("identify", 0)) from None
    return found


def _whole(profile: Profile) -> Iterator[str]:
    file = profile.file
    if not (file.title.kk and file.title.ru and file.title.en):
        yield "title needs kk, ru and en"
    known = {*names(DeviceSection)}
    for name in ("name", "profile", "points", "feeds", "place", "label", "adapter"):
        if name in file.device and name in known:
            yield f"[device] {name} belongs to a gateway's file, not to a profile"
    pages = [one.pages for one in file.manual] + [point.about.page for point in profile.points]
    if file.evidence.registers == "manual" and not any(pages):
        yield (
            'registers = "manual" needs pages of a [[manual]], or page at the points: where in it '
            "(of a web page the heading)"
        )
    if file.evidence.order == "assumed" and not file.caveat:
        yield (
            'order = "assumed" needs a [[caveat]] that says so, and how a technician finds the '
            "right one"
        )
    if "normal" in {name for point in profile.points for name in point.fields}:
        yield "normal is what an operator calls normal; it belongs to a gateway's file"


def _point(point: ProfilePoint, made: GatewayPoint) -> Iterator[str]:
    """Yield what is wrong with one point."""
    quantity, kind, unit = point.quantity, made.point.kind, made.point.unit
    if quantity.unit and not commensurable(unit, quantity.unit):
        yield f'unit "{unit}" does not measure {quantity.name}, as "{quantity.unit}" does'
        return
    if quantity.kind is not None and kind != quantity.kind:
        yield f'{quantity.name} is of kind "{quantity.kind.value}", not "{kind.value}"'
    if kind == Kind.COUNTER and made.scale < 0:
        yield "a counter counts up: its scale is above 0 (count what flows the other way apart)"
    if kind == Kind.COUNTER and made.point.writable is not None:
        yield "nobody sets a counter by command"
    if made.point.writable is not None and (
        made.write is None
        or made.write.step is None
        or not made.write.interval_s_min
        or made.write.failsafe is None
    ):
        yield (
            "what can be commanded needs write = { step = …, interval_s_min = …, failsafe = … }: "
            "which values, how often, and what is set when the hub is gone (a value that the "
            'maker calls safe, else "hold")'
        )
    if kind == Kind.ANALOG and made.point.valid is None:
        yield "needs valid = [low, high], what such a device can measure or be"
    if made.point.valid is not None:
        yield from _range(point, unit, made.point.valid)


def _range(point: ProfilePoint, unit: str, valid: Span) -> Iterator[str]:
    for end in (valid.low, valid.high):
        own = in_own_unit(point.quantity, unit, end)
        if own not in point.quantity.range and math.isfinite(end):
            span = point.quantity.range
            yield (
                f"valid reaches {end:g} {unit}, and {point.quantity.name} is within "
                f"[{span.low:g}, {span.high:g}] {point.quantity.unit}"
            )


def _laws(profile: Profile) -> Iterator[str]:
    """Yield which golden values break a law of the profile's nature."""
    document, cases = golden.cases(profile)
    units = {point.name: point.about.unit for point in profile.points}
    for index, case in enumerate(cases):
        values = {name: (value, units.get(name, "1")) for name, value in case.values.items()}
        for _, text in broken(profile, values):
            yield str(document.error(text, ("case", index)))


def broken(
    profile: Profile, values: Mapping[str, tuple[float | str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield the point whose value breaks a law, and which in words.

    Args:
        profile: the profile.
        values: value and unit by point; texts are left out.
    """
    phases: dict[str, dict[str, float]] = defaultdict(dict)
    points: dict[tuple[str, str], str] = {}
    for point in profile.points:
        value, unit = values.get(point.name, ("", ""))
        quantity, phase = point.quantity, point.about.phase
        if isinstance(value, int | float) and quantity.name not in phases[phase]:
            try:
                phases[phase][quantity.name] = in_own_unit(quantity, unit, value)
            except CityTwinError:
                continue  # told of the point itself
            points[phase, quantity.name] = point.name
    for phase, of in phases.items():
        for one in profile.nature.broken(of, phases):
            where = f" ({phase})" if phase else ""
            yield points[phase, one.law.of], f"{one.law.text}{where}: {one.words}"
