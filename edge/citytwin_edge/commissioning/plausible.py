"""Plausible: whether what was read can be, and whether another byte order would make more sense."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, get_args

import msgspec

from citytwin.adapter import Site
from citytwin.conversion import commensurable
from citytwin.errors import ConfigError
from citytwin.units import UNITS
from citytwin_edge.catalogue.invariants import broken
from citytwin_edge.catalogue.natures import in_own_unit
from citytwin_edge.catalogue.profile import Profile
from citytwin_edge.gateway import Device
from citytwin_edge.probing import Row, probe_device
from citytwin_edge.wire.fields import Order

ORDERS: Final[tuple[str, ...]] = get_args(Order)
OUT_OF_RANGE: Final = "uncertain"


class Judged(NamedTuple):
    """What was read of a device and what is to be said of it.

    Attributes:
        rows: as ``probe`` gives them, with ``plausible`` besides: "" where nothing is wrong.
        sense: how many points are good and can be.
    """

    rows: list[Row]
    sense: int


class Hint(NamedTuple):
    """Settings of the device with which more of its values can be."""

    field: str
    value: Any
    judged: Judged


def judge(device: Device, rows: Sequence[Row], profile: Profile | None) -> Judged:
    """Return what was read with remarks: out of range, or against a law of the device's nature."""
    values = {
        str(row["point"]): (row["value"], made.point.unit)
        for row, made in zip(rows, device.points, strict=True)
        if row["value"] is not None and not str(row["quality"]).startswith("bad")
    }
    remarks = dict.fromkeys(values, "")
    for made in device.points:
        name, valid = made.point.name, made.point.valid
        value = values.get(name, (None, ""))[0]
        if valid is not None and isinstance(value, float) and value not in valid:
            symbol = UNITS[made.point.unit].symbol
            remarks[name] = f"outside {valid.low:g} … {valid.high:g} {symbol}".rstrip()
    if profile is not None:
        remarks |= dict(_impossible(profile, values))
        for name, text in broken(profile, values):
            if not remarks.get(name):
                remarks[name] = text
    judged = [{**row, "plausible": _word(row, remarks)} for row in rows]
    return Judged(judged, sum(row["plausible"] == "ok" for row in judged))


def _impossible(
    profile: Profile, values: Mapping[str, tuple[Any, str]]
) -> Iterator[tuple[str, str]]:
    """Yield which values no such quantity can have: a counter below 0, say."""
    for point in profile.points:
        value, code = values.get(point.name, ("", ""))
        span, own = point.quantity.range, point.quantity.unit
        if not isinstance(value, int | float) or not commensurable(code, own or code):
            continue
        if in_own_unit(point.quantity, code, value) not in span:
            yield point.name, f"outside {span.low:g} … {span.high:g} {own}".rstrip()


def _word(row: Row, remarks: dict[str, str]) -> str:
    remark = remarks.get(str(row["point"]))
    if remark is None:
        return "not read"
    return f"implausible: {remark}" if remark else "ok"


async def hint(device: Device, first: Judged, profile: Profile | None, site: Site) -> Hint | None:
    """Return which order of bytes, or which counting of addresses, would make more sense.

    Reads the device anew with each; only where something was implausible. None when nothing is
    better than what was configured.
    """
    if all(row["plausible"] in {"ok", "not read"} for row in first.rows):
        return None
    best: Hint | None = None
    for field, value in _changes(device.settings):
        changed = msgspec.structs.replace(device.settings, **{field: value})
        other = msgspec.structs.replace(device, settings=changed)
        try:
            judged = judge(other, await probe_device(other, site), profile)
        except ConfigError:
            continue  # an address before the first, for example
        if judged.sense > max(first.sense, best.judged.sense if best else 0):
            best = Hint(field, value, judged)
    return best


def _changes(settings: Any) -> list[tuple[str, Any]]:
    changes: list[tuple[str, Any]] = []
    current = getattr(settings, "order", None)
    if current in ORDERS:
        changes += [("order", order) for order in ORDERS if order != current]
    one_based = getattr(settings, "one_based", None)
    if isinstance(one_based, bool):
        changes.append(("one_based", not one_based))
    return changes
