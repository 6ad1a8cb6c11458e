"""MQTT devices for tests: adapters on a real broker, and an ear that collects what they say."""

import asyncio
import contextlib
import datetime
import ipaddress

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from citytwin import Kind, Point, Quality, Span, SystemClock
from citytwin.adapter import Binding, Site
from citytwin.errors import DeviceError
from citytwin_edge.adapters.mqtt import MQTT
from citytwin_edge.adapters.mqtt_settings import MqttDevice, MqttPoint
from tests.waiting import until

PATIENCE_S = 30.0


def new_site():
    """Return a gateway's lines and texts, with no device on them yet."""
    texts: dict[str, int] = {}
    return Site(SystemClock(), lambda text: texts.setdefault(text, len(texts) + 1))


def bound(name, points, settings: type[msgspec.Struct] = MqttPoint):
    """Return the bindings of points ``{name: fields}``; kind, unit and writable are the point's."""
    bindings = []
    for point, given in points.items():
        fields = dict(given)
        kind, unit = Kind(fields.pop("kind", "analog")), fields.pop("unit", "1")
        span = Span(*fields.pop("writable")) if "writable" in fields else None
        made = Point(id=f"g/{name}/{point}", kind=kind, unit=unit, writable=span)
        bindings.append(Binding(made, msgspec.convert(fields, settings)))
    return bindings


def device(site, port, name, points, **settings):
    """Return an adapter with such points."""
    own = msgspec.convert({"host": "127.0.0.1", "port": port, **settings}, MqttDevice)
    return MQTT.build(own, bound(name, points), site)


class Ear:
    """Listens to an adapter as a poller does; keeps samples and errors in order."""

    def __init__(self, adapter, *, confirms=True):
        self.adapter, self.confirms = adapter, confirms
        self.samples: list[tuple[int, float, Quality, int]] = []
        self.errors: list[DeviceError] = []
        self._changed = asyncio.Condition()
        self._task = None

    async def _listen(self):
        while True:
            try:
                async for batch in self.adapter.listen():
                    self.samples += [
                        (int(point), float(value), Quality(int(code)), int(time_ns))
                        for point, time_ns, value, code in zip(
                            batch.point, batch.time_ns, batch.value, batch.quality, strict=True
                        )
                    ]
                    await self._tell()
            except DeviceError as error:
                self.errors.append(error)
                await self._tell()

    async def _confirm(self):
        while True:
            confirm = self.adapter.confirmation()
            if confirm is not None:
                confirm()
            await asyncio.sleep(0.02)

    async def _tell(self):
        async with self._changed:
            self._changed.notify_all()

    async def until(self, holds):
        """Wait until ``holds(self)``, checked whenever something was heard."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: holds(self))

    async def connected(self):
        """Wait until the line is subscribed."""
        await until(lambda: self.adapter._line.client is not None, "the line to be subscribed")

    def values(self, point=0):
        return [value for index, value, _, _ in self.samples if index == point]

    def qualities(self, point=0):
        return [code for index, _, code, _ in self.samples if index == point]


@contextlib.asynccontextmanager
async def hearing(*adapters, confirms=True):
    """Listen to adapters; yields an ear for each, connected."""
    ears = [Ear(adapter, confirms=confirms) for adapter in adapters]
    tasks = [asyncio.create_task(ear._listen()) for ear in ears]
    if confirms:
        tasks += [asyncio.create_task(ear._confirm()) for ear in ears]
    try:
        yield ears
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for adapter in adapters:
            await adapter.close()


def certificate(folder, name, signer=None):
    """Make a key and a certificate for 127.0.0.1; returns paths and what can sign others."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing = signer or (subject, key)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(signing, hashes.SHA256())
    )
    key_path, path = folder / f"{name}.key", folder / f"{name}.pem"
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return str(key_path), str(path), (subject, key)
