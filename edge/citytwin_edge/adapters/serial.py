"""Serial: instruments that write lines or send frames, by themselves or when they are asked.

docs/guides/serial.md explains the settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

import msgspec

from citytwin.adapter import Binding, Probed, Site
from citytwin.batch import Batch
from citytwin.errors import (
    ConfigError,
    DeviceError,
    DeviceMalformed,
    DeviceRefused,
    DeviceSilent,
)
from citytwin.quality import Quality
from citytwin_edge.adapters.connection import line_at
from citytwin_edge.adapters.serial_messages import RAW_BYTES_MAX, Messages, Reading, batch_of
from citytwin_edge.adapters.serial_port import Heard, NoAnswer, Party, Port, Question
from citytwin_edge.adapters.serial_settings import SerialDevice, SerialPoint, named
from citytwin_edge.wire.messages import Cutter, Message
from citytwin_edge.wire.templates import Template

PROBE_S: Final = 10.0
"""A listening probe waits so long for a message of every point."""
REPLY_BYTES_MAX: Final = 1024
"""Of the answer to a command, the last bytes in which a yes or no is looked for."""


class _Command(NamedTuple):
    sent: Template
    answer: Template
    refusal: Template


class _Listener:
    """What messages bring, until every awaited point has been told of."""

    def __init__(self, messages: Messages, cutter: Cutter, points: Sequence[int]) -> None:
        self._messages, self._cutter = messages, cutter
        self._points = frozenset(points)
        self.found: dict[int, Reading] = {}
        self.raw = b""
        self.broken = ""

    def take(self, data: bytes, now_ns: int) -> bool:
        """Take bytes; return whether nothing more is awaited."""
        self.raw = (self.raw + data)[-RAW_BYTES_MAX:]
        for message in self._cutter.feed(data):
            if message.broken:
                self.broken = message.broken
                continue
            points = [one for one in self._messages.concern(message.data) if one in self._points]
            for reading in self._messages.read(message.data, points, now_ns):
                self.found[reading.point] = reading
        return len(self.found) == len(self._points)

    def why(self, silence: DeviceError) -> DeviceError:
        """Return what is the matter when something is still awaited."""
        if not self.raw:
            return silence
        said = self.broken or "none of it is the message that is awaited"
        return DeviceMalformed(f"what came cannot be used ({said}): {self.raw!r}")


class _Instrument:
    """What both modes share."""

    def __init__(
        self, settings: SerialDevice, bindings: Sequence[Binding], port: Port, site: Site
    ) -> None:
        self._settings, self._port, self._site = settings, port, site
        self._points = range(len(bindings))
        self._messages = Messages(settings, bindings, site)
        name = f"instrument {settings.address}" if settings.address != "" else "the instrument"
        device = bindings[0].point.device if bindings else ""
        self._party = Party(f"{name} at {port.endpoint}", self._messages.all_marked, device)
        self._addresses: list[SerialPoint] = [binding.address for binding in bindings]
        self._commands = {
            index: _Command(
                settings.template(address.command),
                settings.template(address.command_answer),
                settings.template(address.command_refusal),
            )
            for index, (_, address) in enumerate(bindings)
            if address.command
        }

    async def open(self) -> None:
        """Join the port; it is opened when it is first used."""
        self._port.join(self._party)

    async def close(self) -> None:
        """Leave the port; the last instrument to do so closes it."""
        await self._port.leave(self._party)

    async def write(self, point: int, value: float) -> None:
        """Send a point's command and wait for the answer that it has, if any.

        Raises:
            DeviceRefused: the instrument said no, or the value cannot be written in the command.
            DeviceError: whether it was set is not known.
        """
        command = self._commands.get(point)
        if command is None:
            raise DeviceRefused("the point has no command")
        address = self._settings.address
        try:
            word = self._addresses[point].word(value)
            sent, yes, no = (one.render(address=address, value=value, word=word) for one in command)
        except ValueError as error:
            raise DeviceRefused(f"not written: {error}") from None
        heard = bytearray()

        def take(data: bytes) -> bool:
            heard.extend(data)
            del heard[:-REPLY_BYTES_MAX]
            return yes in heard or (bool(no) and no in heard)

        try:
            await self._port.ask(
                self._party, self._question(sent), take if yes else None, command=True
            )
        except NoAnswer:
            if not heard:
                raise
            said = bytes(heard[-RAW_BYTES_MAX:])
            raise DeviceMalformed(f"neither yes nor no was answered, but {said!r}") from None
        if no and no in heard:
            raise DeviceRefused(f"the instrument answered {bytes(heard[-RAW_BYTES_MAX:])!r}")

    def _question(self, data: bytes) -> Question:
        settings = self._settings
        return Question(data, settings.reply_timeout_s, settings.pause_s, settings.echo)

    def _probed(
        self, points: Sequence[int], listener: _Listener, error: DeviceError, elapsed_ns: int
    ) -> list[Probed]:
        """Return what was found for a technician; ``error`` is why the rest was not."""
        quality = _quality_of(error)
        return [
            Probed(one.point, one.raw, one.value, one.quality, elapsed_ns, one.note)
            if (one := listener.found.get(point)) is not None
            else Probed(point, listener.raw, math.nan, quality, elapsed_ns, str(error))
            for point in points
        ]


def _quality_of(error: DeviceError) -> Quality:
    malformed = isinstance(error, DeviceMalformed)
    return Quality.BAD_MALFORMED if malformed else Quality.BAD_SILENT


class Listening(_Instrument):
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
        listener = _Listener(self._messages, self._settings.cutter(midway=True), self._points)
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


class Polled(_Instrument):
    """An instrument that answers; see :class:`citytwin.adapter.Adapter`."""

    def __init__(
        self, settings: SerialDevice, bindings: Sequence[Binding], port: Port, site: Site
    ) -> None:
        """Plan the requests; touches no port."""
        super().__init__(settings, bindings, port, site)
        self._queries: dict[bytes, list[int]] = {}
        for index, (_, address) in enumerate(bindings):
            request = settings.bytes_of(address.request or settings.request)
            self._queries.setdefault(request, []).append(index)

    @property
    def requests(self) -> int:
        """How many requests a poll takes."""
        return len(self._queries)

    async def read(self) -> Batch:
        """Send every request once; each point has the time of the message that carried it.

        After an answer that does not come, or cannot be used, nothing more is asked in this poll.

        Raises:
            DeviceError: nothing could be read.
        """
        readings: list[Reading] = []
        failed: list[int] = []
        error: DeviceError | None = None
        for request, points in self._queries.items():
            if error is None:
                listener, error = await self._ask(request, points)
                readings += listener.found.values()
                failed += [one for one in points if one not in listener.found]
            else:
                failed += points
        if error is not None:
            if not readings:
                raise error
            now_ns, quality = self._site.clock.now_ns(), _quality_of(error)
            readings += [Reading(one, now_ns, math.nan, quality, b"") for one in failed]
        return batch_of(readings)

    async def _ask(
        self, request: bytes, points: Sequence[int]
    ) -> tuple[_Listener, DeviceError | None]:
        """Return what a request brought, and what is the matter when it was not all."""
        listener = _Listener(self._messages, self._settings.cutter(), points)
        clock = self._site.clock
        try:
            await self._port.ask(
                self._party,
                self._question(request),
                lambda data: listener.take(data, clock.now_ns()),
            )
        except NoAnswer as silence:
            return listener, listener.why(silence)
        except DeviceSilent as lost:
            return listener, lost
        return listener, None

    async def probe(self) -> Sequence[Probed]:
        """Send every request once; a silent instrument is not asked on."""
        clock = self._site.clock
        probed: list[Probed] = []
        silence: DeviceError | None = None
        for request, points in self._queries.items():
            begun_ns = clock.monotonic_ns()
            if silence is not None:
                nobody = _Listener(self._messages, self._settings.cutter(), points)
                reason = DeviceSilent(f"not asked: {silence}")
                probed += self._probed(points, nobody, reason, 0)
                continue
            listener, error = await self._ask(request, points)
            if isinstance(error, DeviceSilent):
                silence = error
            missing = error or DeviceSilent("")
            probed += self._probed(points, listener, missing, clock.monotonic_ns() - begun_ns)
        return probed


class SerialType:
    """The entry point ``serial``; see :class:`citytwin.adapter.AdapterType`."""

    device_settings: type[msgspec.Struct] = SerialDevice
    point_settings: type[msgspec.Struct] = SerialPoint

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
