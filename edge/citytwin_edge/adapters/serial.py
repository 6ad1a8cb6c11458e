"""Serial: instruments that write lines or send frames, by themselves or when they are asked.

docs/guides/serial.md explains the settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from citytwin.adapter import Binding, Exchange, Probed, Site
from citytwin.batch import Batch
from citytwin.errors import ConfigError, DeviceSilent
from citytwin_edge.adapters.connection import line_at
from citytwin_edge.adapters.serial_decode import decode_exchanges
from citytwin_edge.adapters.serial_instrument import Instrument, Listener
from citytwin_edge.adapters.serial_messages import Messages, Reading, batch_of
from citytwin_edge.adapters.serial_polled import Polled
from citytwin_edge.adapters.serial_port import Heard, Port
from citytwin_edge.adapters.serial_settings import SerialDevice, SerialPoint, named
from citytwin_edge.wire.messages import Message

PROBE_S: Final = 10.0
"""A listening probe waits so long for a message of every point."""


class Listening(Instrument):
    """An instrument that speaks by itself; see :class:`citytwin.adapter.Adapter`."""

    async def listen(self) -> AsyncIterator[Batch]:
        """Yield what each message says.

        A message that began before the port was opened, or that paused for longer than
        ``reply_timeout_s``, is given up: half of it must not become a value.

        Raises:
            DeviceSilent: the port cannot be opened, or is lost.
        """
        cutter = self._settings.cutter(midway=True)
        last_s = math.inf
        async with contextlib.aclosing(self._port.listen(self._party)) as stream:
            async for heard in stream:
                paused = heard.at_s - last_s > self._settings.reply_timeout_s
                if heard.is_cut or (paused and cutter.is_within):
                    cutter = self._settings.cutter(midway=True)
                last_s = heard.at_s
                batch = self._batch(cutter.feed(heard.data), heard)
                if len(batch):
                    yield batch

    def _batch(self, found: Sequence[Message], heard: Heard) -> Batch:
        """Return what messages say; a broken one is told of points that no other is about."""
        readings: list[Reading] = []
        broken: dict[int, Reading] = {}
        for message in found:
            points = self._messages.concern(message.data)
            if not message.broken:
                readings += self._messages.read(message.data, points, heard.time_ns)
                continue
            for point in points if message.data else self._points:
                broken[point] = Messages.spoilt(point, message.data, message.broken, heard.time_ns)
        told = {one.point for one in readings}
        return batch_of([*readings, *(one for one in broken.values() if one.point not in told)])

    async def probe(self) -> Sequence[Probed]:
        """Wait a while for one message of every point."""
        clock = self._site.clock
        begun_ns = clock.monotonic_ns()
        listener = Listener(self._messages, self._settings.cutter(midway=True), self._points)
        error = listener.why(DeviceSilent(f"nothing was heard within {PROBE_S:g} s"))
        try:
            async with (
                asyncio.timeout(PROBE_S),
                contextlib.aclosing(self._port.listen(self._party)) as stream,
            ):
                async for heard in stream:
                    if listener.take(heard.data, heard.time_ns):
                        break
        except TimeoutError:
            error = listener.why(error)
        except DeviceSilent as lost:
            error = lost
        return self._probed(self._points, listener, error, clock.monotonic_ns() - begun_ns)


class SerialType:
    """The entry point ``serial``; see :class:`citytwin.adapter.AdapterType`."""

    guide: Final = "docs/guides/serial.md"
    device_settings: type[msgspec.Struct] = SerialDevice
    point_settings: type[msgspec.Struct] = SerialPoint
    examples: Sequence[dict[str, Any]] = (
        {"serial": "/dev/ttyUSB0"},
        {"host": "192.168.1.50", "port": 4001},
    )

    def build(
        self, settings: SerialDevice, bindings: Sequence[Binding], site: Site
    ) -> Listening | Polled:
        """Return an adapter; touches no port.

        Raises:
            ConfigError: a point does not fit, or another device uses the same port otherwise.
        """
        for point, address in bindings:
            problem = _problem(settings, address, is_writable=point.writable is not None)
            if problem:
                raise ConfigError(f"point {point.id}: {problem}")
        endpoint = settings.endpoint()
        name = bindings[0].point.device if bindings else "without points"
        port = line_at(endpoint, site, name, lambda: Port(endpoint, site.clock, site.tap))
        make = Polled if settings.mode == "polled" else Listening
        try:
            return make(settings, bindings, port, site)
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def locate(self, settings: SerialDevice) -> str:
        """Return where a device is; see :class:`citytwin.adapter.Locates`."""
        words = [f"{settings.mode} instrument"]
        for name, value in (
            ("address", settings.address),
            ("match", settings.match),
            ("request", settings.request),
        ):
            if value != "":
                words.append(f"with {name} {value!r}")
        return f"{' '.join(words)} at {settings.endpoint()}"

    def decode(
        self,
        settings: SerialDevice,
        bindings: Sequence[Binding],
        exchanges: Sequence[Exchange],
        site: Site,
    ) -> Sequence[Probed]:
        """Return what exchanges say of points; see :class:`citytwin.adapter.Decodes`.

        Raises:
            DeviceError: a message is none that such an instrument sends or is asked with.
        """
        self.build(settings, bindings, Site(site.clock, site.intern))
        return decode_exchanges(settings, bindings, exchanges, site)


def _problem(settings: SerialDevice, address: SerialPoint, *, is_writable: bool) -> str:
    """Return why a point does not fit its device; empty when it does."""
    if settings.mode == "listening" and address.request:
        return 'request goes with mode = "polled" of the device'
    if settings.mode == "polled" and not (address.request or settings.request):
        return "has no request, and neither has its device; an instrument that is polled needs one"
    if is_writable and not address.command:
        return "is writable, so it needs command, what is sent to set it"
    if is_writable and "{value" not in address.command and "{word}" not in address.command:
        return "command needs {value} or {word}, in whose place the value is sent"
    if "{word}" in address.command and not address.words:
        return "{word} in command is one of words, which there are none of"
    try:
        with named("request"):
            settings.bytes_of(address.request)
        for name in ("command", "command_answer", "command_refusal"):
            with named(name):
                template = settings.template(getattr(address, name))
                template.render(address=settings.address, value=1.0, word="")
    except ValueError as error:
        return str(error)
    return ""


SERIAL: Final = SerialType()
