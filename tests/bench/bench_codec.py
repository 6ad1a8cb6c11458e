"""Codec benchmark: bytes, encode and decode time per sample of ways to write a batch.

Two loads of tests/protos/samples.py: 100 points whose blocks hold several seconds, and as many
points as samples, each once, which is what a gateway sends every second. The peer
(thingsboard-gateway) takes 9.4 bytes per sample on the wire, framed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import zstandard
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from citytwin.batch import Batch
from citytwin_protos.codec import StreamDecoder, StreamEncoder, pack, unpack
from tests.protos.samples import Devices

BLOCKS = 40
WARM = 10
LOADS = ((100, 100), (100, 500), (100, 1000), (1000, 1000), (100, 5000), (5000, 5000))


HEAD = ["way", "points", "samples", "B/sample", "encode ns", "decode ns"]


class Row(NamedTuple):
    """One way of writing under one load."""

    way: str
    points: int
    samples: int
    bytes_per_sample: float
    encode_ns: float
    decode_ns: float


class Way(NamedTuple):
    """How to make a new encoder and a new decoder."""

    name: str
    encoder: Callable[[], Callable[[Batch], bytes]]
    decoder: Callable[[], Callable[[bytes], Any]]


def to_json(batch: Batch) -> bytes:
    """Return a list of objects, one for each sample."""
    columns = (batch.point, batch.time_ns, batch.value, batch.quality)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return msgspec.json.encode([{"p": p, "t": t, "v": v, "q": q} for p, t, v, q in rows])


def from_json(data: bytes) -> Batch:
    rows = msgspec.json.decode(data)
    return Batch(*(np.array([row[key] for row in rows]) for key in "ptvq"))


def to_columns(batch: Batch) -> bytes:
    """Return MessagePack of the four columns as they are, compressed."""
    columns = (batch.point, batch.time_ns, batch.value, batch.quality)
    return zstandard.compress(msgspec.msgpack.encode([column.tobytes() for column in columns]))


def from_columns(data: bytes) -> Batch:
    point, time_ns, value, quality = msgspec.msgpack.decode(zstandard.decompress(data))
    return Batch(
        np.frombuffer(point, np.int32),
        np.frombuffer(time_ns, np.int64),
        np.frombuffer(value, np.float64),
        np.frombuffer(quality, np.uint8),
    )


def protobuf_way() -> Way:
    """Return repeated messages of point, time, value and, when it is not good, quality."""
    file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package="bench", syntax="proto3")
    kind = descriptor_pb2.FieldDescriptorProto
    sample = file.message_type.add(name="Sample")
    for number, (name, code) in enumerate(
        (
            ("point", kind.TYPE_UINT32),
            ("time_ns", kind.TYPE_INT64),
            ("value", kind.TYPE_DOUBLE),
            ("quality", kind.TYPE_UINT32),
        ),
        1,
    ):
        sample.field.add(name=name, number=number, type=code, label=kind.LABEL_OPTIONAL)
    block = file.message_type.add(name="Block")
    block.field.add(
        name="samples",
        number=1,
        type=kind.TYPE_MESSAGE,
        type_name=".bench.Sample",
        label=kind.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    message: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.Block"))

    def encode(batch: Batch) -> bytes:
        made = message()
        add = made.samples.add
        columns = (batch.point, batch.time_ns, batch.value, batch.quality)
        for p, t, v, q in zip(*(column.tolist() for column in columns), strict=True):
            add(point=p, time_ns=t, value=v, quality=q)
        return bytes(made.SerializeToString())

    def decode(data: bytes) -> Batch:
        samples = message.FromString(data).samples
        rows = [(s.point, s.time_ns, s.value, s.quality) for s in samples]
        return Batch(*(np.array(column) for column in zip(*rows, strict=True)))

    return Way("protobuf, repeated", lambda: encode, lambda: decode)


def ways() -> list[Way]:
    """Return what is compared."""
    return [
        Way("JSON", lambda: to_json, lambda: from_json),
        protobuf_way(),
        Way("msgpack columns + zstd", lambda: to_columns, lambda: from_columns),
        Way("block by itself", lambda: pack, lambda: unpack),
        Way("block in a stream", lambda: StreamEncoder().encode, lambda: StreamDecoder().decode),
    ]


def measured(way: Way, points: int, batches: Sequence[Batch]) -> Row:
    """Return the figures of one way, after a warm start of its streams."""
    encode, decode = way.encoder(), way.decoder()
    bodies, encode_s, decode_s = [], [], []
    for batch in batches:
        began = time.perf_counter()
        body = encode(batch)
        coded = time.perf_counter()
        back = decode(body)
        decode_s.append(time.perf_counter() - coded)
        encode_s.append(coded - began)
        bodies.append(body)
        assert back == batch, way.name
    samples = len(batches[0])
    size = sum(len(body) for body in bodies[WARM:]) / samples / (len(bodies) - WARM)
    # The median: another process on the machine disturbs some rounds, not most.
    nanos = [float(np.median(part[WARM:])) / samples * 1e9 for part in (encode_s, decode_s)]
    return Row(way.name, points, samples, size, *nanos)


def run() -> list[list[str]]:
    """Measure every way under every load; return the table's rows."""
    table = [HEAD]
    for points, samples in LOADS:
        devices = Devices(points)
        batches = [devices.block(samples) for _ in range(BLOCKS)]
        for way in ways():
            row = measured(way, points, batches)
            table.append(
                [row.way, str(row.points), str(row.samples), f"{row.bytes_per_sample:.2f}",
                 f"{row.encode_ns:.0f}", f"{row.decode_ns:.0f}"]
            )  # fmt: skip
    return table
