"""Remote limits: which changes the hub may not make where ``remote_config = "keep-limits"``.

What can be commanded, and what guards it, is the gateway's last word: it holds even when the hub,
or whoever has taken it over, orders otherwise. So by default nobody can widen it from afar.
"""

from __future__ import annotations

from citytwin.point import Span
from citytwin_edge.commander import Interlock
from citytwin_edge.gateway import Device, GatewayConfig, GatewayPoint, Remote


def forbidden(before: GatewayConfig, after: GatewayConfig) -> str:
    """Return why the hub may not put ``after`` in the place of ``before``; empty if it may."""
    if before.remote is Remote.OFF:
        return 'remote_config is "off": the configuration is changed at the gateway only'
    if after.remote is not before.remote:
        return (
            f'remote_config would become "{after.remote.value}" instead of '
            f'"{before.remote.value}"; only somebody at the gateway changes that'
        )
    if before.remote is Remote.ALL:
        return ""
    found = _widened(before, after)
    if found:
        found += '; only somebody at the gateway may change that (or set remote_config = "all")'
    return found


def _widened(before: GatewayConfig, after: GatewayConfig) -> str:
    """Return what could be commanded that could not be before, or is guarded less."""
    old, new = _points(before), _points(after)
    for name, (device, one) in new.items():
        if one.point.writable is None:
            continue
        if name not in old or old[name][1].point.writable is None:
            return f"{name} would become writable"
        what = _less_strict(old[name][1], one)
        if what or not _same_place(old[name], (device, one)):
            return f"{name}, which can be commanded, would have another {what or 'place or scale'}"
    locks = {(lock.target, lock.guard): lock for lock in after.interlocks}
    for lock in before.interlocks:
        if lock.target not in new or new[lock.target][1].point.writable is None:
            continue
        if not _guards_still(lock, locks.get((lock.target, lock.guard))):
            return f"the interlock of {lock.target} by {lock.guard} would be gone or looser"
        if lock.guard not in new or not _same_place(old[lock.guard], new[lock.guard]):
            return f"{lock.guard}, which guards {lock.target}, would have another place or scale"
    return ""


def _points(config: GatewayConfig) -> dict[str, tuple[Device, GatewayPoint]]:
    return {one.point.id: (device, one) for device in config.devices for one in device.points}


def _less_strict(old: GatewayPoint, new: GatewayPoint) -> str:
    """Return which of the rules for commands to a point would allow more than before."""
    assert old.point.writable is not None
    assert new.point.writable is not None
    if not _within(new.point.writable, old.point.writable):
        return "writable"
    return "write" if old.write != new.write else ""


def _same_place(old: tuple[Device, GatewayPoint], new: tuple[Device, GatewayPoint]) -> bool:
    """Tell whether a point is the same quantity at the same place of the same device."""
    kept = ("adapter", "settings")
    same = all(getattr(old[0], name) == getattr(new[0], name) for name in kept)
    one, other = old[1], new[1]
    return same and (one.point.unit, one.point.kind, one.scale, one.offset, one.address) == (
        other.point.unit, other.point.kind, other.scale, other.offset, other.address,
    )  # fmt: skip


def _within(inner: Span, outer: Span) -> bool:
    return inner.low in outer and inner.high in outer


def _guards_still(old: Interlock, new: Interlock | None) -> bool:
    return new is not None and _within(new.span, old.span)
