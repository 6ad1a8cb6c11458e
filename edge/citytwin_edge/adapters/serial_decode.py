"""Serial messages that once went over a line, decoded without one: golden frames and captures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from citytwin.adapter import Binding, Exchange, Probed, Site
from citytwin.errors import DeviceMalformed
from citytwin_edge.adapters.serial_framing import LineSettings
from citytwin_edge.adapters.serial_messages import Messages, Reading
from citytwin_edge.adapters.serial_settings import SerialDevice
from citytwin_edge.wire.templates import Template

SHOWN_BYTES_MAX: Final = 64
"""So much of a broken answer is shown."""


def decode_exchanges(
    settings: SerialDevice,
    bindings: Sequence[Binding],
    exchanges: Sequence[Exchange],
    site: Site,
) -> list[Probed]:
    """Return the points of which the exchanges say something; of several values the last counts.

    A line may be written without what ends it. Bytes around frames are left out, as on a line.

    Raises:
        DeviceMalformed: a request is none that the instrument is asked with, or an answer has no
            message of such an instrument, or a broken one.
    """
    messages = Messages(settings, bindings, site)
    found: dict[int, Reading] = {}
    now_ns = site.clock.now_ns()
    for exchange in exchanges:
        points = _asked(settings, bindings, exchange.request)
        if points is None:
            continue
        for message in _messages(settings, exchange.response):
            concerned = [one for one in messages.concern(message) if one in points]
            for reading in messages.read(message, concerned, now_ns):
                found[reading.point] = reading
    return [
        Probed(one.point, one.raw, one.value, one.quality, 0, one.note)
        for _, one in sorted(found.items())
    ]


def _asked(
    settings: SerialDevice, bindings: Sequence[Binding], request: bytes
) -> Sequence[int] | None:
    """Return which points a request is for; None where it is what wakes the instrument.

    A clock is left out: how far ahead it was then, nobody knows now.
    """
    own = [index for index, one in enumerate(bindings) if not one.address.clock]
    if settings.mode == "listening":
        if request:
            raise DeviceMalformed("such an instrument speaks by itself, without a request")
        return own
    if settings.wake is not None and request == settings.bytes_of(settings.wake.send):
        return None
    queries = [settings.bytes_of(one.address.request or settings.request) for one in bindings]
    if request not in queries:
        known = ", ".join(sorted({repr(query) for query in queries}))
        raise DeviceMalformed(f"the instrument is never asked {request!r}, but {known}")
    return [index for index in own if queries[index] == request]


def _messages(settings: SerialDevice, data: bytes) -> list[bytes]:
    if settings.frame is None:
        end = Template((settings.line or LineSettings()).terminator).render()
        data = data if data.endswith(end) else data + end
    found = settings.cutter().feed(data)
    broken = next((one.broken for one in found if one.broken), "" if found else "no message in it")
    if broken:
        raise DeviceMalformed(f"{data[:SHOWN_BYTES_MAX]!r}: {broken}")
    return [one.data for one in found]
