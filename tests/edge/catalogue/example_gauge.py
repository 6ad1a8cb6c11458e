"""Adapter of an imagined level gauge. Asked "?" over TCP it answers "level=2.431;temp=18.5"."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from citytwin import Batch, Binding, Quality, Site
from citytwin.errors import DeviceMalformed, DeviceSilent

LINE_BYTES_MAX = 200


class GaugeDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of [[device]] that are ours.

    Attributes:
        host: name or address of the gauge.
        port: its TCP port.
    """

    host: str
    port: int = 4001


class GaugePoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of [[device.point]] that are ours.

    Attributes:
        tag: the name that the gauge gives the value: level or temp.
    """

    tag: str


class Gauge:
    """One gauge. The gateway owns pace, time-outs, back-off, scale, range and storage."""

    def __init__(self, settings: GaugeDevice, bindings: Sequence[Binding], site: Site) -> None:
        """Touch no network."""
        self._settings, self._site = settings, site
        self._tags: list[str] = [binding.address.tag for binding in bindings]
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        """Connect."""
        host, port = self._settings.host, self._settings.port
        try:
            self._line = await asyncio.open_connection(host, port, limit=LINE_BYTES_MAX)
        except OSError as error:
            raise DeviceSilent(f"{host}:{port}: {error.strerror or error}") from None

    async def close(self) -> None:
        """Let go of the connection."""
        if self._line is not None:
            self._line[1].transport.abort()
            self._line = None

    async def read(self) -> Batch:
        """Ask once and return every point, NaN and bad where the gauge has none."""
        if self._line is None:  # after an error the connection is made anew
            await self.open()
        assert self._line is not None
        reader, writer = self._line
        try:
            writer.write(b"?\n")
            answer = (await reader.readuntil(b"\n")).decode("ascii")
        except (OSError, EOFError) as error:
            await self.close()
            raise DeviceSilent(f"no answer: {error}") from None
        except (ValueError, asyncio.LimitOverrunError):
            await self.close()
            raise DeviceMalformed("an answer without end, or not of ASCII letters") from None
        except asyncio.CancelledError:
            await self.close()  # else the next read would get this one's answer
            raise
        said = {}
        for part in answer.strip().split(";"):
            tag, _, text = part.partition("=")
            said[tag] = text
        read = [_number(said.get(tag)) for tag in self._tags]
        values, qualities = zip(*read, strict=True)
        return Batch.of(range(len(read)), self._site.clock.now_ns(), values, qualities)


def _number(text: str | None) -> tuple[float, Quality]:
    if text is None:
        return math.nan, Quality.BAD_REFUSED
    try:
        value = float(text)
    except ValueError:
        return math.nan, Quality.BAD_MALFORMED
    return (value, Quality.GOOD) if math.isfinite(value) else (math.nan, Quality.BAD_NOT_A_NUMBER)


class GaugeType:
    """What the entry point names."""

    device_settings = GaugeDevice
    point_settings = GaugePoint

    def build(self, settings: Any, bindings: Sequence[Binding], site: Site) -> Gauge:
        """Return an adapter; touches no network."""
        return Gauge(settings, bindings, site)


GAUGE = GaugeType()
