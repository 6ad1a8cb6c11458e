"""A hub's core on real ports, and gateways that enrol and speak over real TLS."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import grpc
import grpc.aio
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from citytwin import Batch, Point, SystemClock
from citytwin_hub.authority import Authority
from citytwin_hub.committer import Committer
from citytwin_hub.enrolment import EnrolmentService
from citytwin_hub.history.parquet import ParquetHistory
from citytwin_hub.ingest import Ingest
from citytwin_hub.journal.segments import SegmentJournal
from citytwin_hub.readers import Readers
from citytwin_hub.registry import Registry
from citytwin_hub.server import LinkServer
from citytwin_hub.twin import Twin
from citytwin_protos.session import Closed, GatewaySession, Welcomed
from citytwin_protos.transport import CHANNEL_OPTIONS, open_exchange
from citytwin_protos.v1 import link_pb2 as pb
from citytwin_protos.v1 import link_pb2_grpc as rpc
from tests.hub.running import serving

Event = TypeVar("Event")


class Core:
    """The hub without its web side."""

    def __init__(self, folder):
        self.clock = SystemClock()
        self.registry = Registry(folder / "registry.db")
        self.authority = Authority(folder / "authority", self.clock.now_ns())
        self.journal = SegmentJournal(folder / "journal")
        self.twin = Twin()
        self.history = ParquetHistory(folder / "history")
        self.readers = Readers(self.journal, self.twin, self.history, folder / "twin.snapshot")
        self.readers.replay(self.history.position)
        self.executor = ThreadPoolExecutor(1)
        self.committer = Committer(self.journal, self.readers, self.executor)
        self.ingest = Ingest(self.registry, self.journal, self.committer, self.clock)
        self.enrolment = EnrolmentService(self.authority, self.registry, self.clock)
        self.server = LinkServer(self.authority, self.ingest, self.enrolment)

    def token(self, gateway, **options):
        return self.registry.issue_token(
            gateway, self.authority.server_fingerprint, self.clock.now_ns(), **options
        )

    @property
    def link(self):
        return f"127.0.0.1:{self.server.link_port}"

    async def enrol(self, gateway, token, name=None):
        """Return (key, certificate, authority) as PEM; raises AioRpcError when refused."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name or gateway)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject)
        der = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        roots = grpc.ssl_channel_credentials(self.authority.server_pem)
        address = f"127.0.0.1:{self.server.enrol_port}"
        async with grpc.aio.secure_channel(address, roots, options=CHANNEL_OPTIONS) as channel:
            reply = await rpc.EnrolmentStub(channel).Enrol(
                pb.EnrolRequest(gateway=gateway, token=token, signing_request_der=der), timeout=10
            )
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return pem, reply.certificate_pem, reply.authority_pem


class Peer:
    """A gateway's end of one line, driven by the test."""

    def __init__(self, line, clock, outbox):
        self.line, self.clock = line, clock
        self.session = GatewaySession()
        self.session.start(
            clock.monotonic_ns(), software="test 1", outbox=outbox, announce_digest=b""
        )

    @classmethod
    async def connect(cls, core, credentials, outbox=b"0123456789abcdef"):
        key, certificate, authority = credentials
        line = await open_exchange(core.link, key=key, certificate=certificate, authority=authority)
        return cls(line, core.clock, outbox)

    async def flush(self):
        for frame in self.session.outgoing():
            await self.line.send(frame)

    async def until(self, kind: type[Event], timeout_s: float = 10) -> Event:
        """Return the next event of a kind, after sending what is due."""
        async with asyncio.timeout(timeout_s):
            while True:
                await self.flush()
                frame = await self.line.receive()
                now_ns = self.clock.monotonic_ns()
                for event in self.session.receive(frame, now_ns, self.clock.now_ns()):
                    if isinstance(event, kind):
                        return event
                    assert not isinstance(event, Closed), event

    async def greet(self, points=()):
        welcome = await self.until(Welcomed)
        self.session.announce(dict(enumerate(points)), {1: "ok"})
        await self.flush()
        return welcome


def points(gateway, count=3):
    return [Point(id=f"{gateway}/d/p{n}", unit="bar") for n in range(count)]


def samples(now_ns, count=3, base=0.0):
    return Batch.of(np.arange(count), now_ns, base + np.arange(count))


@pytest.fixture
async def core(tmp_path):
    """A running core on free ports."""
    hub = Core(tmp_path)
    await hub.server.start("127.0.0.1:0", "127.0.0.1:0")
    committing = asyncio.ensure_future(hub.committer.run())
    yield hub
    committing.cancel()
    await hub.server.stop(0.1)
    with contextlib.suppress(asyncio.CancelledError):
        await committing
    hub.history.close()


@pytest.fixture
async def running(tmp_path):
    """A whole hub on free ports, see tests/hub/running.py."""
    async with serving(tmp_path / "hub") as city:
        yield city
