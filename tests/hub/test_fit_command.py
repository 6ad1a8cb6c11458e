"""`citytwin-hub fit`: a hub's own history becomes a gateway's kernel."""

import argparse
import asyncio
import datetime
import tomllib

import numpy as np
import pytest

from citytwin import Batch, Kind, Point, Source
from citytwin.errors import CityTwinError
from citytwin_hub.access import Role
from citytwin_hub.client import HubClient
from citytwin_hub.fit_command import add_to, answer
from tests.common.plants import NAMES, plant

DAYS = 20
FURTHER = [
    Point(id="g-1/tank/total", kind=Kind.COUNTER),
    Point(id="g-1/tank/level.plant-score", source=Source.DERIVED),
    Point(id="g-1/agent/cpu", source=Source.HEALTH),
]


def span(running):
    now = datetime.datetime.fromtimestamp(running.now_ns / 1e9, datetime.UTC)
    days = [now + datetime.timedelta(days=day) for day in (-DAYS - 5, 1)]
    return ("--start", days[0].isoformat(), "--end", days[1].isoformat())


def asked(*words):
    parser = argparse.ArgumentParser()
    add_to(parser)
    return parser.parse_args(["g-1", *words])


def fit(running, *words):
    client = HubClient(running.address, running.tokens[Role.VIEWER])
    try:
        return answer(asked(*words), client)
    finally:
        client.close()


def remember(running):
    """Give the hub hours of a plant, and points that are none of it."""
    points = [Point(id=f"g-1/{name}") for name in NAMES]
    rows = np.array(running.hub.registry.rows([*points, *FURTHER]))
    values = plant(DAYS)
    values = np.concatenate((values, np.ones((len(values), len(FURTHER)))), axis=1)
    hours, count = values.shape
    times = running.now_ns - np.arange(hours)[::-1] * 3600 * 10**9
    running.take(Batch.of(np.tile(rows, hours), np.repeat(times, count), values.ravel()))
    bad = np.full(count, 0x81, np.uint8)
    running.take(Batch.of(rows, running.now_ns - 1800 * 10**9, np.full(count, np.nan), bad))


async def test_a_history_becomes_a_kernel(running):
    remember(running)
    about, table = await asyncio.to_thread(fit, running, *span(running), "--without", "g-1/d/*")
    assert about["inputs"] == sorted(NAMES)
    assert (about["step_s"], about["still"]) == (3600, ["spare/status"])
    (kernel,) = tomllib.loads(table)["kernel"]
    assert kernel["model"] == about["model"]
    assert f"Fitted of g-1, {span(running)[1]} to " in table


async def test_mistakes_are_said(running, tmp_path):
    there = tmp_path / "there.toml"
    there.touch()
    start, end = span(running)[1::2]
    whole = span(running)
    for words, said in (
        (("--start", end, "--end", start), "is not after"),
        ((*whole, "--name", "a b"), "--name"),
        ((*whole, "--output", str(there)), "is there already"),
        ((*whole, "--without", "*"), "no good sample of any point"),
        (whole, "a model has 2 to 100 points, not 1"),
    ):
        with pytest.raises(CityTwinError, match=said):
            await asyncio.to_thread(fit, running, *words)
    with pytest.raises(CityTwinError, match="gateway 'none' has no points"):
        await asyncio.to_thread(other, running)


def other(running):
    options = asked(*span(running))
    options.gateway = "none"
    client = HubClient(running.address, running.tokens[Role.VIEWER])
    try:
        return answer(options, client)
    finally:
        client.close()
