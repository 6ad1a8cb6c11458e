"""Decoding golden frames: what a value costs, by adapter, beside the simplest way to a number.

Each adapter decodes the frames of all its profiles, a thousand exchanges of them in turn. So a
technician and a test do it: the points are compiled anew for each case, which a running agent does
once (``gateway`` and ``mqtt`` show what a sample costs there). The simplest way is
``struct.unpack_from`` of one float32, or ``json.loads`` of one value, for the same number of
values: it checks nothing. Sparkplug has no profiles: its frames are the births of a node and of its
device, encoded by another library. A recording (replay) has no frames.
"""

from __future__ import annotations

import json
import struct
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from citytwin.adapter import Binding, Exchange, Site
from citytwin.clock import SystemClock
from citytwin_edge.catalogue.golden import cases, device_like
from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.config import load
from citytwin_edge.device_tables import Owner
from citytwin_edge.gateway import Device
from tests.edge import sparkplug_nodes

EXCHANGES: Final = 1000
HEAD = ["adapter", "cases", "exchanges", "values", "ns/value", "simplest ns/value", "ratio"]

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

Work = tuple[Device, list[Exchange]]


def work() -> dict[str, list[Work]]:
    """Return what each adapter has to decode: devices with the exchanges of one case each."""
    shelf = Shelf([OURS])
    found: dict[str, list[Work]] = defaultdict(list)
    for name in shelf.names():
        profile = shelf.profile(name)
        for case in cases(profile)[1]:
            device = device_like(profile, Owner("bench", None, shelf), case.settings)
            found[profile.adapter].append((device, [pair.exchange() for pair in case.exchange]))
    found["sparkplug"].append(sparkplug())
    return found


def sparkplug() -> Work:
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
    return device, [
        Exchange(
            f"spBv1.0/plant/{topic}".encode(),
            sparkplug_nodes.payload(topic.partition("/")[0], number, metrics),
        )
        for topic, number, metrics in births
    ]


def timed(call: Callable[[], int]) -> tuple[int, float]:
    """Return what a call counted, and the nanoseconds of processor time it took."""
    begun = time.process_time_ns()
    count = call()
    return count, time.process_time_ns() - begun


def decode(todo: list[Work]) -> tuple[int, int]:
    """Decode at least a thousand exchanges; return how many, and how many values came of them."""
    site, exchanges, values = Site(SystemClock(), lambda _text: 0), 0, 0
    while exchanges < EXCHANGES:
        for device, frames in todo:
            bindings = [Binding(one.point, one.address) for one in device.points]
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


def run() -> list[list[str]]:
    """Measure every adapter that has profiles; return the table's rows."""
    table = [HEAD]
    for adapter, todo in sorted(work().items()):
        decode(todo)  # what is imported or compiled once is no cost of a value
        exchanges = 0

        def once(todo: list[Work] = todo) -> int:
            nonlocal exchanges
            exchanges, values = decode(todo)
            return values

        values, took_ns = timed(once)
        base_ns = simplest(adapter, values)
        table.append(
            [adapter, str(len(todo)),
             str(exchanges), str(values), f"{took_ns / values:.0f}", f"{base_ns / values:.0f}",
             f"{took_ns / base_ns:.0f}"]
        )  # fmt: skip
    return table
