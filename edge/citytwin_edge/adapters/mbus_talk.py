"""M-Bus talk: what is said to one meter on the bus, and what it answers, in one turn."""

from __future__ import annotations

from typing import Final

from citytwin.errors import DeviceError, DeviceMalformed
from citytwin_edge.adapters.mbus_settings import MbusDevice, key_of
from citytwin_edge.adapters.serial_port import NoAnswer, Party, Question, Turn
from citytwin_edge.wire.mbus_frames import (
    NOBODY_KNOWN,
    SELECTED,
    Answer,
    Frame,
    initialise,
    request_data,
    reset,
)
from citytwin_edge.wire.mbus_telegram import Telegram, telegram

RAW_BYTES_MAX: Final = 32
"""So much of what could not be understood is shown to a technician."""


class NoFrame(DeviceMalformed):
    """Something came, but no frame: noise, or several meters that spoke at a time."""


class Talk:
    """One meter; its ``party`` takes turns with the others on the bus."""

    def __init__(self, settings: MbusDevice, party: Party) -> None:
        """Prepare; touches no port."""
        self._settings, self._party = settings, party
        self._key = key_of(settings.key)
        self._selection = settings.selection()
        self._count = True
        self.raw = b""
        """What came last."""

    async def telegrams(self, turn: Turn) -> list[Telegram]:
        """Return all that the meter has to tell now.

        Raises:
            DeviceError: it cannot be had, or not understood.
        """
        settings, address = self._settings, self._settings.link_address
        if self._selection:
            await self.ask(turn, self._selection, acknowledgement=True)
            self._count = True
        elif settings.initialise:
            await self.ask(turn, initialise(address), acknowledgement=True)
            self._count = True
        if settings.application_reset is not None:
            await self.ask(turn, reset(address, settings.application_reset), acknowledgement=True)
        found: list[Telegram] = []
        while len(found) < settings.telegrams_max:
            frame = await self.ask(turn, request_data(address, count=self._count))
            self._count = not self._count
            found.append(self.understood(frame))
            if not found[-1].block.more:
                break
        return found

    def understood(self, frame: Frame) -> Telegram:
        """Return what an answer says, if it is this meter's.

        Raises:
            DeviceMalformed: it is not, or no answer.
            DeviceRefused: the meter reports an error.
        """
        address = self._settings.link_address
        if not frame.is_answer:
            raise DeviceMalformed(f"a frame with control field {frame.control:02X} is no answer")
        if address not in (SELECTED, NOBODY_KNOWN) and frame.address != address:
            raise DeviceMalformed(f"meter {frame.address} answered instead of {address}")
        said = telegram(frame.ci, frame.data, key=self._key)
        which = self._settings.which()
        if said.meter is not None and which and not which.fits(said.meter):
            raise DeviceMalformed(f"meter {said.meter} answered instead of {which}")
        return said

    async def ask(self, turn: Turn, data: bytes, *, acknowledgement: bool = False) -> Frame:
        """Send a frame, and again where need be, and return the answer.

        A meter that was silent last time is asked once only: the others wait meanwhile.

        Raises:
            DeviceSilent: no connection, or no answer.
            NoFrame: what came is none.
        """
        settings = self._settings
        question = Question(data, settings.timeout_s(), echo=settings.echo)
        attempts = 1 if self._party.is_silent else 1 + settings.retries
        error: DeviceError | None = None
        for _ in range(attempts):
            answer = Answer(acknowledgement=acknowledgement)
            found: list[Frame] = []

            def take(heard: bytes, answer: Answer = answer, found: list[Frame] = found) -> bool:
                frame = answer.feed(heard)
                if frame is not None:
                    found.append(frame)
                return frame is not None

            try:
                await turn.ask(question, take)
            except NoAnswer as silence:
                error = silence
                if answer.is_noise:
                    shown = answer.raw[-RAW_BYTES_MAX:].hex(" ")
                    error = NoFrame(f"what came is no answer ({answer.why()}): {shown}")
            self.raw = answer.raw
            if found:
                return found[0]
        assert error is not None, "there was at least one attempt"
        raise error
