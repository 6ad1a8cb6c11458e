"""Instruments: what the demo city has on serial lines besides Modbus: gauges, analysers, meters.

Levels are the truth's. Weather, water quality and heat are generated: they follow the day and the
season of Almaty's winter, and the analysers' dosing follows its setpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import operator
import os
import re
import struct
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple, Protocol

from pymodbus.framer import FramerRTU

from citytwin.clock import Clock
from citytwin.point import Label
from democity.objects import FIELD, NETWORK, urn
from democity.ptys import SerialLine
from democity.truth import ALMATY_UTC_OFFSET_S, DAY_S, SECOND_NS, WaterTruth

PERIOD_S: Final = 1.0
REQUEST_BYTES_MAX: Final = 64
DOSING_S: Final = 30.0
"""How long the chlorine takes to come two thirds of the way to a new setpoint."""
SETPOINTS: Final = (0.2, 0.8)


class Quantity(NamedTuple):
    """One point of an instrument; ``place`` is where it is in the messages, as TOML."""

    name: str
    label: Label
    unit: str
    place: str
    valid: tuple[float, float]
    normal: tuple[float, float] | None = None
    writable: tuple[float, float] | None = None
    kind: str = "analog"


class Instrument(NamedTuple):
    """One instrument: its serial line, where it stands, and how it speaks, as TOML."""

    name: str
    label: Label
    line: str
    where: tuple[float, float] | str
    """Longitude and latitude, or the device beside which it stands."""
    feeds: str
    settings: str
    quantities: tuple[Quantity, ...]


_TEMPERATURE: Final = Label("Температура", "Температура", "Temperature")
_FLOW: Final = Label("Шығын", "Расход", "Flow")


def _gauge(tank: str) -> Instrument:
    label = Label(
        f"Ультрадыбысты деңгей өлшегіш {tank}",
        f"Ультразвуковой уровнемер {tank}",
        f"Ultrasonic level gauge {tank}",
    )
    level = Label("Деңгей", "Уровень", "Level")
    return Instrument(
        f"lg-{tank}", label, f"level-{tank}", f"tk-{tank}", urn("Tank", NETWORK, tank),
        "baud = 9600\nstale_after_s = 10",
        (
            Quantity("gauge-level", level, "m", 'column = 1\nsentinel = ["-99.999"]', (0.0, 20.0),
                     (2.0, 12.0)),
            Quantity("gauge-echo", Label("Жаңғырық", "Эхо", "Echo"), "%", "column = 2",
                     (0.0, 100.0)),
        ),
    )  # fmt: skip


def _analyser(number: int, label: Label) -> Instrument:
    chlorine = Label("Қалдық хлор", "Остаточный хлор", "Residual chlorine")
    setpoint = Label("Хлор тапсырмасы", "Уставка хлора", "Chlorine setpoint")
    set_it = (
        r"request = '#{address:02d}SP?\r'" "\n" r"pattern = 'SP=([.\d]+)'" "\n"
        r"command = '#{address:02d}SP={value:.2f}\r'" "\n"
        'command_answer = "{address:02d}OK"\ncommand_refusal = "{address:02d}ERR"'
    )  # fmt: skip
    return Instrument(
        f"wq-{number}", label, "quality", "tk-1", urn("WaterQualityObserved", FIELD, str(number)),
        f'baud = 19200\nmode = "polled"\naddress = {number}\nperiod_s = 2\n'
        r"request = '#{address:02d}\r'" '\nmatch = "{address:02d}"\n'
        r"line = { terminator = '\r' }",
        (
            Quantity("chlorine", chlorine, "mg/L", r"pattern = 'CL=([-+.\d]+)'", (0.0, 5.0),
                     (0.1, 1.0)),
            Quantity("turbidity", Label("Лайлылық", "Мутность", "Turbidity"), "{NTU}",
                     r"pattern = 'TU=([-+.\d]+)'", (0.0, 100.0), (0.0, 2.0)),
            Quantity("setpoint", setpoint, "mg/L", set_it, (0.0, 5.0), None, SETPOINTS),
        ),
    )  # fmt: skip


_WIND: Final = 'match = "$WIMWV"\n'
_AIR: Final = 'match = "$WIXDR"\n'

INSTRUMENTS: Final = (
    _gauge("1"),
    _gauge("2"),
    _analyser(1, Label("Кірістегі су сапасы", "Качество воды на входе", "Water quality, inlet")),
    _analyser(2, Label("Шығыстағы су сапасы", "Качество воды на выходе", "Water quality, outlet")),
    Instrument(
        "ws-1", Label("Метеостанция", "Метеостанция", "Weather station"), "weather",
        (76.905, 43.207), urn("WeatherObserved", FIELD, "1"),
        'baud = 4800\nstale_after_s = 10\nchecksum = { kind = "xor8", first = 1, mark = "*" }',
        (
            Quantity("wind-direction", Label("Жел бағыты", "Направление ветра", "Wind direction"),
                     "deg", _WIND + "column = 2", (0.0, 360.0)),
            Quantity("wind-speed", Label("Жел жылдамдығы", "Скорость ветра", "Wind speed"),
                     "m/s", _WIND + "column = 4", (0.0, 75.0), (0.0, 15.0)),
            Quantity("temperature", _TEMPERATURE, "Cel", _AIR + "column = 3", (-60.0, 60.0)),
            Quantity("humidity", Label("Ылғалдылық", "Влажность", "Humidity"), "%",
                     _AIR + "column = 7", (0.0, 100.0)),
        ),
    ),
    Instrument(
        "hm-1", Label("Жылу өлшегіш 1", "Теплосчётчик 1", "Heat meter 1"), "heat",
        (76.850, 43.226), urn("HeatMeter", FIELD, "1"),
        "baud = 9600\nstale_after_s = 10\n"
        r"frame = { start = '\xAA\x55', length = 17 }" "\n"
        'checksum = { kind = "crc16-modbus", order = "little" }\norder = "DCBA"',
        (
            Quantity("energy", Label("Жылу энергиясы", "Тепловая энергия", "Heat energy"),
                     "kW.h", 'at = 3\ntype = "uint32"', (0.0, 4e9), kind="counter"),
            Quantity("flow", _FLOW, "m3/h", 'at = 7\ntype = "float32"', (0.0, 200.0)),
            Quantity("supply", Label("Беру температурасы", "Температура подачи",
                     "Supply temperature"), "Cel", 'at = 11\ntype = "int16"\nscale = 0.01',
                     (0.0, 150.0), (40.0, 110.0)),
            Quantity("return", Label("Қайтару температурасы", "Температура обратной воды",
                     "Return temperature"), "Cel", 'at = 13\ntype = "int16"\nscale = 0.01',
                     (0.0, 150.0), (20.0, 75.0)),
        ),
    ),
)  # fmt: skip
"""Their places and numbers are invented; a tank has its gauge and its analysers beside it."""


class Speaker(Protocol):
    """What sits behind a serial line."""

    def speak(self, now_ns: int) -> bytes:
        """Return what it sends by itself, once a second."""
        ...

    def answer(self, request: bytes, now_ns: int) -> bytes:
        """Return what it sends when it hears a request; nothing where that is none of its own."""
        ...


class Streaming:
    """An instrument that hears nothing."""

    def answer(self, request: bytes, now_ns: int) -> bytes:  # noqa: ARG002  # see Speaker
        """Return nothing."""
        return b""


class Gauge(Streaming):
    """An ultrasonic level gauge: ``+03.412 m,98``."""

    def __init__(self, truth: WaterTruth, tank: str, random: Random) -> None:
        """Hang above a tank."""
        self._truth, self._tank, self._random = truth, tank, random

    def speak(self, now_ns: int) -> bytes:  # noqa: ARG002  # the truth knows the time
        """Return the level and the strength of the echo."""
        level = self._truth.level_m(self._tank) + self._random.gauss(0, 0.003)
        return b"%s m,%d\r\n" % (f"{level:+07.3f}".encode(), self._random.randint(92, 99))


class Analysers:
    """Two analysers on one line, which dose chlorine towards their setpoints."""

    def __init__(self, random: Random) -> None:
        """Begin with what is usual."""
        self._random = random
        self._setpoint = {1: 0.35, 2: 0.45}
        self._chlorine = dict(self._setpoint)
        self._time_ns: dict[int, int] = {}

    def speak(self, now_ns: int) -> bytes:  # noqa: ARG002  # see Speaker
        """Return nothing: they speak when they are asked."""
        return b""

    def answer(self, request: bytes, now_ns: int) -> bytes:
        """Answer ``#01``, ``#01SP?`` and ``#01SP=0.50``, each with a carriage return."""
        found = re.fullmatch(rb"#(0[12])(SP\?|SP=([0-9.]{1,6}))?", request)
        if found is None:
            return b""
        number = int(found[1])
        if found[3] is not None:
            return b"%s%s\r" % (found[1], self._set(number, found[3]))
        if found[2] is not None:
            return b"%sSP=%.2f\r" % (found[1], self._setpoint[number])
        chlorine = self._dosed(number, now_ns) + self._random.gauss(0, 0.004)
        turbidity = abs(0.6 / number + self._random.gauss(0, 0.02))
        return b"%sCL=%.3fmg/L TU=%.2fNTU\r" % (found[1], max(chlorine, 0.0), turbidity)

    def _set(self, number: int, text: bytes) -> bytes:
        try:
            wanted = float(text)
        except ValueError:
            return b"ERR"
        if not SETPOINTS[0] <= wanted <= SETPOINTS[1]:
            return b"ERR"
        self._setpoint[number] = wanted
        return b"OK"

    def _dosed(self, number: int, now_ns: int) -> float:
        passed_s = (now_ns - self._time_ns.get(number, now_ns)) / SECOND_NS
        self._time_ns[number] = now_ns
        share = 1 - math.exp(-max(passed_s, 0.0) / DOSING_S)
        self._chlorine[number] += share * (self._setpoint[number] - self._chlorine[number])
        return self._chlorine[number]


class Weather(Streaming):
    """A weather station: NMEA 0183 sentences MWV and XDR."""

    def __init__(self, random: Random) -> None:
        """Begin with a light wind."""
        self._random = random
        self._speed, self._direction = 1.5, 160.0

    def speak(self, now_ns: int) -> bytes:
        """Return one sentence of wind and one of air."""
        self._speed = abs(self._speed + self._random.gauss(0.02 * (1.5 - self._speed), 0.1))
        self._direction = (self._direction + self._random.gauss(0, 4)) % 360
        air = -6.0 + 4.0 * _day(now_ns)
        humidity = 70.0 - 15.0 * _day(now_ns)
        return _sentence(f"WIMWV,{self._direction:05.1f},R,{self._speed:05.1f},M,A") + _sentence(
            f"WIXDR,C,{air:.1f},C,0,H,{humidity:.1f},P,0"
        )


class HeatMeter(Streaming):
    """A heat meter: frames of 17 bytes, as its settings above describe them."""

    def __init__(self, random: Random) -> None:
        """Begin with what it has counted so far."""
        self._random = random
        self._energy_kwh, self._time_ns = 1_204_300.0, 0

    def speak(self, now_ns: int) -> bytes:
        """Return energy, flow and both temperatures."""
        supply = 82.0 - 6.0 * _day(now_ns) + self._random.gauss(0, 0.05)
        back = 51.0 - 2.0 * _day(now_ns) + self._random.gauss(0, 0.05)
        flow = 24.0 + self._random.gauss(0, 0.1)
        passed_s = (now_ns - (self._time_ns or now_ns)) / SECOND_NS
        self._time_ns = now_ns
        # 1.13 kWh warm a cubic metre of water of this temperature by a kelvin.
        self._energy_kwh += max(passed_s, 0.0) / 3600 * flow * 1.13 * (supply - back)
        words = (round(self._energy_kwh), flow, round(supply * 100), round(back * 100))
        frame = b"\xaa\x55\x01" + struct.pack("<Ifhh", *words)
        return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def _day(now_ns: int) -> float:
    """Return 1 in the early afternoon, -1 twelve hours later."""
    second = (now_ns // SECOND_NS + ALMATY_UTC_OFFSET_S) % DAY_S
    return math.cos((second / 3600 - 14) / 24 * 2 * math.pi)


def _sentence(text: str) -> bytes:
    """Return an NMEA 0183 sentence."""
    data = text.encode()
    return b"$%s*%02X\r\n" % (data, functools.reduce(operator.xor, data))


class Instruments:
    """Every instrument on its line, until it is closed; must be made on a running event loop."""

    def __init__(self, truth: WaterTruth, folder: Path, clock: Clock) -> None:
        """Open the lines in ``folder`` and begin to speak."""
        speakers: dict[str, Speaker] = {
            "level-1": Gauge(truth, "1", Random(1)),
            "level-2": Gauge(truth, "2", Random(2)),
            "quality": Analysers(Random(3)),
            "weather": Weather(Random(4)),
            "heat": HeatMeter(Random(5)),
        }
        self._wires = [_Wire(folder, name, speaker, clock) for name, speaker in speakers.items()]
        ports = {wire.name: str(wire.gateway_end) for wire in self._wires}
        self.endpoints: dict[str, dict[str, Any]] = {
            one.name: {"serial": ports[one.line]} for one in INSTRUMENTS
        }

    def close(self) -> None:
        """Take every line away."""
        for wire in self._wires:
            wire.close()


class _Wire:
    """One line and who sits at its field end."""

    def __init__(self, folder: Path, name: str, speaker: Speaker, clock: Clock) -> None:
        self.name, self._speaker, self._clock = name, speaker, clock
        self._line = SerialLine(folder, name)
        self.gateway_end = self._line.ends[1]
        self._rest = b""
        self._end = os.open(self._line.ends[0], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._end, self._read)
        self._speaking = asyncio.ensure_future(self._speak())

    def _read(self) -> None:
        *requests, rest = (self._rest + os.read(self._end, 4096)).split(b"\r")
        self._rest = rest[-REQUEST_BYTES_MAX:]
        for request in requests:
            self._send(self._speaker.answer(request, self._clock.now_ns()))

    async def _speak(self) -> None:
        while True:
            self._send(self._speaker.speak(self._clock.now_ns()))
            await asyncio.sleep(PERIOD_S)

    def _send(self, data: bytes) -> None:
        # A wire does not wait: what does not go at once is lost on it.
        with contextlib.suppress(BlockingIOError):
            os.write(self._end, data)

    def close(self) -> None:
        self._speaking.cancel()
        asyncio.get_running_loop().remove_reader(self._end)
        os.close(self._end)
        self._line.close()
