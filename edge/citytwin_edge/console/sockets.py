"""Sockets: how a command reaches the agent of its machine: a socket in the state folder.

Only root and the agent's own user get an answer: the folder and the socket say so, and the kernel
tells who is at the other end (SO_PEERCRED, unix(7)).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

NAME: Final = "console.sock"
WAITING_MAX: Final = 8
_CREDENTIALS: Final = struct.Struct("3i")


class Peer(NamedTuple):
    """Who is at the other end of a socket: process, user, and whether he may ask."""

    pid: int
    uid: int

    @property
    def name(self) -> str:
        """The user's name, or his number where he has none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"user {self.uid}"

    @property
    def is_trusted(self) -> bool:
        """Whether it is root or the user of this process."""
        return self.uid in {0, os.geteuid()}


@contextlib.contextmanager
def _short(state: Path) -> Iterator[str]:
    """Give the socket a path that fits: the address of a socket has at most 107 bytes."""
    folder = os.open(state, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)


def listening(state: Path) -> socket.socket:
    """Return a socket that listens in a state folder, which this process has locked.

    What lies there of an agent that was killed is taken away.

    Raises:
        OSError: it cannot be made.
    """
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        (state / NAME).unlink(missing_ok=True)
        with _short(state) as path:
            end.bind(path)
        # Before it listens, so that nobody comes in meanwhile.
        (state / NAME).chmod(0o600)
        end.listen(WAITING_MAX)
    except OSError:
        end.close()
        raise
    return end


def connected(state: Path) -> socket.socket:
    """Return a socket that is connected to the agent of a state folder.

    Raises:
        FileNotFoundError, ConnectionRefusedError: no agent runs there.
        PermissionError: one may, but not for this user.
        OSError: it cannot be reached.
    """
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(state) as path:
            end.connect(path)
        end.setblocking(False)
    except OSError:
        end.close()
        raise
    return end


def peer_of(end: socket.socket) -> Peer:
    """Return who is at the other end."""
    data = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _gid = _CREDENTIALS.unpack(data)
    return Peer(pid, uid)
