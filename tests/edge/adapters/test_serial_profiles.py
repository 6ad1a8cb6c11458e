"""Serial instruments that profiles describe, played on real ptys from their golden frames.

Each speaks, or answers, what its own frames say, through noise, half messages and a restart. And of
10,000 changed messages of each that has a checksum none becomes a value that nobody sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import os
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from citytwin import Quality
from citytwin.adapter import Binding, Exchange
from citytwin.batch import Batch
from citytwin.errors import DeviceError, DeviceMalformed
from citytwin.testing import check_adapter
from citytwin_edge.adapters.serial import SERIAL
from citytwin_edge.adapters.serial_messages import Messages
from citytwin_edge.adapters.serial_settings import SerialDevice
from citytwin_edge.catalogue import golden
from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.device_tables import Owner
from tests.edge.modbus_devices import new_site, plug, pty_line
from tests.edge.serial_instruments import Instrument, instrument, opened

ALL = Shelf([OURS])
NAMES = [name for name in ALL.names() if ALL.profile(name).adapter == "serial"]
NOISE = b"\x00\xff\x81\x24\x13"
GAP_S = 0.25
"""Longer than any of them may pause within a message, as set here."""


@dataclasses.dataclass
class Scene:
    """A profile's device at a port, with the exchanges of its first case, and of what it lacks."""

    settings: SerialDevice
    bindings: list[Binding]
    exchanges: list[Exchange]
    true: dict[int, float]

    def build(self) -> Any:
        return SERIAL.build(self.settings, self.bindings, new_site())

    @property
    def end(self) -> bytes:
        """What follows a message as it stands in the golden frames, which may leave it out."""
        if self.settings.frame is not None:
            return b""
        line = self.settings.line
        return b"\r\n" if line is None else SerialDevice.bytes_of(self.settings, line.terminator)

    def sent(self, one: Exchange) -> bytes:
        return one.response.removesuffix(self.end) + self.end


def scene(name: str, port: str = "/dev/ttyS9", *, whole: bool = False) -> Scene:
    """Return the scene of a profile; ``whole``: with the first frames that are of each point."""
    profile = ALL.profile(name)
    _, cases = golden.cases(profile)
    own = {"serial": port, "reply_timeout_s": 0.2, **cases[0].settings}
    device = golden.device_like(profile, Owner("g", None, ALL), own)
    settings = device.settings
    if settings.wake is not None and settings.wake.settle_s:
        settings = msgspec.structs.replace(
            settings, wake=msgspec.structs.replace(settings.wake, settle_s=0.01)
        )
    bindings = [Binding(one.point, one.address) for one in device.points]
    exchanges: list[Exchange] = []
    for case in cases if whole else cases[:1]:
        asked = {one.request for one in exchanges}
        new = [pair.exchange() for pair in case.exchange]
        if settings.mode == "listening":
            exchanges += new
        else:
            exchanges += [one for one in new if one.request not in asked]
    found = SERIAL.decode(settings, bindings, exchanges, new_site())
    true = {one.point: one.value for one in found if one.quality == Quality.GOOD}
    return Scene(settings, bindings, exchanges, true)


class Player(Instrument):
    """Answers the requests of a scene, whatever ends them; ``trouble`` comes before an answer."""

    def __init__(self, path: str, of: Scene) -> None:
        super().__init__(path, lambda _: [])
        wake = of.settings.wake
        self.answers = {one.request: of.sent(one) for one in of.exchanges}
        self.trouble: list[bytes | float] = []
        self.wake = b"" if wake is None else of.settings.bytes_of(wake.send)
        self.ready = b"" if wake is None else of.settings.bytes_of(wake.answer)
        self.is_awake = not self.wake

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            self._rest += os.read(self._fd, 4096)
        if self.wake and self._rest == self.wake:
            self.is_awake = True
            self.say(self.ready)
        elif self._rest in self.answers:
            self.asked.append(self._rest)
            if self.is_awake:
                self.say(*self.trouble, self.answers[self._rest])
        else:
            return
        self._rest = b""


async def reading(adapter: Any) -> Batch:
    """Read until it succeeds, as a poller would."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(DeviceError):
                return await adapter.read()
            await asyncio.sleep(0.02)


def good(batch: Batch) -> dict[int, float]:
    rows = zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True)
    return {point: value for point, value, quality in rows if quality == Quality.GOOD}


def same(told: dict[int, float], true: dict[int, float]) -> bool:
    return told.keys() == true.keys() and all(
        math.isclose(told[point], true[point]) for point in true
    )


def of_mode(mode: str) -> list[str]:
    return [name for name in NAMES if scene(name).settings.mode == mode]


def test_there_are_instruments_of_both_kinds():
    assert len(of_mode("listening")) >= 10
    assert len(of_mode("polled")) >= 5


@pytest.mark.parametrize("name", of_mode("listening"))
async def test_what_streams_is_read_through_noise_halves_and_a_restart(tmp_path, name):
    port = str(tmp_path / "port")
    of = scene(name, port)
    sent = [of.sent(one) for one in of.exchanges]
    half = sent[0][: len(sent[0]) // 2]
    told: dict[int, float] = {}
    wrong: set[tuple[int, float]] = set()
    adapter = of.build()

    async def listen() -> None:
        while True:  # as a poller does, when the port was lost
            with contextlib.suppress(DeviceError):
                async with contextlib.aclosing(adapter.listen()) as stream:
                    async for batch in stream:
                        told.update(good(batch))
                        wrong.update(set(good(batch).items()) - known)
            await asyncio.sleep(0.02)

    texts = {n for n, one in enumerate(of.bindings) if one.point.kind.value == "text"}
    assert not texts, "values are compared as numbers here"
    known = {(p, v) for one in of.exchanges for p, v in values(of, [one]).items()}
    async with opened(adapter):
        listening = asyncio.ensure_future(listen())
        try:
            for _ in range(2):
                told.clear()
                async with instrument(port) as one, asyncio.timeout(20):
                    while not same(told, of.true):
                        # The line behind one that broke off is left out: whose it is, nobody knows.
                        one.say(NOISE, half, GAP_S, *sent, *sent)
                        await asyncio.sleep(2 * GAP_S)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    assert not wrong


def values(of: Scene, exchanges: Sequence[Exchange]) -> dict[int, float]:
    found = SERIAL.decode(of.settings, of.bindings, exchanges, new_site())
    return {one.point: one.value for one in found if one.quality == Quality.GOOD}


@pytest.mark.parametrize("name", of_mode("polled"))
async def test_what_is_asked_answers_through_noise_halves_and_a_restart(tmp_path, name):
    port = str(tmp_path / "port")
    of = scene(name, port, whole=True)
    adapter = of.build()
    numbers = {n: v for n, v in of.true.items() if of.bindings[n].point.kind.value != "text"}

    def told(batch: Batch) -> dict[int, float]:
        return {point: value for point, value in good(batch).items() if point in numbers}

    async with opened(adapter):
        for _ in range(2):
            async with played(port, of) as one:
                assert same(told(await reading(adapter)), numbers)
                one.trouble = [NOISE] if of.settings.frame else [NOISE + of.end]
                assert same(told(await reading(adapter)), numbers)
                answer = next(iter(one.answers.values()))
                one.trouble = [answer[: len(answer) // 2], GAP_S * 2]
                with contextlib.suppress(DeviceError):
                    assert told(await adapter.read()).items() <= numbers.items()
                one.trouble = []
                assert same(told(await reading(adapter)), numbers)
                one.is_awake = not one.wake  # its power was off for a moment
                assert same(told(await reading(adapter)), numbers)


@contextlib.asynccontextmanager
async def played(port: str, of: Scene) -> AsyncIterator[Player]:
    with pty_line() as line:
        plug(line, Path(port))
        one = Player(line.ends[1], of)
        try:
            yield one
        finally:
            one.close()


@pytest.mark.parametrize("name", NAMES)
async def test_conformance(tmp_path, monkeypatch, name):
    monkeypatch.setattr("citytwin_edge.adapters.serial.PROBE_S", 0.5)
    port = str(tmp_path / "port")
    of = scene(name, port, whole=True)
    if of.settings.time is not None:  # its cases are of several instruments, of other years
        of = scene(name, port)
    if of.settings.mode == "polled":
        async with played(port, of):
            await check_adapter(of.build, of.bindings)
        return
    async with instrument(port) as one:
        one.say(*[piece for n in range(1000) for piece in
                  (of.sent(of.exchanges[n % len(of.exchanges)]), 0.02)])  # fmt: skip
        await check_adapter(of.build, of.bindings)


# ---- changed messages
MUTATIONS = 10_000
GUARDED = [name for name in NAMES if scene(name).settings.checksum is not None]


def changed(data: bytes, chance: random.Random, strong: bool) -> bytes:
    """Change a message in a way that its checksum can know of.

    One changed byte, or the loss of the end, every sum knows. Of a byte that was lost or put in, or
    of two that were changed, only a CRC does.
    """
    at = chance.randrange(len(data))
    kind = chance.randrange(5 if strong else 2)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ chance.randrange(1, 256)]) + data[at + 1 :]
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data[:at] + data[at + 1 :]
    if kind == 3:
        return data[:at] + chance.randbytes(1) + data[at:]
    two = bytes(one ^ chance.randrange(1, 256) for one in data[at : at + 2])
    return data[:at] + two + data[at + 2 :]


def read(of: Scene, messages: Messages, data: bytes) -> Iterator[tuple[int, float]]:
    """Yield good values of what a stream says."""
    for message in of.settings.cutter().feed(data):
        if message.broken:
            continue
        for one in messages.read(message.data, messages.concern(message.data), 0):
            if one.quality == Quality.GOOD:
                yield one.point, one.value


@pytest.mark.parametrize("name", GUARDED)
def test_changed_messages_never_invent_a_value(name):
    of = scene(name)
    of.bindings = [one for one in of.bindings if one.point.kind.value != "text"]
    messages = Messages(of.settings, of.bindings, new_site())
    sent = [of.sent(one) for one in of.exchanges]
    whole = {data: set(read(of, messages, data)) for data in sent}
    true = set().union(*whole.values())
    assert true
    checksum = of.settings.checksum_of_messages()
    assert checksum is not None
    strong = checksum.kind.startswith("crc")
    chance = random.Random(name)
    refused = 0
    for number in range(MUTATIONS):
        data = sent[number % len(sent)]
        told = set(read(of, messages, changed(data, chance, strong) + data))
        assert told <= true
        refused += told != whole[data]
    assert refused < MUTATIONS / 10, "the good message behind it is still read"


def test_a_particle_sensor_that_was_without_power_is_started_again():
    """What SPS30 says of a reading that it cannot give: state 43h, not the awaited message."""
    of = scene("sensirion/sps30")
    messages = Messages(of.settings, of.bindings, new_site())
    refusal = bytes.fromhex("7e 00 03 43 00 b9 7e")
    (message,) = of.settings.cutter().feed(refusal)
    assert not message.broken
    assert messages.concern(message.data) == []
    with pytest.raises(DeviceMalformed, match="no message in it"):
        SERIAL.decode(
            of.settings, of.bindings, [Exchange(of.exchanges[0].request, b"?")], new_site()
        )
