"""The console's protocol, sans I/O: lines of JSON over a socket that only this machine reaches.

The agent greets: ``{"console": 1, "software": "citytwin-edge 0.1.0"}``. Whoever asks sends one
request: ``{"do": "watch", "about": {"devices": ["meter-1"]}}``. The agent answers with any number
of ``{"item": …}`` and at last ``{"done": true}``, or ``{"error": "one sentence"}``. One
connection, one request: who has seen enough hangs up. docs/specs/console.md has the words.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from citytwin.errors import CityTwinError, WireError

VERSION: Final = 1
"""Changes when an old command and a new agent, or the reverse, would misunderstand each other."""
REQUEST_BYTES_MAX: Final = 64 * 1024
ITEM_BYTES_MAX: Final = 32 * 1024 * 1024
"""A hundred thousand points with their values are 20 MB."""


class ConsoleError(CityTwinError):
    """What was asked of a running agent cannot be had; the text says why and what to do."""


class Greeting(msgspec.Struct):
    """The agent's first line: version of this protocol, and what runs."""

    console: int
    software: str = ""


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be done, and about what."""

    do: str
    about: dict[str, Any] = {}


class Answer(msgspec.Struct, omit_defaults=True):
    """One line of an answer: an item, the end, or an error."""

    item: Any = None
    done: bool = False
    error: str = ""


class Lines:
    """Bytes in, whole lines out."""

    def __init__(self, size_bytes_max: int) -> None:
        """Take lines of at most so many bytes."""
        self._size_bytes_max = size_bytes_max
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are whole now, without their ends.

        Raises:
            WireError: one is too long.
        """
        self._rest += data
        if b"\n" not in data and len(self._rest) <= self._size_bytes_max:
            return []
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        if max(map(len, (*lines, rest))) > self._size_bytes_max:
            raise WireError(f"a line of the console has over {self._size_bytes_max} bytes")
        return lines


def encoded(message: msgspec.Struct) -> bytes:
    """Return a message as a line; numbers that are none become null."""
    return msgspec.json.encode(message) + b"\n"


def greeting(line: bytes) -> Greeting:
    """Return the greeting in a line.

    Raises:
        ConsoleError: it is none, or of an agent that speaks another version.
    """
    try:
        found = msgspec.json.decode(line, type=Greeting)
    except msgspec.MsgspecError:
        raise ConsoleError("what answers there is no agent's console") from None
    if found.console != VERSION:
        raise ConsoleError(
            f"the running agent ({found.software}) speaks version {found.console} of the console, "
            f"this command version {VERSION}; use the command of the same installation"
        )
    return found


def request(line: bytes) -> Request:
    """Return the request in a line.

    Raises:
        ConsoleError: it is none; the text says what is wrong.
    """
    try:
        return msgspec.json.decode(line, type=Request)
    except msgspec.MsgspecError as error:
        raise ConsoleError(f"the request cannot be understood: {error}") from None


def answer(line: bytes) -> Answer:
    """Return the line of an answer.

    Raises:
        ConsoleError: it is none.
    """
    try:
        return msgspec.json.decode(line, type=Answer)
    except msgspec.MsgspecError as error:
        raise ConsoleError(f"the agent's answer cannot be understood: {error}") from None
