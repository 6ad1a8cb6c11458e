"""The OGC APIs in this process and on a port, over tanks, pipes and buildings of a small city."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import uvicorn

from citytwin import Batch, Kind, Label, Point, Quality, Span
from citytwin.testing import VirtualClock
from citytwin_hub.apis.door import Keeper
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.apis.ogc.app import build_ogc
from citytwin_hub.apis.things import Devices
from citytwin_hub.entities.model import Attribute, AttributeKind
from citytwin_hub.jsonld.contexts import Contexts
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin
from tests.hub.doors import OpenDoor
from tests.hub.entities.samples import entity, link, point, prop
from tests.waiting import until

BEGAN_NS = 1_700_000_000 * 10**9
BEGAN = "2023-11-14T22:13:20Z"
POINTS = [
    Point(
        id="g-1/meter/level",
        unit="m",
        label=Label("Деңгей", "Уровень", "Level"),
        device_label=Label("Есептегіш", "Счётчик", "Meter"),
        valid=Span(0, 10),
        attribute="waterLevel",
    ),
    Point(id="g-1/meter/flow", unit="m3/h"),
    Point(id="g-1/meter/mode", kind=Kind.TEXT),
    Point(id="g-1/valve/position", unit="%", writable=Span(0, 100), step=5),
]


def shape(kind, coordinates):
    """Return a GeoProperty."""
    value = {"type": kind, "coordinates": coordinates}
    return Attribute(kind=AttributeKind.GEO, value=value)


def words(**texts):
    """Return a LanguageProperty."""
    return Attribute(kind=AttributeKind.LANGUAGE, value=texts)


def square(lon, lat, size=0.001):
    """Return a polygon's coordinates."""
    far, top = lon + size, lat + size
    return [[[lon, lat], [far, lat], [far, top], [lon, top], [lon, lat]]]


def city():
    """Return its entities: 25 tanks, a pipe and two buildings, one of them without a place."""
    for number in range(25):
        level = prop(number / 2, unit_code="MTR", observed_ns=BEGAN_NS - number * 10**9)
        yield entity(
            number,
            "Tank",
            level=level,
            name=words(kk=f"Су қоймасы {number}", ru=f"Резервуар {number}", en=f"Tank {number}"),
            location=point(76.9 + number / 1000, 43.2),
            closed=prop(number % 2 == 0),
            **({"forecast": prop(1, dataset="urn:x:forecast")} if number == 3 else {}),
        )
    yield entity(
        1,
        "Pipe",
        location=shape("LineString", [[76.9, 43.2], [76.92, 43.2], [76.92, 43.22]]),
        connects=link("urn:ngsi-ld:Tank:1", "urn:ngsi-ld:Tank:20"),
        diameter=prop(300),
    )
    home = shape("Polygon", square(76.95, 43.25))
    yield entity(1, "Building", location=home, height=prop(12.5), address=prop({"street": "Абай"}))
    yield entity(2, "Building", height=prop(3), storeys=prop("one"))


def broker_of(folder: Path, door: Keeper | None) -> tuple[Broker, Contexts]:
    """Return a broker that has the city."""
    clock = VirtualClock(BEGAN_NS)
    contexts = Contexts(folder / "contexts.db", clock)
    broker = Broker(folder / "entities", clock, contexts, door or OpenDoor())
    with broker.tenant().entities.batch() as batch:
        for one in city():
            batch.create(one)
    return broker, contexts


def devices_of(folder: Path) -> Devices:
    """Return a meter that has been read, and a valve that has not."""
    registry, twin = Registry(folder / "registry.db"), Twin()
    rows = registry.rows(POINTS)
    [word] = registry.text_numbers(["auto"])
    values, qualities = [2.5, np.nan, word], [0, int(Quality.BAD_SILENT), 0]
    twin.apply(Batch.of(rows[:3], BEGAN_NS, values, qualities), BEGAN_NS)
    return Devices(registry, twin)


@contextlib.asynccontextmanager
async def serving(
    folder: Path, door: Keeper | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Broker]]:
    """Serve until the end of the block; yields a client below / and the broker."""
    broker, contexts = broker_of(folder, door)
    transport = httpx.ASGITransport(app=build_ogc(broker, devices_of(folder)))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as client:
            yield client, broker
    finally:
        broker.close()
        contexts.close()


@contextlib.asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[str]:
    """Serve on a free port until the end of the block; yields the address."""
    broker, contexts = broker_of(folder, None)
    config = uvicorn.Config(
        build_ogc(broker, devices_of(folder)), port=0, log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    task = asyncio.ensure_future(server._serve())  # without its signal handlers
    try:
        await until(lambda: server.started, "the server listens")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        broker.close()
        contexts.close()


async def ran(*command: str) -> str:
    """Run a program; return what it printed, after checking that it succeeded."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, out.decode()
    return out.decode()
