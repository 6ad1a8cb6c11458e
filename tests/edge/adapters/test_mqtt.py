"""MQTT against a real mosquitto: both versions, passwords, TLS, wildcards, loss and return."""

import asyncio
import datetime
import ipaddress
import subprocess

import aiomqtt
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from citytwin import Kind, Point, Quality, SystemClock
from citytwin.adapter import Binding, Site
from citytwin.errors import DeviceRefused, DeviceSilent
from citytwin.testing import check_adapter
from citytwin_edge.adapters.mqtt import MQTT, MqttDevice, MqttPoint
from tests.servers import free_port, mosquitto

TOPICS = [
    ("pm25", Kind.ANALOG, {"topic": "air/+/state", "path": "$.pm25", "time_path": "$.time"}),
    ("mode", Kind.TEXT, {"topic": "air/27/mode"}),
    ("fan", Kind.STATE, {"topic": "air/27/fan", "command_topic": "air/27/fan/set"}),
]


def bindings():
    return [
        Binding(Point(id=f"g/air/{name}", kind=kind), msgspec.convert(fields, MqttPoint))
        for name, kind, fields in TOPICS
    ]


def build(port, **settings):
    device = msgspec.convert({"host": "127.0.0.1", "port": port, **settings}, MqttDevice)
    texts = {}
    site = Site(SystemClock(), lambda text: texts.setdefault(text, len(texts) + 1))
    return MQTT.build(device, bindings(), site)


async def heard(adapter, client, messages, count):
    """Publish until the adapter has given so many batches; return them."""
    batches = []

    async def listen():
        async for batch in adapter.listen():
            batches.append(batch)
            if len(batches) >= count:
                return

    listening = asyncio.ensure_future(listen())
    async with asyncio.timeout(15):
        while not listening.done():
            for topic, payload in messages:
                await client.publish(topic, payload)
            await asyncio.wait({listening}, timeout=0.1)
    await listening
    return batches


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_messages_become_samples(tmp_path, version):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        state = '{"pm25": 35.5, "time": "2026-01-01T12:00:00Z"}'
        (batch,) = await heard(build(port, version=version), client, [("air/27/state", state)], 1)
        assert batch.point.tolist() == [0]
        assert batch.value.tolist() == [35.5]
        assert batch.time_ns.tolist() == [1_767_268_800 * 10**9]
        (mode,) = await heard(build(port, version=version), client, [("air/27/mode", "auto")], 1)
        assert (mode.point.tolist(), mode.value.tolist()) == ([1], [1.0])


async def test_garbage_is_bad_and_the_next_message_counts(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        good = '{"pm25": 1, "time": 1767268800}'
        messages = [("air/1/state", "{"), ("air/2/state", "x" * 70_000), ("air/3/state", good)]
        first = (await heard(build(port), client, messages, 3))[:3]
        assert {int(batch.quality[0]) for batch in first} == {Quality.BAD_MALFORMED, 0}


async def test_conformance(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        for topic, payload in (
            ("air/27/state", '{"pm25": 1, "time": 1767268800}'),
            ("air/27/mode", "auto"),
            ("air/27/fan", "1"),
        ):
            await client.publish(topic, payload, retain=True)
        batch = await check_adapter(lambda: build(port), bindings())
        assert len(batch)


async def test_commands_are_published(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("air/27/fan/set")
        adapter = build(port)
        with pytest.raises(DeviceSilent):
            await adapter.write(2, 1.0)
        listening = asyncio.ensure_future(anext(aiter(adapter.listen())))
        async with asyncio.timeout(10):
            while adapter._client is None:
                await asyncio.sleep(0.01)
            await adapter.write(2, 1.0)
            message = await anext(aiter(client.messages))
        assert message.payload == b"1"
        with pytest.raises(DeviceRefused):
            await adapter.write(0, 1.0)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_a_broker_that_goes_and_comes_back(tmp_path):
    port = free_port()
    async with mosquitto(tmp_path, port=port):
        adapter = build(port)
        listening = asyncio.ensure_future(anext(aiter(adapter.listen())))
        async with asyncio.timeout(10):
            while adapter._client is None:
                await asyncio.sleep(0.01)
    with pytest.raises(DeviceSilent, match="broker"):
        await asyncio.wait_for(listening, 10)
    with pytest.raises(DeviceSilent, match="broker"):
        await anext(aiter(adapter.listen()))
    probed = await adapter.probe()
    assert [one.quality for one in probed] == [Quality.BAD_SILENT] * 3
    async with mosquitto(tmp_path, port=port), aiomqtt.Client("127.0.0.1", port) as client:
        assert len(await heard(adapter, client, [("air/27/fan", "1")], 1)) == 1


async def test_passwords(tmp_path):
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    command = ["mosquitto_passwd", "-b", "-c", str(passwords), "gw", "water"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    passwords.chmod(0o644)
    secret.write_text("water\n")
    demands = ("allow_anonymous false", f"password_file {passwords}", "user root")
    async with mosquitto(tmp_path, *demands) as port:
        async with aiomqtt.Client("127.0.0.1", port, username="gw", password="water") as client:
            adapter = build(port, user="gw", password_file=str(secret))
            assert await heard(adapter, client, [("air/27/fan", "1")], 1)
        with pytest.raises(DeviceSilent, match=r"[Nn]ot authori"):
            await anext(aiter(build(port).listen()))


def certificates(folder):
    """Make an authority and a certificate for 127.0.0.1, which serves both sides."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return str(folder / "key.pem"), str(folder / "cert.pem")


# paho leaves its socket to the garbage collector when a handshake fails.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_tls_with_a_client_certificate(tmp_path):
    key, certificate = certificates(tmp_path)
    demands = (
        "allow_anonymous true", f"cafile {certificate}", f"certfile {certificate}",
        f"keyfile {key}", "require_certificate true", "user root",
    )  # fmt: skip
    own = {"tls": True, "ca_file": certificate, "certificate_file": certificate, "key_file": key}
    async with mosquitto(tmp_path, *demands) as port:
        tls = aiomqtt.TLSParameters(ca_certs=certificate, certfile=certificate, keyfile=key)
        async with aiomqtt.Client("127.0.0.1", port, tls_params=tls) as client:
            assert await heard(build(port, **own), client, [("air/27/fan", "1")], 1)
        with pytest.raises(DeviceSilent):
            await anext(aiter(build(port, tls=True, ca_file=certificate).listen()))
        with pytest.raises(DeviceSilent):
            await anext(aiter(build(port, tls=True).listen()))


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (MqttDevice, {"host": ""}, "must name the broker"),
        (MqttDevice, {"host": "b", "key_file": "k"}, "go together"),
        (MqttDevice, {"host": "b", "ca_file": "k"}, "tls = true"),
        (MqttDevice, {"host": "b", "password_file": "k"}, "needs user"),
        (MqttPoint, {"topic": "a/#/b"}, "not a topic"),
        (MqttPoint, {"topic": "a", "path": "$["}, "not a JSON path"),
        (MqttPoint, {"topic": "a", "command_topic": "a/+"}, "without wildcards"),
        (MqttPoint, {"topic": "a", "command": "{x}"}, "template"),
    ],
)
def test_settings_that_cannot_work(kind, fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(fields, kind)
