"""Serial instrument that answers when it is asked."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from citytwin.adapter import Binding, Probed, Site
from citytwin.batch import Batch
from citytwin.errors import DeviceError, DeviceMalformed, DeviceSilent
from citytwin_edge.adapters.serial_instrument import (
    REPLY_BYTES_MAX,
    Instrument,
    Listener,
    quality_of,
)
from citytwin_edge.adapters.serial_messages import RAW_BYTES_MAX, Reading, batch_of
from citytwin_edge.adapters.serial_port import NoAnswer, Port
from citytwin_edge.adapters.serial_settings import SerialDevice


class Polled(Instrument):
    """An instrument that answers; see :class:`citytwin.adapter.Adapter`."""

    def __init__(
        self, settings: SerialDevice, bindings: Sequence[Binding], port: Port, site: Site
    ) -> None:
        """Plan the requests; touches no port."""
        super().__init__(settings, bindings, port, site)
        self._is_awake = False
        self._queries: dict[bytes, list[int]] = {}
        for index, (_, address) in enumerate(bindings):
            request = settings.bytes_of(address.request or settings.request)
            self._queries.setdefault(request, []).append(index)

    @property
    def requests(self) -> int:
        """How many requests a poll takes."""
        return len(self._queries)

    async def open(self) -> None:
        """Join the port; it is opened when it is first used."""
        self._is_awake = False
        await super().open()

    async def read(self) -> Batch:
        """Send every request once; each point has the time of the message that carried it.

        After an answer that does not come, or cannot be used, nothing more is asked in this poll.

        Raises:
            DeviceError: nothing could be read.
        """
        return await self.read_some(self._points)

    async def read_some(self, points: Sequence[int]) -> Batch:
        """Send the requests that these points take; otherwise as :meth:`read`.

        Raises:
            DeviceError: nothing could be read.
        """
        readings: list[Reading] = []
        failed: list[int] = []
        chosen, error = frozenset(points), await self._wake()
        for request, served in self._queries.items():
            wanted = [one for one in served if one in chosen]
            if error is None and wanted:
                listener, error = await self._ask(request, wanted)
                readings += listener.found.values()
                failed += [one for one in wanted if one not in listener.found]
            else:
                failed += wanted
        if error is not None:
            if not readings:
                raise error
            now_ns, quality = self._site.clock.now_ns(), quality_of(error)
            readings += [Reading(one, now_ns, math.nan, quality, b"") for one in failed]
        return batch_of(readings)

    async def _wake(self) -> DeviceError | None:
        """Tell the instrument what it must be told before it is asked, where that is needed."""
        wake = self._settings.wake
        if wake is None or self._is_awake:
            return None
        answer = self._settings.bytes_of(wake.answer)
        question = self._question(self._settings.bytes_of(wake.send), wake.timeout_s)
        for attempt in range(wake.attempts):
            heard = bytearray()

            def take(data: bytes, heard: bytearray = heard) -> bool:
                heard.extend(data)
                del heard[:-REPLY_BYTES_MAX]
                return answer in heard

            try:
                await self._port.ask(self._party, question, take if answer else None)
            except NoAnswer as silence:
                if attempt + 1 == wake.attempts:
                    said = bytes(heard[-RAW_BYTES_MAX:])
                    what = f"it answered {said!r} to wake" if said else f"wake: {silence}"
                    return DeviceMalformed(what) if said else DeviceSilent(what)
            except DeviceSilent as lost:
                return lost
            else:
                break
        await asyncio.sleep(wake.settle_s)
        self._is_awake = True
        return None

    async def _ask(
        self, request: bytes, points: Sequence[int]
    ) -> tuple[Listener, DeviceError | None]:
        """Return what a request brought, and what is the matter when it was not all."""
        listener = Listener(self._messages, self._settings.cutter(), points)
        clock = self._site.clock
        try:
            await self._port.ask(
                self._party,
                self._question(request),
                lambda data: listener.take(data, clock.now_ns()),
            )
        except NoAnswer as silence:
            self._is_awake = False
            return listener, listener.why(silence)
        except DeviceSilent as lost:
            self._is_awake = False
            return listener, lost
        return listener, None

    async def probe(self) -> Sequence[Probed]:
        """Send every request once; a silent instrument is not asked on."""
        clock = self._site.clock
        probed: list[Probed] = []
        silence = await self._wake()
        for request, points in self._queries.items():
            begun_ns = clock.monotonic_ns()
            if silence is not None:
                nobody = Listener(self._messages, self._settings.cutter(), points)
                reason = DeviceSilent(f"not asked: {silence}")
                probed += self._probed(points, nobody, reason, 0)
                continue
            listener, error = await self._ask(request, points)
            if isinstance(error, DeviceSilent):
                silence = error
            missing = error or DeviceSilent("")
            probed += self._probed(points, listener, missing, clock.monotonic_ns() - begun_ns)
        return probed
