"""The asking end: what it says when there is no agent, another version, or an end in the middle."""

import asyncio
import contextlib
import fcntl

import pytest

from citytwin_edge.console import client, sockets
from citytwin_edge.console.client import NoAgent
from citytwin_edge.console.protocol import ConsoleError

HELLO = b'{"console": 1, "software": "citytwin-edge 0.1.0"}\n'


@contextlib.asynccontextmanager
async def agent(folder, *pieces):
    """Somebody who says such things to whoever connects, and hangs up."""

    async def serve(reader, writer):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        if pieces and pieces[0] == HELLO:
            with contextlib.suppress(ConnectionError):
                await reader.readline()
        writer.close()

    server = await asyncio.start_unix_server(serve, sock=sockets.listening(folder))
    try:
        yield
    finally:
        server.close()


async def test_answers_come_in_any_pieces(tmp_path):
    said = HELLO + b'{"item": 1}\n{"item": 2}\n{"done": true}\n'
    async with agent(tmp_path, said[:30], said[30:57], said[57:]):
        assert [item async for item in client.items(tmp_path, "count")] == [1, 2]
        assert await client.ask(tmp_path, "count") == 1


async def test_what_goes_wrong_is_a_sentence(tmp_path):
    async with agent(tmp_path, HELLO, b'{"error": "there is no device"}\n'):
        with pytest.raises(ConsoleError, match="there is no device"):
            await client.ask(tmp_path, "watch")
    async with agent(tmp_path, HELLO, b'{"item": 1}\n'):
        with pytest.raises(ConsoleError, match="the agent has ended"):
            [item async for item in client.items(tmp_path, "watch")]
    async with agent(tmp_path, b'{"console": 9, "software": "x"}\n'):
        with pytest.raises(ConsoleError, match="version 9"):
            await client.ask(tmp_path, "watch")
    async with agent(tmp_path, b'{"error": "nobody may not ask this agent; use sudo"}\n'):
        with pytest.raises(ConsoleError, match="use sudo"):
            await client.ask(tmp_path, "watch")


async def test_no_agent_is_told_apart_from_one_that_does_not_answer(tmp_path):
    with pytest.raises(NoAgent, match=r"no agent runs with .*; start it: sudo systemctl start"):
        await client.ask(tmp_path, "status")
    sockets.listening(tmp_path).close()  # left over
    with pytest.raises(NoAgent):
        await client.ask(tmp_path, "status")
    with (tmp_path / "agent.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConsoleError, match="does not answer") as told:
            await client.ask(tmp_path, "status")
        assert not isinstance(told.value, NoAgent)
    with pytest.raises(NoAgent):
        await client.ask(tmp_path, "status")


async def test_looking_for_the_lock_never_takes_it(tmp_path):
    (tmp_path / "agent.lock").touch()
    with (tmp_path / "agent.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert client.is_running(tmp_path)
    assert not client.is_running(tmp_path)
    assert not client.is_running(tmp_path / "none")


async def test_a_folder_of_another_user_wants_sudo(tmp_path, monkeypatch):
    def refuse(_state):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sockets, "connected", refuse)
    with pytest.raises(ConsoleError, match="type the command with sudo"):
        await client.ask(tmp_path, "status")
