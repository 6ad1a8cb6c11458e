"""The NGSI-LD application in this process, with entities of one tenant and a clock that stands."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from citytwin.testing import VirtualClock
from citytwin_hub.apis.door import Keeper
from citytwin_hub.apis.ngsild.app import build_ngsild
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.jsonld.contexts import Contexts
from tests.hub.doors import OpenDoor


@contextlib.asynccontextmanager
async def serving(folder: Path, door: Keeper | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Serve until the end of the block; yields a client below /ngsi-ld/v1/."""
    clock = VirtualClock(1_700_000_000 * 10**9)
    contexts = Contexts(folder / "contexts.db", clock)
    broker = Broker(folder / "entities", clock, contexts, door or OpenDoor())
    transport = httpx.ASGITransport(app=build_ngsild(broker))
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://hub.example/ngsi-ld/v1/"
        ) as client:
            yield client
    finally:
        broker.close()
        contexts.close()


def problem(answer: httpx.Response) -> str:
    """Return the name of an answer's error, after looking at its form (RFC 9457)."""
    assert answer.headers["content-type"] == "application/problem+json"
    details = answer.json()
    assert details["status"] == answer.status_code
    assert details["title"]
    assert details["detail"]
    return str(details["type"].rpartition("/")[2])
