"""Decoding golden frames: what a value costs, by adapter, beside the simplest way to a number.

Each adapter decodes the frames of all its profiles, a thousand exchanges of them in turn, by the
code that tests and technicians use. What is compiled of a device's points is compiled once, as an
agent does; "compiled anew" is what it costs to do so for each case, as for one look at a device.
The simplest way is ``struct.unpack_from`` of one float32, or ``json.loads`` of one value, for the
same number of values: it checks nothing. Sparkplug has no profiles: its frames are the births of a
node and of its device, encoded by another library. A recording (replay) has rows instead of frames:
a thousand of its batches of one row each, cut as they are played.
"""

from __future__ import annotations

import contextlib
import json
import struct
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from unittest import mock

from citytwin.adapter import Binding, Exchange, Site
from citytwin.clock import SystemClock
from citytwin.point import Point
from citytwin_edge.adapters import (
    ble,
    dlms,
    iec62056,
    mbus,
    modbus,
    modbus_decode,
    mqtt,
    p1,
    replay,
    serial,
    serial_decode,
    sparkplug,
    wmbus,
)
from citytwin_edge.catalogue.golden import cases, device_like
from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.config import load
from citytwin_edge.device_tables import Owner
from citytwin_edge.gateway import Device
from citytwin_edge.wire.fields import Field
from tests.edge import sparkplug_nodes

EXCHANGES: Final = 1000
HEAD = ["adapter", "cases", "exchanges", "values", "ns/value", "compiled anew", "simplest ns/value",
        "ratio"]  # fmt: skip
COMPILERS: Final = (
    (ble, "Values"), (ble, "_telegrams"), (dlms, "DlmsPoints"), (iec62056, "MeterPoints"),
    (mbus, "points_of"), (modbus, "_fields"), (modbus_decode, "Single"), (mqtt.MqttType, "build"),
    (p1, "P1Points"), (serial.SerialType, "build"), (serial_decode, "Messages"),
    (sparkplug.SparkplugType, "build"), (wmbus, "points_of"),
)  # fmt: skip
"""What makes something of a device's points, or of one; an agent calls it when it is configured."""

SPARKPLUG: Final = """\
[gateway]
name = "bench"
[[device]]
name = "plc"
adapter = "sparkplug"
host = "127.0.0.1"
host_id = "gw"
group_id = "plant"
edge_node_id = "ps-1"
device_id = "plc"
"""

Work = tuple[Device, list[Binding], list[Exchange]]


def work() -> dict[str, list[Work]]:
    """Return what each adapter has to decode: devices with the exchanges of one case each."""
    shelf = Shelf([OURS])
    found: dict[str, list[Work]] = defaultdict(list)
    for name in shelf.names():
        profile = shelf.profile(name)
        for case in cases(profile)[1]:
            device = device_like(profile, Owner("bench", None, shelf), case.settings)
            frames = [pair.exchange() for pair in case.exchange]
            found[profile.adapter].append((device, bound(device), frames))
    found["sparkplug"].append(births_of_a_node())
    return found


def bound(device: Device) -> list[Binding]:
    """Return a device's points as its adapter gets them."""
    return [Binding(one.point, one.address) for one in device.points]


def forget(compiled: Any) -> None:
    """Let what reads messages forget those that it has had: the same once more is no news."""
    if isinstance(compiled, mqtt.Mqtt):
        compiled._reader._seen.clear()
    elif isinstance(compiled, tuple) and isinstance(compiled[0], ble.Telegrams):
        compiled[0]._receiver._last.clear()
        compiled[0]._receiver._counter = None


@contextlib.contextmanager
def compiled_once() -> Iterator[None]:
    """Remember what is made of each device's points, for as long as this lasts."""

    def remembering(make: Callable[..., Any]) -> Callable[..., Any]:
        known: dict[tuple[int, ...], tuple[Any, Any]] = {}

        def made(*about: Any) -> Any:
            # By identity: bindings and fields stay as they are meanwhile.
            kept = [one for one in about if isinstance(one, Sequence | Field)]
            key = tuple(map(id, kept))
            if key not in known:
                known[key] = (kept, make(*about))
            else:
                forget(known[key][1])
            return known[key][1]

        return made

    with contextlib.ExitStack() as stack:
        for where, name in COMPILERS:
            it = remembering(getattr(where, name))
            stack.enter_context(mock.patch.object(where, name, it))
        yield


def births_of_a_node() -> Work:
    """Return a device of a Sparkplug node, with the births that tell of it."""
    points = "".join(
        f'[[device.point]]\nname = "{name}"\n'
        + "".join(f'{field} = "{value}"\n' for field, value in fields.items())
        for name, fields in sparkplug_nodes.POINTS.items()
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edge.toml"
        path.write_text(f"{SPARKPLUG}{points}", encoding="utf-8")
        (device,) = load(path).devices
    births = [("NBIRTH/ps-1", 0, [sparkplug_nodes.bd_seq_metric(0)]),
              ("DBIRTH/ps-1/plc", 1, sparkplug_nodes.plc())]  # fmt: skip
    return (
        device,
        bound(device),
        [
            Exchange(
                f"spBv1.0/plant/{topic}".encode(),
                sparkplug_nodes.payload(topic.partition("/")[0], number, metrics),
            )
            for topic, number, metrics in births
        ],
    )


def timed(call: Callable[[], int]) -> tuple[int, float]:
    """Return what a call counted, and the nanoseconds of processor time it took."""
    begun = time.process_time_ns()
    count = call()
    return count, time.process_time_ns() - begun


def decode(todo: list[Work]) -> tuple[int, int]:
    """Decode at least a thousand exchanges; return how many, and how many values came of them."""
    site, exchanges, values = Site(SystemClock(), lambda _text: 0), 0, 0
    while exchanges < EXCHANGES:
        for device, bindings, frames in todo:
            values += len(device.kind.decode(device.settings, bindings, frames, site))  # type: ignore[attr-defined]
            exchanges += len(frames)
    return exchanges, values


def simplest(adapter: str, values: int) -> float:
    """Return the nanoseconds for so many values the simplest way."""
    if adapter in {"mqtt", "sparkplug", "p1", "iec62056"}:
        text = b'{"value": 231.4}'
        return timed(lambda: len([json.loads(text)["value"] for _ in range(values)]))[1]
    data, unpack = struct.pack(">f", 231.4), struct.Struct(">f").unpack_from
    return timed(lambda: len([unpack(data, 0)[0] for _ in range(values)]))[1]


def recording() -> tuple[int, int, float]:
    """Return how many batches a recording was cut into, how many values, and the nanoseconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.csv"
        rows = [f"level,{number},{number / 8}\n" for number in range(EXCHANGES)]
        path.write_text("point,time,value\n" + "".join(rows), encoding="utf-8")
        binding = Binding(Point(id="g/d/level"), replay.ReplayPoint())
        settings = replay.ReplayDevice(file=str(path))
        played = replay.REPLAY.build(settings, [binding], Site(SystemClock(), lambda _text: 0))

        def cut() -> int:
            after_ns = played._recording.after_ns
            return sum(len(played._batch(row, row + 1, after_ns)) for row in range(EXCHANGES))

        cut()
        values, took_ns = timed(cut)
    return EXCHANGES, values, took_ns


def measured(todo: list[Work]) -> tuple[int, int, float]:
    """Return exchanges, values and nanoseconds; what is imported at first is no cost of a value."""
    decode(todo)
    exchanges = 0

    def once() -> int:
        nonlocal exchanges
        exchanges, values = decode(todo)
        return values

    values, took_ns = timed(once)
    return exchanges, values, took_ns


def run() -> list[list[str]]:
    """Measure every adapter; return the table's rows."""
    table = [HEAD]
    every = sorted(work().items())
    found = {adapter: (len(todo), measured(todo)) for adapter, todo in every}
    with compiled_once():
        once = {adapter: measured(todo) for adapter, todo in every}
    once["replay"] = recording()
    for adapter, (exchanges, values, took_ns) in sorted(once.items()):
        number, anew = found.get(adapter, (1, None))
        if anew is not None and anew[:2] != (exchanges, values):
            raise AssertionError(f"{adapter}: {values} values, but {anew[1]} compiled anew")
        base_ns = simplest(adapter, values)
        table.append(
            [adapter, str(number), str(exchanges), str(values), f"{took_ns / values:.0f}",
             "—" if anew is None else f"{anew[2] / values:.0f}", f"{base_ns / values:.0f}",
             f"{took_ns / base_ns:.0f}"]
        )  # fmt: skip
    return table
