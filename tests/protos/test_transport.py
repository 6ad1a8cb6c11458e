"""The line over real gRPC: order, cancelled waits, stalled peers, sizes, ends and their words."""

import asyncio
import contextlib

import grpc
import grpc.aio
import pytest

from citytwin.errors import LineClosed, TooLargeError
from citytwin_protos import transport as t
from citytwin_protos.session import Closed, GatewaySession, HelloReceived, HubSession
from tests.protos.pair import OUTBOX, samples
from tests.protos.samples import NOW_NS

CHUNK = bytes(100_000)


class Server:
    """A gRPC server whose handler is the test's; ``line`` gives new lines to it."""

    def __init__(self):
        self.lines = []
        self.ended = asyncio.Event()

    async def start(self, serve):
        async def watched(line, context):
            self.lines.append(line)
            try:
                await serve(line)
            finally:
                self.ended.set()

        self.server = grpc.aio.server(options=t.OPTIONS)
        self.server.add_generic_rpc_handlers((t.exchange_handler(watched),))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        await self.server.start()

    async def line(self):
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=t.OPTIONS)
        await channel.channel_ready()
        return t.ClientLine(channel, t.exchange_on(channel))


@pytest.fixture
async def server():
    one = Server()
    yield one
    await one.server.stop(0)


async def echo(line):
    while True:
        await line.send(await line.receive())


async def test_frames_come_back_whole_and_in_order(server):
    await server.start(echo)
    line = await server.line()
    frames = [bytes([n % 256]) * n for n in range(200)] + [bytes(1 << 20)]

    async def send():
        for frame in frames:
            await line.send(frame)

    sending = asyncio.ensure_future(send())
    assert [await line.receive() for _ in frames] == frames
    await sending
    await line.close()
    async with asyncio.timeout(5):
        await server.ended.wait()


async def test_a_cancelled_receive_loses_nothing(server):
    await server.start(echo)
    line = await server.line()
    for n in range(20):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await line.receive()
        await line.send(bytes([n]))
        assert await line.receive() == bytes([n])
    await line.close()


async def test_the_hub_may_wait_with_a_time_limit_too(server):
    received, tired = [], asyncio.Event()

    async def serve(line):
        while len(received) < 5:
            try:
                async with asyncio.timeout(0.005):
                    received.append(await line.receive())
            except TimeoutError:
                tired.set()
        await line.send(b"done")

    await server.start(serve)
    line = await server.line()
    for n in range(5):
        tired.clear()
        await tired.wait()
        await line.send(bytes([n]))
    assert await line.receive() == b"done"
    assert received == [bytes([n]) for n in range(5)]
    with pytest.raises(LineClosed, match="the hub closed the line"):
        await line.receive()
    await line.close()


async def test_a_cancelled_send_does_not_break_the_line(server):
    gate = asyncio.Event()
    received = []

    async def serve(line):
        await gate.wait()
        while True:
            received.append(await line.receive())

    await server.start(serve)
    line = await server.line()
    sent = await fill(line)
    gate.set()
    await line.send(b"last")
    await line.close()
    async with asyncio.timeout(5):
        await server.ended.wait()
    assert len(received) == sent + 2  # the cancelled one was under way
    assert received[-1] == b"last"


async def fill(line):
    """Send until the line takes no more; return how many frames it took."""
    sent = 0
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(0.5):
                await line.send(CHUNK)
            sent += 1
    return sent


async def test_a_hub_that_takes_nothing_is_waited_for_and_left(server):
    async def serve(line):
        await asyncio.Event().wait()

    await server.start(serve)
    line = await server.line()
    sent = await fill(line)
    assert sent * len(CHUNK) < 1_000_000
    sending = asyncio.ensure_future(line.send(b"x"))
    receiving = asyncio.ensure_future(line.receive())
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await line.close()
    for waiting in (sending, receiving):
        with pytest.raises(LineClosed, match="was closed"):
            await waiting
    await line.close()


async def test_a_gateway_that_takes_nothing_is_waited_for_and_left(server):
    results = []

    async def serve(line):
        results.append(await fill(line))
        sending = asyncio.ensure_future(line.send(b"x"))
        receiving = asyncio.ensure_future(line.receive())
        await asyncio.sleep(0)
        await line.close()
        results.extend(await asyncio.gather(sending, receiving, return_exceptions=True))

    await server.start(serve)
    line = await server.line()
    async with asyncio.timeout(10):
        await server.ended.wait()
    taken, *ends = results
    assert taken * len(CHUNK) < 1_000_000
    assert all(isinstance(end, LineClosed) for end in ends)
    await line.close()


async def test_a_peer_that_takes_nothing_for_too_long_ends_the_line(server, monkeypatch):
    monkeypatch.setattr(t, "SEND_S_MAX", 0.2)

    async def serve(line):
        await asyncio.Event().wait()

    await server.start(serve)
    line = await server.line()
    with pytest.raises(LineClosed, match=r"took no frame for 0\.2 s"):
        await fill(line)
    with pytest.raises(LineClosed, match="took no frame"):
        await line.receive()
    await line.close()


async def test_the_last_words_arrive_before_the_end(server):
    heard = []

    async def serve(line):
        while True:
            heard.append(await line.receive())

    await server.start(serve)
    for n in range(20):
        line = await server.line()
        await line.send(b"bye %d" % n)
        await line.close()
    async with asyncio.timeout(5):
        await server.ended.wait()
    assert heard == [b"bye %d" % n for n in range(20)]


async def test_a_frame_beyond_the_limit_is_not_sent(server):
    await server.start(echo)
    line = await server.line()
    with pytest.raises(TooLargeError, match="at most"):
        await line.send(bytes(t.FRAME_BYTES_MAX + 1))
    await line.send(b"x")
    assert await line.receive() == b"x"
    await line.close()


async def test_a_hostile_frame_beyond_the_limit_ends_its_line_alone(server):
    await server.start(echo)
    channel = grpc.aio.insecure_channel(
        f"127.0.0.1:{server.port}", options=[("grpc.max_send_message_length", -1)]
    )
    hostile, good = t.exchange_on(channel), await server.line()
    await hostile.write(bytes(t.FRAME_BYTES_MAX + 1))
    with pytest.raises(grpc.aio.AioRpcError, match="larger than max"):
        await hostile.read()
    await good.send(b"x")
    assert await good.receive() == b"x"
    await good.close()
    await channel.close()


async def test_a_hub_that_goes_away_is_named(server):
    await server.start(echo)
    line = await server.line()
    await line.send(b"x")
    await line.receive()
    receiving = asyncio.ensure_future(line.receive())
    await asyncio.sleep(0)
    await server.server.stop(0)
    with pytest.raises(LineClosed, match="the hub"):
        await receiving
    with pytest.raises(LineClosed):
        await line.send(b"x")
    await line.close()


async def test_last_words_are_heard_after_a_send_has_failed():
    """The hub says Bye and ends the call; a send fails before the gateway has read."""
    spoken = asyncio.get_running_loop().create_future()

    async def write(_frame):
        raise asyncio.InvalidStateError("RPC already finished.")

    async def read():
        return await spoken

    line = t._GrpcLine(read, write)
    hearing = asyncio.ensure_future(line.receive())
    with pytest.raises(LineClosed, match="already finished"):
        await line.send(b"x")
    spoken.set_result(b"bye")
    assert await hearing == b"bye"


class Forgetful:
    """A call whose end gRPC tells, and nothing else; beside it stand calls of real servers."""

    def __init__(self):
        self.ends = []

    def add_done_callback(self, callback):
        self.ends.append(callback)

    async def read(self, _frame=b""):
        await asyncio.Event().wait()

    write = read

    async def code(self):
        return grpc.StatusCode.OK

    done_writing = code

    def end(self):
        for callback in self.ends:
            callback(self)

    cancel = end


@pytest.mark.parametrize("already", [False, True])
async def test_a_call_that_ends_without_an_answer_ends_the_line(monkeypatch, already):
    """A hub's session ends; gRPC, once in very many calls, answers neither read nor write."""
    monkeypatch.setattr(t, "OVERTAKEN_S_MAX", 0.05)
    call = Forgetful()
    line = t.ClientLine(None, call)
    if already:
        call.end()
    sending = asyncio.ensure_future(line.send(b"x"))
    await asyncio.sleep(0)
    call.end()
    with pytest.raises(LineClosed, match="gRPC never said"):
        await sending
    with pytest.raises(LineClosed, match="without a word"):
        await line.receive()
    with pytest.raises(LineClosed, match="without a word"):
        await line.send(b"x")
    await line.close()


async def test_last_words_are_heard_while_frames_are_sent(server):
    async def serve(line):
        await line.receive()
        await line.send(b"bye")
        await line.close()

    async def send(line):
        with contextlib.suppress(LineClosed):
            while True:
                await line.send(b"x")

    await server.start(serve)
    for _ in range(20):
        line = await server.line()
        sending = asyncio.ensure_future(send(line))
        assert await line.receive() == b"bye"
        with pytest.raises(LineClosed):
            await line.receive()
        await sending
        await line.close()


async def test_a_gateway_that_breaks_off_is_noticed(server):
    why = []

    async def serve(line):
        try:
            await echo(line)
        except (LineClosed, asyncio.CancelledError) as error:
            why.append(error)
            raise

    await server.start(serve)
    line = await server.line()
    await line.send(b"x")
    await line.receive()
    line._call.cancel()
    async with asyncio.timeout(5):
        await server.ended.wait()
    assert why
    await line.close()


async def test_nobody_at_the_address_is_said_in_words():
    key = certificate = authority = b""
    with pytest.raises(LineClosed, match=r"127\.0\.0\.1:1 did not answer as the hub within 0\.3 s"):
        await t.open_exchange(
            "127.0.0.1:1", key=key, certificate=certificate, authority=authority, timeout_s=0.3
        )


async def test_a_session_speaks_over_it_and_garbage_reaches_it(server):
    seen = []

    async def serve(line):
        hub = HubSession()
        hub.start(0)
        while hub.closed is None:
            for event in hub.receive(await line.receive(), 0, NOW_NS):
                seen.append(event)
                if isinstance(event, HelloReceived):
                    hub.welcome(durable_through=0, announce_wanted=False, time_ns=NOW_NS)
            for frame in hub.outgoing():
                await line.send(frame)

    await server.start(serve)
    line = await server.line()
    gateway = GatewaySession()
    gateway.start(0, software="t", outbox=OUTBOX, announce_digest=b"")
    (hello,) = gateway.outgoing()
    await line.send(hello)
    gateway.receive(await line.receive(), 0, NOW_NS)
    gateway.send_telemetry(1, samples(1))
    for frame in gateway.outgoing():
        await line.send(frame)
    await line.send(b"\xff\xff garbage")
    while gateway.closed is None:
        gateway.receive(await line.receive(), 0, NOW_NS)
    assert gateway.closed.reason == "malformed"
    assert any(getattr(event, "batch", None) == samples(1) for event in seen)
    assert isinstance(seen[-1], Closed)
    await line.close()
