"""The gauge passes what the gateway's own adapters must pass."""

import asyncio

from citytwin import Binding, Point, Site
from citytwin.clock import SystemClock
from citytwin.testing import check_adapter
from example_gauge import GAUGE, GaugeDevice, GaugePoint


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as the gauge does."""
    while await reader.readline():
        writer.write(b"level=2.431;temp=18.5\n")
    writer.close()


async def check() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    device = GaugeDevice(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    bindings = [
        Binding(Point(id="pump-house-7/tank/level", unit="m"), GaugePoint(tag="level")),
        Binding(Point(id="pump-house-7/tank/temp", unit="Cel"), GaugePoint(tag="temp")),
    ]
    site = Site(SystemClock(), intern=lambda _text: 0)
    report = await check_adapter(lambda: GAUGE.build(device, bindings, site), bindings)
    assert report.batch.value.tolist() == [2.431, 18.5]
    server.close()


def test_the_gauge() -> None:
    asyncio.run(check())
