"""Devices: what stands in the field, what each register holds, what a write does to the truth."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.simulator import DataType, SimData, SimDevice

from citytwin.point import Label
from democity.objects import FIELD, NETWORK, urn
from democity.places import position
from democity.truth import SECOND_NS, WaterTruth
from democity.usual import Span, usual_day

WRITE_SINGLE: Final = 6
BAR_PER_M: Final = 0.0980665
VALVES: Final = ("189", "125", "187", "133", "131")
"""Pipes with a valve; closing any one of them leaves every node with water."""
PUMPS: Final = ("10", "335")
METERED: Final = ("60", "173", "177", "229", "20", "129", "191", "120")
LOGGERS_TCP: Final = 24
LOGGERS_RTU: Final = 4


@dataclass(frozen=True, slots=True)
class Register:
    """One point of a device: its place in the register map and its limits in the unit."""

    name: str
    label: Label
    unit: str
    address: int
    read: Callable[[], float]
    kind: str = "analog"
    type: str = "uint16"
    scale: float = 1.0
    noise: float = 0.0
    valid: tuple[float, float] | None = None
    normal: tuple[float, float] | None = None
    writable: tuple[float, float] | None = None
    write: Callable[[float], None] | None = None
    extra: str = ""
    """Further lines of the gateway's configuration, as they stand in the file."""
    attribute: str = ""
    """Of the city object that it gives; empty: the name."""


@dataclass(slots=True)
class Device:
    """One device; ``silent`` is set by a fault, then it answers nothing."""

    name: str
    label: Label
    lon: float
    lat: float
    registers: list[Register]
    feeds: str = ""
    line: str = "tcp"
    unit: int = 1
    silent: bool = False
    random: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        """Seed the noise by the name, so that two runs of the demo are alike."""
        self.random = Random(zlib.crc32(self.name.encode()))

    def simulated(self) -> SimDevice:
        """Return the Modbus server's side."""
        size = max(register.address + _words(register.type) for register in self.registers)
        data = SimData(0, values=[0] * size, datatype=DataType.REGISTERS)
        return SimDevice(self.unit, simdata=[data], action=self._access)

    async def _access(
        self,
        function: int,
        _start: int,
        address: int,
        _count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if self.silent:
            # The server then answers nothing at all, as a device without power does.
            raise NoSuchIdException
        if function == WRITE_SINGLE and not values:
            # The server asks for what its reply shall echo: what was written, come of it what may.
            return None
        if values:
            target = next((one for one in self.registers if one.address == address), None)
            if target is None or target.write is None:
                return ExcCodes.ILLEGAL_ADDRESS
            target.write(values[0] * target.scale)
        for register in self.registers:
            value = register.read() + register.noise * self.random.gauss(0, 1)
            words = encoded(register.type, value / register.scale)
            registers[register.address : register.address + len(words)] = words
        return None


def encoded(kind: str, value: float) -> list[int]:
    """Return the registers of a value, big-endian; numbers beyond the type stop at its ends."""
    if kind == "float32":
        return list(struct.unpack(">HH", struct.pack(">f", value)))
    if kind == "uint32":
        return list(struct.unpack(">HH", struct.pack(">I", min(max(round(value), 0), 2**32 - 1))))
    if kind == "int16":
        return [min(max(round(value), -32768), 32767) & 0xFFFF]
    return [min(max(round(value), 0), 65535)]


def _words(kind: str) -> int:
    return 2 if kind.endswith("32") else 1


def city_devices(truth: WaterTruth) -> list[Device]:
    """Return every Modbus device of the city, bound to its truth."""
    network = truth.network
    loggers = _spread(sorted(network.junctions), LOGGERS_TCP + LOGGERS_RTU)
    devices = [_logger(truth, node) for node in loggers]
    for index, device in enumerate(devices[LOGGERS_TCP:]):
        # Two lines with two units each, as they are wired in the field.
        device.line, device.unit = f"rtu-{1 + index // 2}", 1 + index % 2
    devices += [_meter(truth, pipe) for pipe in METERED]
    devices += [_valve(truth, pipe) for pipe in VALVES]
    devices += [_pump(truth, pump) for pump in PUMPS]
    devices += [_tank(truth, tank) for tank in network.tanks]
    return devices


def _spread(names: list[str], count: int) -> list[str]:
    return [names[index * len(names) // count] for index in range(count)]


def _pressure(name: str, label: Label, address: int, truth: WaterTruth, node: str) -> Register:
    low, high = usual_day()[0].get(node, (0.0, 0.0))
    normal = None
    if node in truth.network.junctions:
        normal = (max(round(low * BAR_PER_M, 1), 0.1), round(high * BAR_PER_M, 1))
    return Register(
        name, label, "bar", address, lambda: max(truth.pressure_m(node), 0.0) * BAR_PER_M,
        scale=0.01, noise=0.01, valid=(0.0, 16.0), normal=normal,
    )  # fmt: skip


def _usual_flow(link: str) -> Span:
    low, high = usual_day()[1][link]
    return round(low), round(high)


def _logger(truth: WaterTruth, node: str) -> Device:
    lon, lat = position(*truth.network.nodes[node])
    registers = [
        _pressure("pressure", Label("Қысым", "Давление", "Pressure"), 0, truth, node),
        Register("battery", Label("Батарея", "Батарея", "Battery"), "V", 1, lambda: 3.6,
                 scale=0.01, noise=0.005, valid=(0.0, 5.0), normal=(3.2, 4.0),
                 extra="deadband = 0.05"),
    ]  # fmt: skip
    label = Label(f"Қысым датчигі {node}", f"Датчик давления {node}", f"Pressure logger {node}")
    return Device(f"pl-{node}", label, lon, lat, registers, urn("Junction", NETWORK, node))


def _meter(truth: WaterTruth, pipe: str) -> Device:
    lon, lat = _middle(truth, pipe)
    total_m3 = 1000.0 * (zlib.crc32(pipe.encode()) % 900)
    seen_ns = truth.time_ns

    def counted() -> float:
        # Whoever reads, and how often: what has flowed since the last reading is added once.
        nonlocal total_m3, seen_ns
        total_m3 += abs(truth.flow_m3h(pipe)) * (truth.time_ns - seen_ns) / SECOND_NS / 3600.0
        seen_ns = truth.time_ns
        return total_m3

    registers = [
        Register("flow", Label("Шығын", "Расход", "Flow"), "m3/h", 0,
                 lambda: truth.flow_m3h(pipe), type="float32", noise=0.5,
                 valid=(-5000.0, 5000.0), normal=_usual_flow(pipe),
                 extra="swinging_door = 2.0\nsilence_s_max = 30.0"),
        Register("total", Label("Жиынтық көлем", "Объём", "Volume"), "m3", 2, counted,
                 kind="counter", type="uint32", scale=0.1,
                 extra='counter = { flow_unit = "m3/h", factor = 3600.0, flow_max = 9000.0 }'),
    ]  # fmt: skip
    label = Label(f"Су өлшегіш {pipe}", f"Расходомер {pipe}", f"Flow meter {pipe}")
    return Device(f"fm-{pipe}", label, lon, lat, registers, urn("Pipe", NETWORK, pipe))


def _valve(truth: WaterTruth, pipe: str) -> Device:
    lon, lat = _middle(truth, pipe)
    _, first, last, _ = truth.network.links[pipe]
    registers = [
        Register("open", Label("Ысырма", "Задвижка", "Valve"), "1", 0,
                 lambda: float(truth.is_open(pipe)), kind="state", valid=(0.0, 1.0),
                 writable=(0.0, 1.0), write=lambda value: truth.set_open(pipe, value >= 0.5)),
        _pressure("upstream", Label("Дейінгі қысым", "Давление до", "Pressure upstream"), 1,
                  truth, first),
        _pressure("downstream", Label("Кейінгі қысым", "Давление после", "Pressure downstream"), 2,
                  truth, last),
        Register("flow", Label("Шығын", "Расход", "Flow"), "m3/h", 3,
                 lambda: truth.flow_m3h(pipe), type="int16", noise=0.3, valid=(-5000.0, 5000.0)),
    ]  # fmt: skip
    label = Label(f"Ысырма камерасы {pipe}", f"Камера задвижки {pipe}", f"Valve chamber {pipe}")
    return Device(f"vc-{pipe}", label, lon, lat, registers, urn("Valve", FIELD, pipe))


def _pump(truth: WaterTruth, pump: str) -> Device:
    lon, lat = _middle(truth, pump)
    registers = [
        Register("running", Label("Жұмыста", "В работе", "Running"), "1", 0,
                 lambda: float(truth.is_open(pump)), kind="state", valid=(0.0, 1.0),
                 writable=(0.0, 1.0), write=lambda value: truth.set_open(pump, value >= 0.5)),
        Register("speed", Label("Айналым жиілігі", "Частота вращения", "Speed"), "%", 1,
                 lambda: 100.0 * truth.speed(pump), scale=0.1, valid=(0.0, 120.0),
                 writable=(50.0, 110.0), write=lambda value: truth.set_speed(pump, value / 100.0),
                 attribute="measuredSpeed"),  # ``speed`` is the ratio of the network's model
        Register("flow", Label("Шығын", "Расход", "Flow"), "m3/h", 2,
                 lambda: max(truth.flow_m3h(pump), 0.0), noise=0.5, valid=(0.0, 6000.0)),
    ]  # fmt: skip
    label = Label(f"Сорғы стансасы {pump}", f"Насосная станция {pump}", f"Pumping station {pump}")
    return Device(f"ps-{pump}", label, lon, lat, registers, urn("Pump", NETWORK, pump))


def _tank(truth: WaterTruth, tank: str) -> Device:
    lon, lat = position(*truth.network.nodes[tank])
    registers = [
        Register("level", Label("Деңгей", "Уровень", "Level"), "m", 0,
                 lambda: truth.level_m(tank), scale=0.01, noise=0.005, valid=(0.0, 20.0),
                 normal=(2.0, 12.0), extra="swinging_door = 0.02\nsilence_s_max = 30.0"),
    ]  # fmt: skip
    label = Label(f"Су қоймасы {tank}", f"Резервуар {tank}", f"Reservoir {tank}")
    return Device(f"tk-{tank}", label, lon, lat, registers, urn("Tank", NETWORK, tank))


def _middle(truth: WaterTruth, link: str) -> tuple[float, float]:
    vertices: list[Any] = truth.network.links[link][3]
    (x1, y1), (x2, y2) = vertices[len(vertices) // 2 - 1 : len(vertices) // 2 + 1]
    return position((x1 + x2) / 2, (y1 + y2) / 2)
