"""A gateway that is enrolled and misbehaves: speaks to a running hub over its own certificate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import grpc
import grpc.aio
import numpy as np

from citytwin import Batch, Point, SystemClock
from citytwin.errors import LineClosed
from citytwin_edge.enrol import load
from citytwin_protos.session import GatewaySession
from citytwin_protos.transport import (
    CHANNEL_OPTIONS,
    OVERTAKEN,
    SEND_S_MAX,
    ClientLine,
    exchange_on,
)
from citytwin_protos.v1 import link_pb2 as pb

POINTS = 3
LINES_PER_OUTBOX = 100
"""A mutated number may be far ahead, and what comes after it is repeated; so outboxes change."""
ANSWER_S_MAX = 2 * SEND_S_MAX
"""Long enough for a line that stalls to say whose fault that is."""
END = b"\xff\xff\xff"
"""No protobuf: whatever came before, the hub ends the line at this frame at the latest."""


class Answer(NamedTuple):
    """What the hub said to one line: why it refused entries, and why it ended the line.

    ``lost`` says how the line ended when the hub said nothing, ``unsent`` why it took no more.
    """

    refused: list[str]
    bye: str
    lost: str
    unsent: str = ""

    @property
    def is_held(self) -> bool:
        """Whether the hub kept the line and took nothing."""
        return "took no frame" in self.unsent + self.lost

    @property
    def is_forgotten(self) -> bool:
        """Whether the hub had ended the line, and this end's gRPC did not say so of a frame."""
        return OVERTAKEN in self.unsent


class Villain:
    """One connection with many lines, each a session of its own from Hello to the end."""

    def __init__(self, name: str, state: Path, port: int) -> None:
        """Speak as the gateway that was enrolled in ``state``."""
        self.name, self._clock = name, SystemClock()
        identity = load(state, name)
        credentials = grpc.ssl_channel_credentials(
            identity.authority, identity.key, identity.certificate
        )
        self._channel = grpc.aio.secure_channel(
            f"127.0.0.1:{port}", credentials, options=CHANNEL_OPTIONS
        )
        self._number = self._lines = 0

    async def close(self) -> None:
        """Leave."""
        await self._channel.close()

    def batch(self, *, point: int = 0, value: float = 1.0, ahead_ns: int = 0) -> Batch:
        """Return a batch in which at most one thing is wrong."""
        return Batch.of(np.array([point]), self._clock.now_ns() + ahead_ns, [value])

    def valid_frames(self) -> list[bytes]:
        """Return what a good gateway would send after its Hello: announcement and entries."""
        session = self._welcomed()
        names = {n: Point(id=f"{self.name}/d/p{n}") for n in range(POINTS)}
        session.announce(names, {1: "ok"})
        session.send_telemetry(self._next(), self.batch())
        session.send_telemetry(self._next(), self.batch(point=1))
        session.send_alarm(self._next(), self.batch(point=2))
        return session.outgoing()

    def announcement(self) -> bytes:
        """Return the frame that announces the villain's points."""
        return self.valid_frames()[0]

    def entry(self, batch: Batch) -> bytes:
        """Return the frame of one entry that is coded by itself."""
        session = self._welcomed()
        session.send_alarm(self._next(), batch)
        return session.outgoing()[0]

    def _welcomed(self) -> GatewaySession:
        session = GatewaySession()
        session.start(0, software="villain 1", outbox=self._outbox(), announce_digest=b"")
        welcome = pb.Welcome(window_entries=64, body_bytes_max=1 << 20, heartbeat_ms=5000)
        session.receive(pb.Down(welcome=welcome).SerializeToString(), 0, self._clock.now_ns())
        session.outgoing()
        return session

    def raw_entry(self, body: bytes, kind: pb.EntryKind.ValueType) -> bytes:
        """Return the frame of an entry with any body."""
        entry = pb.Entry(number=self._next(), kind=kind, body=body)
        return pb.Up(entry=entry).SerializeToString()

    async def say(self, *frames: bytes, greets: bool = True) -> Answer:
        """Send frames and the end over a new line; return what the hub said until it ended it."""
        async with self._line() as line:
            hearing = asyncio.ensure_future(_heard(line))
            try:
                unsent = ""
                try:
                    for frame in (*([self.hello()] if greets else []), *frames, END):
                        await line.send(frame)
                except LineClosed as error:
                    unsent = str(error)
                return (await hearing)._replace(unsent=unsent)
            finally:
                hearing.cancel()

    async def behave(self) -> None:
        """Send one good entry as a good gateway does; returns when the hub has acknowledged it."""
        entry = self.entry(self.batch())
        async with self._line() as line:
            for frame in (self.hello(), self.announcement(), entry):
                await line.send(frame)
            through = 0
            while through < pb.Up.FromString(entry).entry.number:
                through = pb.Down.FromString(await line.receive()).ack.through

    @contextlib.asynccontextmanager
    async def _line(self) -> AsyncIterator[ClientLine]:
        self._lines += 1
        line = ClientLine(None, exchange_on(self._channel))
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                yield line
        finally:
            await line.close()

    def hello(self) -> bytes:
        """Return the frame with which a gateway begins."""
        hello = pb.Hello(protocol=1, software="villain 1", outbox=self._outbox())
        return pb.Up(hello=hello).SerializeToString()

    def _outbox(self) -> bytes:
        return b"villain " + (self._lines // LINES_PER_OUTBOX).to_bytes(8, "big")

    def _next(self) -> int:
        self._number += 1
        return self._number


async def _heard(line: ClientLine) -> Answer:
    """Return what the hub says until its Bye, at which a gateway hangs up."""
    refused: list[str] = []
    while True:
        try:
            down = pb.Down.FromString(await line.receive())
        except LineClosed as error:
            return Answer(refused, "", str(error))
        if down.HasField("refuse"):
            refused.append(down.refuse.detail)
        elif down.HasField("bye"):
            return Answer(refused, f"{pb.Reason.Name(down.bye.reason)}: {down.bye.detail}", "")
