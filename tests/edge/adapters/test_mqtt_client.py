"""The client: who may connect, what a failure is called, and that nothing of it is left."""

import asyncio
import contextlib
import gc
import signal
import subprocess

import aiomqtt
import msgspec
import pytest

from citytwin_edge.adapters import mqtt_client
from citytwin_edge.adapters.mqtt_client import Client, identifier, identifiers
from citytwin_edge.adapters.mqtt_settings import MqttDevice
from tests.edge.mqtt_devices import PATIENCE_S, certificate
from tests.servers import broker, free_port, mosquitto, peer
from tests.waiting import until

# paho leaves its socket to the garbage collector when a handshake fails.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def connection(port, **settings):
    device = msgspec.convert({"host": "127.0.0.1", "port": port, **settings}, MqttDevice)
    return device.connection()


async def trial(port, **settings):
    """Connect, hear one message of one's own, and leave; return why that failed."""
    said: asyncio.Queue[bytes] = asyncio.Queue(maxsize=10)
    made = connection(port, **settings)
    try:
        client = Client(
            made, lambda message: said.put_nowait(bytes(message.payload)), made.client_id
        )
    except OSError as error:
        return str(error)
    why = await client.enter()
    if why:
        assert client._client.socket() is None, "the socket is left open"
        return why
    try:
        why = await client.ask_for("echo", 1)
        if not why:
            await client.publish("echo", "hello", qos=1)
            async with asyncio.timeout(PATIENCE_S):
                assert await said.get() == b"hello"
    finally:
        await client.leave()
    assert client._client.socket() is None, "the socket is left open"
    return why


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_passwords(tmp_path, version):
    passwords, secret, wrong = tmp_path / "passwords", tmp_path / "secret", tmp_path / "wrong"
    command = ["mosquitto_passwd", "-b", "-c", str(passwords), "gw", "water"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    passwords.chmod(0o644)
    secret.write_text("water\n")
    wrong.write_bytes(b"\xff\xfe")
    demands = ("allow_anonymous false", f"password_file {passwords}", "user root")
    async with mosquitto(tmp_path, *demands) as port:

        def asked(path, user="gw"):
            return trial(port, version=version, user=user, password_file=str(path))

        assert await asked(secret) == ""
        assert "ot authori" in await asked(secret, "somebody")
        assert "ot authori" in await trial(port, version=version)
        assert await asked(wrong) == f"{wrong} is not a text in UTF-8"
        assert str(tmp_path / "none") in await asked(tmp_path / "none")


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_certificates(tmp_path, version):
    authority_key, authority, signer = certificate(tmp_path, "authority")
    key, own, _ = certificate(tmp_path, "own", signer)
    foreign_key, foreign, _ = certificate(tmp_path, "foreign")
    demands = (
        "allow_anonymous true", f"cafile {authority}", f"certfile {authority}",
        f"keyfile {authority_key}", "require_certificate true", "user root",
    )  # fmt: skip
    async with mosquitto(tmp_path, *demands) as port:

        def asked(**settings):
            return trial(port, version=version, tls=True, **settings)

        named = {"certificate_file": own, "key_file": key}
        assert await asked(ca_file=authority, **named) == ""
        none = await asked(ca_file=authority)
        assert "closed the connection before it answered" in none
        assert "certificate required" in none
        strange = await asked(ca_file=authority, certificate_file=foreign, key_file=foreign_key)
        assert "closed the connection before it answered" in strange
        assert "unknown ca" in strange
        assert "certificate verify failed" in await asked(**named)
        assert "certificate verify failed" in await asked(ca_file=foreign, **named)
        plain = await trial(port, version=version, connect_timeout_s=2)
        assert plain, "a broker that speaks TLS is not connected to without"
        mixed = await asked(ca_file=authority, certificate_file=own, key_file=foreign_key)
        assert mixed.startswith(f"certificate_file {own} with key_file {foreign_key}: ")
        lost = await asked(ca_file=str(tmp_path / "none"))
        assert lost == f"ca_file {tmp_path / 'none'}: No such file or directory"


async def test_a_broker_that_is_not_there():
    assert await trial(free_port()) == "Connection refused"


async def test_a_broker_that_accepts_and_says_nothing():
    gone = asyncio.Event()

    async def stall(reader, writer):
        while await reader.read(1000):
            pass
        gone.set()

    async with peer(stall) as port:
        assert "timed out" in await trial(port, connect_timeout_s=0.2)
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()


async def test_a_lost_connection_is_told_with_its_reason(tmp_path):
    async with mosquitto(tmp_path) as port:
        first = Client(connection(port, client_id="g"), lambda _: None, "g")
        assert not await first.enter()
        losing = asyncio.ensure_future(first.lost())
        second = Client(connection(port, client_id="g"), lambda _: None, "g")
        assert not await second.enter()
        async with asyncio.timeout(PATIENCE_S):
            assert "a second client with this client_id?" in await losing
        await first.leave()
        await second.leave()


@contextlib.contextmanager
def complaints():
    """Yield what asyncio complains of, whoever dropped it being collected at the end."""
    said, loop = [], asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: said.append(context["message"]))
    try:
        yield said
        gc.collect()
    finally:
        loop.set_exception_handler(before)


async def test_a_connection_that_was_lost_unheard_of_leaves_no_complaint(tmp_path):
    with complaints() as said:
        async with broker(tmp_path) as running:
            client = Client(connection(running.port), lambda _: None, "")
            assert not await client.enter()
            running.process.kill()
            await until(client._disconnected.done, "the loss")
            await client.leave()
            del client
    assert said == []


async def test_a_broker_that_never_answers_leaves_no_complaint():
    async def stall(reader, writer):
        while await reader.read(1000):
            pass

    with complaints() as said:
        async with peer(stall) as port:
            assert "timed out" in await trial(port, connect_timeout_s=0.2)
    assert said == []


async def test_receipts_are_given_when_told_to_and_the_session_remembers(tmp_path):
    kept = {"client_id": "g", "session_s": 60}
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as sender:
        heard = []
        client = Client(connection(port, **kept), heard.append, "g")
        assert not await client.enter()
        assert not client.is_resumed
        assert not await client.ask_for("t", 1)
        for number in range(200):
            await sender.publish("t", str(number), qos=1)
        await until(lambda: len(heard) == 200, "200 messages")  # no receipt was needed for more
        client.receipt(heard[0].mid)
        client.receipt(heard[1].mid)
        await client.leave()
        again = []
        client = Client(connection(port, **kept), again.append, "g")
        assert not await client.enter()
        assert client.is_resumed
        await until(lambda: len(again) == 198, "the other 198 again")
        assert [message.payload for message in again] == [b"%d" % n for n in range(2, 200)]
        assert all(message.dup for message in again)
        await client.leave()


def test_a_filter_has_the_same_number_in_every_run():
    assert identifier("air/+/state") == 131969900
    assert len({identifier(f"air/{n}/state") for n in range(1000)}) == 1000


def test_a_message_tells_by_which_filters_it_came():
    assert identifiers(b"") == frozenset()
    assert identifiers(b"\x0b\x07\x0b\xac\x02") == {7, 300}
    assert identifiers(b"\x01\x00") == frozenset(), "properties may name none"
    assert identifiers(b"\x7f\x07") == frozenset(), "there is no such property"
    assert identifiers(b"\x0b") == frozenset(), "it has no end"


async def test_leaving_a_broker_that_has_died_takes_no_time_at_all(tmp_path):
    async with mosquitto(tmp_path) as port:
        client = Client(connection(port), lambda _: None, "")
        assert not await client.enter()
    with contextlib.suppress(aiomqtt.MqttError):
        await client.lost()
    async with asyncio.timeout(PATIENCE_S):
        await client.leave()
    assert client._client.socket() is None


async def test_a_broker_that_takes_nothing_more_is_left_all_the_same(tmp_path):
    """Its socket's buffer is full, so not even a farewell goes out."""
    async with broker(tmp_path) as running:
        client = Client(connection(running.port), lambda _: None, "")
        assert not await client.enter()
        running.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(64):
                client._client.publish("t", b"x" * 262_144)
                client._client.loop_write()
            assert client._client.want_write(), "the socket is full"
            async with asyncio.timeout(PATIENCE_S):
                await client.leave()
            assert client._client.socket() is None
        finally:
            running.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("available", [True, False])
async def test_a_broker_that_numbers_no_subscriptions_is_not_asked_to(available):
    """MQTT 5, 3.2.2.3.12: to number one all the same would be a protocol error."""
    asked = asyncio.Queue(maxsize=10)

    async def serve(reader, writer):
        await reader.readuntil(b"MQTT\x05")
        await reader.read(1000)
        properties = b"" if available else b"\x29\x00"
        body = b"\x00\x00" + bytes([len(properties)]) + properties
        writer.write(b"\x20" + bytes([len(body)]) + body)
        packet = await reader.read(1000)
        asked.put_nowait(packet)
        writer.write(b"\x90\x04" + packet[2:4] + b"\x00\x01")
        await reader.read(1000)

    async with peer(serve) as port:
        client = Client(connection(port), lambda _: None, "")
        assert not await client.enter()
        assert not await client.ask_for("t", 1)
        await client.leave()
        packet = await asked.get()
    assert (b"\x0b" in packet[4:6]) is available


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize("is_secret", [False, True])
async def test_what_is_read_ahead_of_the_library_is_all_handed_over(tmp_path, is_secret, version):
    """More than one reading holds, small and large, plain and over TLS."""
    key, own, _ = certificate(tmp_path, "authority")
    demands = (f"certfile {own}", f"keyfile {key}", "allow_anonymous true", "user root")
    settings = {"tls": True, "ca_file": own} if is_secret else {}
    said = [b"x" * size for size in (1, 0, 100, 20_000, 3, 65_000, *[7] * 3000)]
    heard: list[bytes] = []
    async with mosquitto(tmp_path, *(demands if is_secret else ())) as port:
        made = connection(port, version=version, **settings)
        client = Client(made, lambda message: heard.append(bytes(message.payload)), "")
        assert await client.enter() == ""
        assert await client.ask_for("echo", 1) == ""
        for payload in said:
            await client.publish("echo", payload, qos=1)
        await until(lambda: len(heard) == len(said), "every message")
        await client.leave()
    assert heard == said


def test_long_properties_are_understood_and_not_remembered():
    name, value = b"n" * 200, b"v" * 200
    user = b"\x26" + len(name).to_bytes(2, "big") + name + len(value).to_bytes(2, "big") + value
    remembered = mqtt_client._known_identifiers.cache_info().currsize
    assert identifiers(user + b"\x0b\x07") == {7}
    assert mqtt_client._known_identifiers.cache_info().currsize == remembered
