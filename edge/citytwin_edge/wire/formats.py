"""Formats: the kinds of advertisements that are known, and a device's telegrams, each once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from citytwin.errors import DeviceMalformed
from citytwin.quality import Quality
from citytwin_edge.wire import atc, bthome, eddystone, govee, mibeacon, ruuvi
from citytwin_edge.wire.adverts import (
    Decoder,
    Format,
    Of,
    Quantity,
    Section,
    Telegram,
    Told,
    no_key,
)
from citytwin_edge.wire.registers import Single

FORMATS: Final[dict[str, Format]] = {
    one.FORMAT.name: one.FORMAT for one in (ruuvi, bthome, mibeacon, atc, govee, eddystone)
}


def recognised(sections: Iterable[Section], name: str) -> list[Format]:
    """Return the formats that a device's sections are likely to be of."""
    every = list(sections)
    return [one for one in FORMATS.values() if any(one.recognises(own, name) for own in every)]


class OwnLayout(Format):
    """A section whose layout the technician describes: sensors that no format is known of."""

    name = "bytes"
    quantities: Mapping[str, Quantity] = {}

    def __init__(self, of: Of, number: int, start: bytes, singles: Mapping[str, Single]) -> None:
        """Take what is at which bytes of a section that begins with ``start``."""
        self.sections = frozenset({(of, number)})
        self._start, self._singles = start, singles

    def recognises(self, section: Section, name: str) -> bool:  # noqa: ARG002  # the contract's
        """Tell whether a section is the one that is described."""
        return section.key in self.sections and section.data.startswith(self._start)

    def decoder(self, address: bytes, key: bytes) -> OwnLayout:  # noqa: ARG002  # the contract's
        """Return a decoder; what is encrypted cannot be described."""
        no_key(key, "described")
        return self

    def decode(self, section: Section) -> Telegram | None:
        """Return what a section says; see :class:`citytwin_edge.wire.adverts.Decoder`."""
        if not self.recognises(section, ""):
            return None
        return Telegram({name: told_in(section.data, one) for name, one in self._singles.items()})


def told_in(data: bytes, single: Single) -> Told:
    """Return one described value; too few bytes cost no other value."""
    try:
        value, quality, text = single.decode(single.cut(data))
    except DeviceMalformed:
        return Told(math.nan, Quality.BAD_MALFORMED)
    return Told(value, quality, text)


@dataclass(slots=True)
class _Last:
    """What came last in one kind of section."""

    data: bytes
    told_ns: int
    telegram: Telegram | None
    why: str = ""


class Receiver:
    """One device's telegrams; each counts once, however often it is heard."""

    def __init__(
        self, formats: Sequence[Format], address: bytes, key: bytes, repeat_ns: int
    ) -> None:
        """Receive what one device sends in any of ``formats``.

        Args:
            formats: the one it is known to send, or all that come into question.
            address, key: see :meth:`citytwin_edge.wire.adverts.Format.decoder`.
            repeat_ns: a telegram without a counter is told again after so long.

        Raises:
            ValueError: none of the formats has such a key.
        """
        self._decoders: dict[tuple[Of, int], list[Decoder]] = {}
        self._last: dict[tuple[Of, int], _Last] = {}
        self._counter: tuple[int, int] | None = None
        self._formats, self._repeat_ns = tuple(formats), repeat_ns
        refusals: list[ValueError] = []
        for one in formats:
            try:
                decoder = one.decoder(address, key)
            except ValueError as error:
                refusals.append(error)
                continue
            for section in one.sections:
                self._decoders.setdefault(section, []).append(decoder)
        if refusals and len(refusals) == len(formats):
            raise refusals[0]

    def take(self, section: Section, now_ns: int) -> Telegram | None:
        """Return what is new in a section; None where nothing is, or it is nobody's.

        Raises:
            DeviceMalformed: it cannot be understood or trusted.
        """
        decoders = self._decoders.get(section.key)
        if decoders is None:
            return None
        last = self._last.get(section.key)
        if last is not None and last.data == section.data:
            return self._again(last, now_ns)
        state = self._last[section.key] = _Last(section.data, now_ns, None)
        try:
            state.telegram = _decoded(decoders, section)
        except DeviceMalformed as error:
            state.why = str(error)
            raise
        telegram = state.telegram
        if telegram is not None and telegram.counter is not None:
            counter = (telegram.counts, telegram.counter)
            if counter == self._counter:
                return None
            self._counter = counter
        return telegram

    def _again(self, last: _Last, now_ns: int) -> Telegram | None:
        telegram = last.telegram
        if telegram is not None and telegram.counter is not None:
            return None
        if now_ns - last.told_ns < self._repeat_ns:
            return None
        last.told_ns = now_ns
        if last.why:
            raise DeviceMalformed(last.why)
        if telegram is None:
            return None
        lasting = {name: told for name, told in telegram.values.items() if not self._happens(name)}
        return replace(telegram, values=lasting)

    def _happens(self, name: str) -> bool:
        found = (one.quantity(name) for one in self._formats)
        return any(quantity is not None and quantity.is_event for quantity in found)


def _decoded(decoders: Sequence[Decoder], section: Section) -> Telegram | None:
    """Return what the first decoder that knows a section makes of it."""
    trouble: DeviceMalformed | None = None
    for decoder in decoders:
        try:
            telegram = decoder.decode(section)
        except DeviceMalformed as error:
            trouble = trouble or error
        else:
            if telegram is not None:
                return telegram
    if trouble is not None:
        raise trouble
    return None
