"""Replay: a recording plays at its own pace or faster; a bad one is refused in words."""

import asyncio
import math

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Binding, Kind, Point, Quality, Site
from citytwin.clock import SystemClock
from citytwin.errors import ConfigError, DeviceSilent
from citytwin.testing import VirtualClock, check_adapter
from citytwin_edge.adapters.replay import REPLAY, ReplayDevice, ReplayPoint

SECOND = 10**9
GOOD = """\
point,time,value
flow,2026-01-01T00:00:00Z,1.5
level,2026-01-01T00:00:00Z,10

other,2026-01-01T00:00:01Z,99
flow,2026-01-01T05:00:02+05:00,2.5
level,2026-01-01T00:00:04,
flow,2026-01-01T00:00:06.500Z,3.5
"""


def built(folder, site, text=GOOD, names=("flow", "level"), **settings):
    path = folder / "recording.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    bindings = [Binding(Point(id=f"g/d/{name}"), ReplayPoint()) for name in names]
    return REPLAY.build(ReplayDevice(file=str(path), **settings), bindings, site), bindings


def played(tmp_path, seconds, text=GOOD, **settings):
    """Play for so long on a virtual clock; return (second, point, value) of each sample."""
    clock = VirtualClock()
    start_ns = clock.now_ns()
    heard = []

    async def listen(adapter):
        async for batch in adapter.listen():
            heard.append((clock.monotonic_ns(), batch))

    async def scene():
        adapter, _ = built(tmp_path, Site(clock, len), text, **settings)
        await adapter.open()
        task = asyncio.create_task(listen(adapter))
        await asyncio.sleep(seconds)
        await adapter.close()
        await asyncio.wait_for(task, 1)

    clock.run(scene())
    for when, batch in heard:
        late_ns = np.abs(batch.time_ns - start_ns - when)
        assert late_ns.max() < SECOND // 1000, "stamped as it is due"
    whole = Batch.concat([batch for _, batch in heard])
    seconds = ((whole.time_ns - start_ns) / SECOND).round(3).tolist()
    return list(zip(seconds, whole.point.tolist(), whole.value.tolist(), strict=True)), whole


def test_it_plays_at_the_pace_of_the_recording(tmp_path):
    rows, whole = played(tmp_path, 7)
    assert rows[:3] == [(0, 0, 1.5), (0, 1, 10.0), (2, 0, 2.5)]
    assert rows[3][:2] == (4, 1)
    assert math.isnan(rows[3][2])
    assert rows[4:] == [(6.5, 0, 3.5)]
    assert whole.quality.tolist() == [0, 0, 0, Quality.BAD_NOT_A_NUMBER, 0]


def test_it_plays_faster_and_again(tmp_path):
    rows, _ = played(tmp_path, 2, speed=10)
    flow = [(second, value) for second, point, value in rows if point == 0]
    # 6.5 s in three steps: a round takes 8.667 s, a tenth of that at ten times the speed.
    assert flow[:4] == [(0, 1.5), (0.2, 2.5), (0.65, 3.5), (0.867, 1.5)]
    assert len(flow) == 8


def test_seconds_and_rows_out_of_order(tmp_path):
    text = "time,value,point\n5,2,flow\n3.5,1,flow\n3.5,7,level\n"
    rows, _ = played(tmp_path, 1.6, text)
    assert rows == [(0, 0, 1.0), (0, 1, 7.0), (1.5, 0, 2.0)]


async def test_a_recording_that_is_not_repeated_ends(tmp_path):
    site = Site(SystemClock(), len)
    adapter, _ = built(tmp_path, site, "point,time,value\nflow,0,1\n", ("flow",), repeat=False)
    await adapter.open()
    stream = adapter.listen()
    assert len(await anext(stream)) == 1
    for again in (stream, adapter.listen(), adapter.listen()):
        with pytest.raises(DeviceSilent, match=r"recording\.csv has ended"):
            await anext(again)


async def test_it_keeps_what_adapters_promise(tmp_path):
    site = Site(SystemClock(), len)
    _, bindings = built(tmp_path, site)
    await check_adapter(lambda: built(tmp_path, site, speed=100)[0], bindings)


def test_a_point_may_have_another_name_there(tmp_path):
    path = tmp_path / "recording.csv"
    path.write_text(GOOD)
    binding = Binding(Point(id="g/d/a"), ReplayPoint(recorded="level"))
    REPLAY.build(ReplayDevice(file=str(path)), [binding], Site(VirtualClock(), len))
    text = Binding(Point(id="g/d/a", kind=Kind.TEXT), ReplayPoint(recorded="level"))
    with pytest.raises(ConfigError, match="numbers only"):
        REPLAY.build(ReplayDevice(file=str(path)), [text], Site(VirtualClock(), len))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: the first line must name the columns point, time, value"),
        ("point,value\n", ":1: the first line must name"),
        ("point,time,value\n", "has no rows of these points: flow, level"),
        ("point,time,value\nflow,1\n", ":2: has 2 columns, the first line 3"),
        ("point,time,value\nflow,1,x\n", ":2: time '1' or value 'x' is not one"),
        ("point,time,value\nflow,yesterday,1\n", ":2: time 'yesterday' or value '1'"),
        ("point,time,value\nflow,inf,1\n", ":2: time 'inf'"),
        ("point,time,value\nflow,1,1\n", "point g/d/level: is not in the recording"),
        (b"point,time,value\nflow,1,\xff\n", "is not a CSV file in UTF-8"),
        ('point,time,value\nflow,1,"1\n', "is not a CSV file"),
    ],
)
def test_a_bad_recording(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        built(tmp_path, Site(VirtualClock(), len), text)
    assert words in str(caught.value)


def test_a_recording_that_is_not_there():
    with pytest.raises(ConfigError, match=r"none\.csv: cannot be read: No such file"):
        REPLAY.build(ReplayDevice(file="none.csv"), [], Site(VirtualClock(), len))


def test_a_recording_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("citytwin_edge.adapters.replay.ROWS_MAX", 3)
    with pytest.raises(ConfigError, match="has over 3 rows"):
        built(tmp_path, Site(VirtualClock(), len))


@pytest.mark.parametrize(
    "settings", [{}, {"file": "x", "speed": 0}, {"file": "x", "speed": 1e9}, {"fil": "x"}]
)
def test_settings(settings):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, ReplayDevice)
