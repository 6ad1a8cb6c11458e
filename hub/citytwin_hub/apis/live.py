"""Live: what changed, in batches, to every browser; a slow one gets fewer, never more."""

from __future__ import annotations

import asyncio
import json
import struct
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from fastapi import APIRouter, WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect, WebSocketState

from citytwin.errors import StoreError
from citytwin_hub.access import AccessError
from citytwin_hub.apis.city import City
from citytwin_hub.apis.rest import alarms_for, commands_for, noted
from citytwin_hub.policy.grants import Act
from citytwin_hub.twin import Latest

router = APIRouter(prefix="/api/v1")

FRAME_S: Final = 0.1
LISTS_S: Final = 0.5
TOKEN_S_MAX: Final = 5.0
RECHECK_S: Final = 5.0
"""A browser whose user was removed is cut off within this time."""
SEND_S_MAX: Final = 10.0
CLIENTS_MAX: Final = 500
COMMANDS_MAX: Final = 200
ROWS_PER_FRAME: Final = 50_000
_HEADER: Final = struct.Struct("<B3xI")


class Clients:
    """The browsers that are connected; told of commands as they change."""

    def __init__(self) -> None:
        """Begin with none."""
        self._queues: list[deque[dict[str, Any]]] = []
        self._lists: tuple[str, str] = ("", "")
        self._listed_ns = -(10**18)

    def lists(self, city: City) -> tuple[str, str]:
        """Return alarms and gateways as frames, made once for all browsers of the moment."""
        now_ns = city.clock.monotonic_ns()
        if now_ns - self._listed_ns >= LISTS_S * 0.9e9:
            self._listed_ns = now_ns
            self._lists = (
                json.dumps({"type": "alarms", "alarms": city.alarms.described()}),
                json.dumps({"type": "gateways", "gateways": city.gateways()}),
            )
        return self._lists

    def __len__(self) -> int:
        return len(self._queues)

    def command(self, shown: dict[str, Any]) -> None:
        """Tell everybody; a browser that does not keep up loses the oldest."""
        for queue in self._queues:
            queue.append(shown)

    def join(self) -> deque[dict[str, Any]]:
        """Return a new browser's own bounded queue."""
        queue: deque[dict[str, Any]] = deque(maxlen=COMMANDS_MAX)
        self._queues.append(queue)
        return queue

    def leave(self, queue: deque[dict[str, Any]]) -> None:
        """Forget a browser."""
        # deques compare by content, so the one that is meant is found by identity.
        self._queues = [one for one in self._queues if one is not queue]


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """Stream to one browser until it leaves; its first message must be {"token": "…"}."""
    city: City = socket.app.state.city
    clients: Clients = socket.app.state.clients
    await socket.accept()
    try:
        if len(clients) >= CLIENTS_MAX:
            await socket.close(1013, f"{CLIENTS_MAX} browsers are connected")
        else:
            token = await _token(socket)
            look = Look(city, socket, token)
            every = look.rows if look.rows is not None else city.registry.points
            await run_in_threadpool(noted, city, look.permit, "live", list(every))
            await _stream(socket, clients, look)
    except AccessError:
        await socket.close(1008, "a valid token is needed")
    except StoreError:
        await socket.close(1013, "the hub cannot read its users now; try again")
    except TimeoutError:
        # Not 1008: that tells a browser that its token has ended, and a slow line has not ended it.
        if socket.application_state == WebSocketState.CONNECTED:
            await socket.close(1013, "the browser or its line is too slow; connect again")
    except WebSocketDisconnect:
        pass


async def _token(socket: WebSocket) -> str:
    """Return what the first message gives as token; empty when it gives none."""
    async with asyncio.timeout(TOKEN_S_MAX):
        message = await socket.receive()
    try:
        asked = json.loads(message.get("text") or "")
    except ValueError:
        return ""
    token = asked.get("token") if isinstance(asked, dict) else None
    return token if isinstance(token, str) else ""


class Look:
    """What one browser may see, looked up anew now and then."""

    def __init__(self, city: City, socket: WebSocket, token: str) -> None:
        """Take whose it is; raises AccessError as ``Door.who``."""
        self.city, self._socket, self._token = city, socket, token
        self.version, self.rows = 0, None
        self._moment_ns = 0
        self.renew()

    rows: frozenset[int] | None
    """The rows that may be seen; None: all."""

    def renew(self) -> None:
        """Look up what may be seen now.

        Raises:
            AccessError: the token has ended, or its user may look no more.
        """
        permit = self.city.door.who(self._socket, self._token)
        permit.require(Act.READ)
        rows = self.city.seen.rows(permit.rights)
        if rows is not self.rows:
            self.version = 0  # what he may see now and could not before comes with the next frame
        self.permit, self.rows = permit, rows

    def changes(self) -> Iterator[Latest]:
        """Yield what changed since the last time; what changed twice once, with its newest."""
        city, rights = self.city, self.permit.rights
        if rights.is_coarse:
            moment = city.late.of(rights).moment_ns()
            if moment != self._moment_ns:
                self._moment_ns = moment
                yield city.latest(rights, None)
            return
        rows, now = city.twin.changed_since(self.version)
        if not self.version and city.registry.gone:
            rows = rows[~np.isin(rows, list(city.registry.gone))]
        if self.rows is not None:
            rows = rows[np.isin(rows, np.fromiter(self.rows, np.int32, len(self.rows)))]
        for start in range(0, len(rows), ROWS_PER_FRAME):
            yield city.twin.read(rows[start : start + ROWS_PER_FRAME])
        self.version = now

    def lists(self, clients: Clients) -> tuple[str, str]:
        """Return alarms and gateways as frames."""
        permit, city = self.permit, self.city
        if permit.is_whole(Act.READ):
            return clients.lists(city)
        gateways = city.seen.gateways(permit.rights)
        shown = [one for one in city.gateways() if one["name"] in gateways]
        return (
            json.dumps({"type": "alarms", "alarms": alarms_for(city, permit)}),
            json.dumps({"type": "gateways", "gateways": shown}),
        )


async def _stream(socket: WebSocket, clients: Clients, look: Look) -> None:
    queue, city = clients.join(), look.city
    leaving = asyncio.ensure_future(_until_gone(socket))
    try:
        await _send(socket, {"type": "hello", "now_ms": city.clock.now_ns() // 1_000_000})
        told = ("", "")
        ticks = 0
        while not leaving.done():
            for latest in look.changes():
                async with asyncio.timeout(SEND_S_MAX):
                    await socket.send_bytes(frame(latest))
            while queue:
                for shown in commands_for(city, look.permit, [queue.popleft()]):
                    await _send(socket, {"type": "command", "command": shown})
            if ticks % round(LISTS_S / FRAME_S) == 0:
                told = await _send_lists(socket, look.lists(clients), told)
            ticks += 1
            if ticks % round(RECHECK_S / FRAME_S) == 0:
                look.renew()
            await asyncio.wait({leaving}, timeout=FRAME_S)
    finally:
        clients.leave(queue)
        leaving.cancel()


async def _until_gone(socket: WebSocket) -> None:
    """Read and ignore whatever a browser sends; returns when it is gone."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _send_lists(
    socket: WebSocket, texts: tuple[str, str], told: tuple[str, str]
) -> tuple[str, str]:
    for text, before in zip(texts, told, strict=True):
        if text != before:
            async with asyncio.timeout(SEND_S_MAX):
                await socket.send_text(text)
    return texts


async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
    async with asyncio.timeout(SEND_S_MAX):
        await socket.send_text(json.dumps(message))


def frame(latest: Latest) -> bytes:
    """Return the binary frame of latest samples (docs/architecture.md has its layout)."""
    return b"".join(
        (
            _HEADER.pack(1, len(latest.row)),
            latest.row.astype("<i4").tobytes(),
            (latest.time_ns / 1e6).astype("<f8").tobytes(),
            np.asarray(latest.value, "<f8").tobytes(),
            latest.quality.tobytes(),
        )
    )
