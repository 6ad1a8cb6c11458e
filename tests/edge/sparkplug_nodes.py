"""Sparkplug nodes for tests: payloads by pysparkplug, which we did not write, on a real broker."""

import asyncio
import contextlib
import dataclasses
from typing import Any

import aiomqtt
import msgspec
import pysparkplug
from pysparkplug import DataType, Metric

from citytwin_edge.adapters.sparkplug import SPARKPLUG
from citytwin_edge.adapters.sparkplug_settings import SparkplugDevice, SparkplugPoint
from citytwin_edge.wire import sparkplug_b_pb2 as pb
from tests.edge.mqtt_devices import bound

NOON_MS = 1_767_268_800_000
NOON = NOON_MS * 1_000_000


def metric(name, kind, value, *, alias=None, at_ms=NOON_MS, **flags):
    """Return a metric by the other library; ``name`` None: by its alias only."""
    return Metric(
        timestamp=at_ms, name=name, datatype=DataType[kind], value=value, alias=alias, **flags
    )


def payload(kind, seq, metrics=(), *, at_ms=NOON_MS, types=True):
    """Return the bytes of a message of a node; ``types``: whether each metric says its type."""
    classes = {
        "NBIRTH": pysparkplug.NBirth, "NDATA": pysparkplug.NData, "DBIRTH": pysparkplug.DBirth,
        "DDATA": pysparkplug.DData,
    }  # fmt: skip
    if kind == "DDEATH":
        return pysparkplug.DDeath(timestamp=at_ms, seq=seq).encode()
    made = classes[kind](timestamp=at_ms, seq=seq, metrics=tuple(metrics))
    return made.encode(include_dtypes=types)


def death(bd_seq):
    """Return the payload of a node's death."""
    return pysparkplug.NDeath(timestamp=NOON_MS, bd_seq_metric=bd_seq_metric(bd_seq)).encode()


def bd_seq_metric(number):
    return metric("bdSeq", "INT64", number)


REBIRTH = "Node Control/Rebirth"


class EdgeNode:
    """A node with devices: bears, sends, answers to requests for its birth, dies."""

    def __init__(self, client: Any, group="plant", name="ps-1", bd_seq=0):
        self.client, self.group, self.name, self.bd_seq = client, group, name, bd_seq
        self.metrics = [metric("Outputs/Pump", "BOOLEAN", False, alias=1)]
        self.devices: dict[str, list[Metric]] = {}
        self.seq, self.births = 0, 0
        self.is_silent = False
        self.commands: list[tuple[str, bytes]] = []

    def topic(self, kind, device=""):
        parts = ("spBv1.0", self.group, kind, self.name, *([device] if device else []))
        return "/".join(parts)

    async def say(self, kind, metrics=(), device="", **how):
        """Publish the next message, unless the node is to be silent."""
        if self.is_silent:
            return
        said = payload(kind, self.seq, metrics, **how)
        self.seq = (self.seq + 1) % 256
        await self.client.publish(self.topic(kind, device), said, qos=0)

    async def bear(self, **how):
        """Publish the births of the node and of all its devices."""
        self.seq = 0
        self.births += 1
        own = [bd_seq_metric(self.bd_seq), metric(REBIRTH, "BOOLEAN", False), *self.metrics]
        await self.say("NBIRTH", own, **how)
        for device, metrics in self.devices.items():
            await self.say("DBIRTH", metrics, device, **how)

    async def data(self, metrics, device="", **how):
        await self.say("DDATA" if device else "NDATA", metrics, device, **how)

    async def die(self):
        await self.client.publish(self.topic("NDEATH"), death(self.bd_seq), qos=1)

    def will(self):
        return aiomqtt.Will(self.topic("NDEATH"), death(self.bd_seq), qos=1)

    async def obey(self):
        """Answer requests for the birth, and note down every other command."""
        for kind in ("NCMD", "DCMD"):
            await self.client.subscribe(f"spBv1.0/{self.group}/{kind}/{self.name}/#", qos=1)
        async for message in self.client.messages:
            device = str(message.topic).partition(f"/{self.name}/")[2]
            if not device and REBIRTH.encode() in message.payload:
                await self.bear()
            else:
                self.commands.append((device, message.payload))


class ObedientNode(EdgeNode):
    """A node that does what it is commanded, and is born anew to say so."""

    def __init__(self, *about: Any, **settings: Any) -> None:
        super().__init__(*about, **settings)
        self._bearing = asyncio.Lock()

    async def bear(self, **how):
        async with self._bearing:
            await super().bear(**how)

    async def obey(self):
        for kind in ("NCMD", "DCMD"):
            await self.client.subscribe(f"spBv1.0/{self.group}/{kind}/{self.name}/#", qos=1)
        async for message in self.client.messages:
            device = str(message.topic).partition(f"/{self.name}/")[2]
            held = self.devices[device] if device else self.metrics
            if REBIRTH.encode() not in message.payload:
                self.commands.append((device, message.payload))
            for told in pb.Payload.FromString(message.payload).metrics:
                held[:] = [_commanded(one, told) for one in held]
            await self.bear()


def _commanded(held, told):
    """Return a metric as it is after a command, which names it or gives its alias."""
    if told.name != held.name and (told.alias or None) != held.alias:
        return held
    return dataclasses.replace(held, value=getattr(told, told.WhichOneof("value")))


@contextlib.asynccontextmanager
async def node(port, kind=EdgeNode, **settings):
    """Run a node that answers; it has not borne yet."""
    made = kind(None, **settings)
    async with aiomqtt.Client("127.0.0.1", port, will=made.will()) as client:
        made.client = client
        task = asyncio.create_task(made.obey())
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def device(site, port, points, *, name="ps", node="ps-1", device_id="plc", **settings):
    """Return an adapter with such points."""
    given = {
        "host": "127.0.0.1", "port": port, "host_id": "gw", "group_id": "plant",
        "edge_node_id": node, "device_id": device_id, "reorder_s": 0.2, **settings,
    }  # fmt: skip
    bindings = bound(name, points, SparkplugPoint)
    return SPARKPLUG.build(msgspec.convert(given, SparkplugDevice), bindings, site)


POINTS = {
    "level": {"metric": "Inputs/Level", "unit": "m"},
    "pump": {"metric": "Outputs/Pump", "kind": "state"},
    "mode": {"metric": "Mode", "kind": "text"},
}
LEVEL, PUMP, MODE = 0, 1, 2


def plc(level=1.5, **how):
    """Return the metrics of the birth of a device."""
    return [
        metric("Inputs/Level", "DOUBLE", level, alias=10, **how),
        metric("Outputs/Pump", "BOOLEAN", False, alias=11, **how),
        metric("Mode", "STRING", "auto", alias=12, **how),
    ]


def one(level, **how):
    return [metric(None, "DOUBLE", level, alias=10, **how)]
