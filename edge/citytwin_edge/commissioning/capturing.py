"""Capturing: what went over the line at a device, with what its display showed: a golden case.

The bytes are as they were on the line, and the case is decoded again before it is kept, so that a
capture that proves nothing is never taken for one that does.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, NamedTuple

from citytwin.adapter import Direction, Exchange, Site, Tapped
from citytwin.errors import DeviceError
from citytwin.quality import Severity
from citytwin_edge.catalogue.golden import Reading, decoded
from citytwin_edge.commissioning.adding import value_text
from citytwin_edge.console import client
from citytwin_edge.gateway import Device
from citytwin_edge.probing import Row, probe_device

FRAMES_MAX: Final = 10_000
SETTLE_S: Final = 0.5
DISPLAY_PART: Final = 0.01
"""Part of a value by which a display may differ: it rounds, and shows another moment."""


class Capture(NamedTuple):
    """What was seen of a device.

    Attributes:
        rows: as ``probe`` gives them.
        exchanges: what went over the line for them.
        readings: what the exchanges alone say, by point.
    """

    rows: list[Row]
    exchanges: list[Exchange]
    readings: dict[str, Reading]


async def capture(device: Device, site: Site) -> Capture:
    """Read a device once and keep what went over its line.

    Args:
        device: the device; nobody else may have its line open.
        site: a site of its own.

    Raises:
        DeviceError: nothing went over the line, or it cannot be decoded again.
        ConfigError: its adapter cannot decode without a device.
    """
    seen: list[Tapped] = []

    def take(tapped: Tapped) -> None:
        if len(seen) < FRAMES_MAX and tapped.device in {"", device.name}:
            seen.append(tapped)

    site.taps.append(take)
    try:
        rows = await probe_device(device, site)
    finally:
        site.taps.remove(take)
    return _kept(device, rows, seen)


async def capture_running(state: Path, device: Device) -> Capture:
    """Do the same through the agent that runs with a state folder and has the device open.

    Its own polls are on the line, too, and among what is kept.

    Raises:
        NoAgent: none runs.
        ConsoleError: it cannot be asked.
        DeviceError, ConfigError: as ``capture``.
    """
    seen: list[Tapped] = []

    async def listen(frames: AsyncIterator[Any]) -> None:
        async for item in frames:
            for one in item["frames"][: FRAMES_MAX - len(seen)]:
                seen.append(Tapped(**{**one, "data": bytes.fromhex(one["data"])}))

    async with aclosing(client.items(state, "frames", devices=[device.name])) as frames:
        await anext(frames)  # from here on nothing is missed
        listening = asyncio.create_task(listen(frames))
        try:
            rows = (await client.ask(state, "probe", devices=[device.name]))["rows"]
            # What was answered last is on its way here.
            await asyncio.wait([listening], timeout=SETTLE_S)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    return _kept(device, rows, seen)


def _kept(device: Device, rows: list[Row], seen: Sequence[Tapped]) -> Capture:
    exchanges = paired(seen)
    if not exchanges:
        raise DeviceError(f"device {device.name}: nothing was heard of it; nothing to keep")
    return Capture(rows, exchanges, decoded(device, exchanges))


def paired(seen: Sequence[Tapped]) -> list[Exchange]:
    """Return what was asked and what came upon it; what came unasked has no request.

    Bytes that came in several pieces upon one request are one answer; what was asked and never
    answered is left out. A note (a topic, the address of a radio) stands in the request's place.
    """
    exchanges: list[Exchange] = []
    request, answer = b"", b""
    for one in seen:
        if one.direction == Direction.SENT:
            if answer:
                exchanges.append(Exchange(request, answer))
            request, answer = one.data, b""
        elif one.note:
            exchanges.append(Exchange(one.note.encode(), one.data))
        elif request:
            answer += one.data
        else:
            exchanges.append(Exchange(b"", one.data))
    if answer:
        exchanges.append(Exchange(request, answer))
    return exchanges


def differences(captured: Capture, display: Mapping[str, float | str]) -> list[str]:
    """Return where the display showed something else than what was decoded, a sentence each."""
    wrong = []
    for name, shown in display.items():
        reading = captured.readings.get(name)
        if reading is None or reading.quality.severity == Severity.BAD:
            wrong.append(f"{name}: the display shows {shown}, and the frames have no value of it")
        elif not agree(reading.value, shown):
            wrong.append(
                f"{name}: the display shows {shown}, the frames say {_rounded(reading.value)}"
            )
    return wrong


def agree(value: float | str, shown: float | str) -> bool:
    """Return whether a display may show that of a value: it rounds to its last digit, or 1 %."""
    if isinstance(value, str) or isinstance(shown, str):
        return str(value).strip() == str(shown).strip()
    digit = 10.0 ** -len(repr(float(shown)).rstrip("0").partition(".")[2])
    return math.isclose(value, shown, rel_tol=DISPLAY_PART, abs_tol=digit)


def case_text(captured: Capture, source: str, display: Mapping[str, float | str]) -> str:
    """Return a ``[[case]]`` of golden frames as text; docs/specs/profile.md has its fields."""
    good = {
        name: one.value
        for name, one in captured.readings.items()
        if one.quality.severity != Severity.BAD
    }
    bad = {
        name: one.quality.reason
        for name, one in captured.readings.items()
        if one.quality.severity == Severity.BAD
    }
    lines = ["[[case]]", f"source = {value_text(source)}", "exchange = ["]
    lines += [f"    {value_text(_pair(one))}," for one in captured.exchanges]
    lines += ["]", f"values = {value_text({name: _rounded(one) for name, one in good.items()})}"]
    if bad:
        lines.append(f"bad = {value_text(bad)}")
    if display:
        lines.append(f"display = {value_text(display)}")
    return "\n".join(lines) + "\n"


def _pair(exchange: Exchange) -> dict[str, Any]:
    pair: dict[str, Any] = {}
    if exchange.request:
        name, text = _written(exchange.request)
        pair[f"request{name}"] = text
    name, text = _written(exchange.response)
    pair[f"response{name}"] = text
    return pair


def _written(data: bytes) -> tuple[str, str]:
    """Return bytes as text where every one is a printable letter, else as hex digits."""
    if len(data) > 2 and all(32 <= byte < 127 or byte in b"\r\n\t" for byte in data):
        return "_text", data.decode("ascii")
    return "", data.hex(" ")


def _rounded(value: float | str) -> float | str:
    return value if isinstance(value, str) else float(f"{value:.9g}")
