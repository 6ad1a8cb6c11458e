"""Serial instrument: what those that speak by themselves and those that are asked have alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from citytwin.adapter import Binding, Probed, Site
from citytwin.errors import DeviceError, DeviceMalformed, DeviceRefused
from citytwin.quality import Quality
from citytwin_edge.adapters.serial_messages import RAW_BYTES_MAX, Messages, Reading
from citytwin_edge.adapters.serial_port import NoAnswer, Party, Port, Question
from citytwin_edge.adapters.serial_settings import SerialDevice, SerialPoint
from citytwin_edge.wire.messages import Cutter
from citytwin_edge.wire.templates import Template

REPLY_BYTES_MAX: Final = 1024
"""Of the answer to a command, the last bytes in which a yes or no is looked for."""


class _Command(NamedTuple):
    sent: Template
    answer: Template
    refusal: Template


class Listener:
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


class Instrument:
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

    def _question(self, data: bytes, timeout_s: float | None = None) -> Question:
        settings = self._settings
        timeout_s = timeout_s or settings.reply_timeout_s
        return Question(data, timeout_s, settings.pause_s, settings.echo)

    def _probed(
        self, points: Sequence[int], listener: Listener, error: DeviceError, elapsed_ns: int
    ) -> list[Probed]:
        """Return what was found for a technician; ``error`` is why the rest was not."""
        quality = quality_of(error)
        return [
            Probed(one.point, one.raw, one.value, one.quality, elapsed_ns, one.note)
            if (one := listener.found.get(point)) is not None
            else Probed(point, listener.raw, math.nan, quality, elapsed_ns, str(error))
            for point in points
        ]


def quality_of(error: DeviceError) -> Quality:
    """Return the quality of points that were not read because of an error."""
    malformed = isinstance(error, DeviceMalformed)
    return Quality.BAD_MALFORMED if malformed else Quality.BAD_SILENT
