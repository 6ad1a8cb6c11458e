"""Devices read by a command alone: real Modbus behind TCP, no store, no hub."""

import asyncio
from contextlib import aclosing

import pytest

from citytwin import SystemClock
from citytwin.errors import StoreFull
from citytwin_edge.config import load
from citytwin_edge.console import alone as module
from citytwin_edge.console.alone import Alone
from citytwin_edge.console.looking import Chosen, Looking
from tests.edge.console.console_scenes import FLOW, tcp
from tests.edge.modbus_devices import device, tcp_server

NAME = """
[[device.point]]
name = "name"
kind = "text"
table = "holding"
address = 1
type = "string"
length = 2
"""


async def test_values_and_bytes_come_while_it_runs(tmp_path):
    async with tcp_server(device(1, [(0, [123, 0x4142, 0x4300])])) as port:
        path = tmp_path / "edge.toml"
        path.write_text('[gateway]\nname = "g"\n' + tcp("d1", port, FLOW + NAME) + tcp("d2", 1))
        config = load(path)
        alone = Alone(config, config.devices[:1], SystemClock())
        assert [point.name for _, point in alone.points()] == ["flow", "name"]
        running = asyncio.ensure_future(alone.run())
        look = Looking(alone)
        async with asyncio.timeout(20):
            async with aclosing(look.watch(Chosen())) as items:
                await anext(items)
                samples = (await anext(items))["samples"]
            async with aclosing(look.frames(Chosen(devices=("d1",)))) as items:
                frames = [one async for item in _first(items, 4) for one in item["frames"]]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [(value, quality) for _, _, value, quality in samples] == [
        (12.3, "good"),
        ("ABC", "good"),
    ]
    assert {one["direction"] for one in frames} == {"tx", "rx"}


async def _first(items, count):
    for _ in range(count):
        yield await anext(items)


def test_texts_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TEXTS_MAX", 2)
    path = tmp_path / "edge.toml"
    path.write_text('[gateway]\nname = "g"\n' + tcp("d1", 1))
    alone = Alone(load(path), (), SystemClock())
    numbers = [alone.site.intern(text) for text in ("a", "b", "a")]
    assert [alone.text(number) for number in (*numbers, 7, -1)] == ["a", "b", "a", "", ""]
    with pytest.raises(StoreFull, match="2 different texts"):
        alone.site.intern("c")
