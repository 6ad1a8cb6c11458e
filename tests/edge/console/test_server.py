"""The agent's end of the console over real sockets, with clients that do what they may not."""

import asyncio
import contextlib
import json
import os

from structlog.testing import capture_logs

from citytwin import Batch, SystemClock
from citytwin_edge.config import load
from citytwin_edge.console import looking, sockets
from citytwin_edge.console import server as module
from citytwin_edge.console.alone import Alone
from citytwin_edge.console.looking import Chosen, Looking
from citytwin_edge.console.operations import Operations
from citytwin_edge.console.protocol import ConsoleError
from citytwin_edge.console.server import Server
from tests.edge.console.console_scenes import tcp
from tests.waiting import until


class Asked(Operations):
    """Operations that count, wait and fail."""

    def __init__(self):
        self.ended = 0

    def start(self, name, about, by):
        if name == "fly":
            raise ConsoleError("cannot")
        return {"count": self._count, "wait": self._wait, "fail": self._fail}[name](about, by)

    async def _count(self, about, by):
        for number in range(about["to"]):
            yield {"number": number, "by": by}

    async def _wait(self, _about, _by):
        try:
            yield "waiting"
            await asyncio.Event().wait()
        finally:
            self.ended += 1

    async def _fail(self, _about, _by):
        yield 1
        raise ConsoleError("no longer")


@contextlib.asynccontextmanager
async def serving(folder):
    asked = Asked()
    async with Server(asked, folder).serving():
        yield asked


async def connected(folder):
    return await asyncio.open_unix_connection(sock=sockets.connected(folder))


async def said(folder, request, lines=100):
    reader, writer = await connected(folder)
    writer.write(request)
    found = []
    async with asyncio.timeout(10):
        while len(found) < lines and (line := await reader.readline()):
            found.append(json.loads(line))
    writer.close()
    return found


async def test_a_question_and_its_answers(tmp_path):
    async with serving(tmp_path):
        greeting, *answers = await said(tmp_path, b'{"do": "count", "about": {"to": 2}}\n')
        assert greeting["console"] == 1
        by = sockets.Peer(0, os.geteuid()).name
        assert answers == [
            {"item": {"number": 0, "by": by}}, {"item": {"number": 1, "by": by}}, {"done": True},
        ]  # fmt: skip
    assert not (tmp_path / sockets.NAME).exists()


async def test_errors_are_sentences(tmp_path):
    async with serving(tmp_path):
        assert (await said(tmp_path, b'{"do": "fly"}\n'))[1:] == [{"error": "cannot"}]
        assert (await said(tmp_path, b'{"do": "fail"}\n'))[1:] == [
            {"item": 1}, {"error": "no longer"},
        ]  # fmt: skip
        (_, error) = await said(tmp_path, b"GET / HTTP/1.1\n")
        assert "cannot be understood" in error["error"]
        (_, error) = await said(tmp_path, b"x" * (module.protocol.REQUEST_BYTES_MAX + 1))
        assert "over 65536 bytes" in error["error"]


async def test_whoever_hangs_up_leaves_nothing_running(tmp_path):
    async with serving(tmp_path) as asked:
        await said(tmp_path, b'{"do": "wait"}\n', lines=2)
        await until(lambda: asked.ended == 1, "the operation to end")
        reader, writer = await connected(tmp_path)
        await reader.readline()
        writer.close()  # without a question
        await said(tmp_path, b'{"do": "wait"}\n', lines=2)
        await until(lambda: asked.ended == 2, "the operation to end")


async def test_an_agent_that_ends_lets_go_of_everybody(tmp_path):
    async with serving(tmp_path) as asked:
        reader, writer = await connected(tmp_path)
        writer.write(b'{"do": "wait"}\n')
        for _ in range(2):
            await reader.readline()
    assert asked.ended == 1
    assert await reader.read() == b""
    writer.close()


async def test_more_than_may_are_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CLIENTS_MAX", 2)
    async with serving(tmp_path):
        others = [await connected(tmp_path) for _ in range(2)]
        for reader, writer in others:
            writer.write(b'{"do": "wait"}\n')
            for _ in range(2):
                await reader.readline()
        (error,) = await said(tmp_path, b"")
        assert "2 others ask already" in error["error"]
        others[0][1].close()

        async def free():
            return "console" in (await said(tmp_path, b'{"do": "fly"}\n'))[0]

        async with asyncio.timeout(10):
            while not await free():
                pass
        others[1][1].close()


async def test_whoever_says_nothing_is_hung_up_on(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_S_MAX", 0.05)
    async with serving(tmp_path):
        assert len(await said(tmp_path, b"")) == 1


async def test_another_user_is_refused_and_it_is_logged(tmp_path, monkeypatch):
    monkeypatch.setattr(sockets, "peer_of", lambda _end: sockets.Peer(77, 4_000_000))
    with capture_logs() as logs:
        async with serving(tmp_path):
            (error,) = await said(tmp_path, b'{"do": "count", "about": {"to": 2}}\n')
    assert error == {"error": "user 4000000 may not ask this agent; use sudo"}
    assert [(one["event"], one["pid"]) for one in logs] == [("console.refused", 77)]


async def test_without_a_socket_the_agent_goes_on(tmp_path):
    with capture_logs() as logs:
        async with Server(Asked(), tmp_path / "none").serving():
            pass
    assert logs[0]["event"] == "console.unavailable"


class Watched(Operations):
    """Operations of a field of which nothing is read but what the test says."""

    def __init__(self, field):
        self.looking = Looking(field)

    def start(self, name, about, by):
        return self.looking.watch(Chosen())


async def test_who_takes_nothing_is_told_what_he_has_missed(tmp_path, monkeypatch):
    monkeypatch.setattr(looking, "BATCHES_MAX", 10)
    path = tmp_path / "edge.toml"
    path.write_text('[gateway]\nname = "g"\n' + tcp("meter", 1))
    config = load(path)
    field = Alone(config, config.devices, SystemClock())
    async with Server(Watched(field), tmp_path).serving():
        readers = []
        for _ in range(2):
            reader, writer = await connected(tmp_path)
            writer.write(b'{"do": "watch"}\n')
            assert b"points" in (await reader.readline(), await reader.readline())[1]
            readers.append((reader, writer))
        (quick, _), (slow, _) = readers
        # More than the sockets of somebody who does not read hold, and ten more.
        count, text = 20_000, 0
        for number in range(count):
            field.latest.take(Batch.of([0, 1], number, [number, number]))
            text += len(await quick.readline())
        assert text > 1_000_000
        found, dropped, item = 0, 0, {}
        while found + dropped < count:
            item = json.loads(await slow.readline())["item"]
            dropped += item["dropped"]
            found += len(item["samples"]) // 2
        assert dropped > 100
        assert item["samples"][-1][1] == count - 1, "he sees the newest, not the oldest"
        for _, writer in readers:
            writer.close()
