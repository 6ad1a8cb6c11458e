"""The other end of the console: asks the agent that runs with a state folder."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from citytwin_edge.console import protocol, sockets
from citytwin_edge.console.protocol import Answer, ConsoleError, Lines

CHUNK_BYTES: Final = 256 * 1024
ANSWER_S_MAX: Final = 600.0
"""A probe of many devices on slow lines takes minutes."""


class NoAgent(ConsoleError):
    """No agent runs with that state folder."""

    exit_code = 3


async def items(state: Path, do: str, **about: Any) -> AsyncGenerator[Any, None]:
    """Ask the running agent for something and yield what it answers.

    Args:
        state: its state folder.
        do: the operation; docs/specs/console.md lists them.
        about: what the operation must know.

    Raises:
        NoAgent: none runs.
        ConsoleError: it cannot be reached by this user, refuses, or ends; the text says why.
    """
    reader, writer = await _opened(state)
    lines = Lines(protocol.ITEM_BYTES_MAX)
    is_greeted = False
    try:
        while data := await reader.read(CHUNK_BYTES):
            for line in lines.feed(data):
                if not is_greeted and b'"error"' not in line[:8]:
                    protocol.greeting(line)
                    is_greeted = True
                    writer.write(protocol.encoded(protocol.Request(do, about)))
                    continue
                answer: Answer = protocol.answer(line)
                if answer.error:
                    raise ConsoleError(answer.error)
                if answer.done:
                    return
                yield answer.item
        raise ConsoleError("the agent has ended")
    except ConnectionError:
        raise ConsoleError("the agent has ended") from None
    finally:
        writer.transport.abort()


async def ask(state: Path, do: str, **about: Any) -> Any:
    """Ask for something that has one answer; return it. See :func:`items`."""
    try:
        async with (
            asyncio.timeout(ANSWER_S_MAX),
            aclosing(items(state, do, **about)) as answers,
        ):
            return await anext(answers)
    except TimeoutError:
        raise ConsoleError(f"the agent gave no answer within {ANSWER_S_MAX:g} s") from None


async def _opened(state: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        end = sockets.connected(state)
    except PermissionError:
        raise ConsoleError(
            f"{state} belongs to the agent's user; type the command with sudo"
        ) from None
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        if is_running(state):
            raise ConsoleError(
                f"an agent runs with {state}, but does not answer: it is starting, ending, or of "
                "an older version"
            ) from None
        raise NoAgent(
            f"no agent runs with {state}; start it: sudo systemctl start citytwin-edge (without a "
            "service: citytwin-edge run)"
        ) from None
    except OSError as error:
        if error.errno == errno.EAGAIN:
            raise ConsoleError("too many others ask the agent; try again") from None
        raise ConsoleError(f"the agent cannot be reached: {error.strerror or error}") from None
    return await asyncio.open_unix_connection(sock=end)


def is_running(state: Path) -> bool:
    """Tell whether an agent holds the folder.

    The kernel is asked: to try the lock would keep an agent from starting at that moment.
    """
    try:
        file = (state / "agent.lock").stat().st_ino
        locks = Path("/proc/locks").read_text()
    except OSError:
        return False
    return any("FLOCK" in line and f":{file} " in line for line in locks.splitlines())
