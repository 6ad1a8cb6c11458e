"""Exports of a real hub: everything once, in bounded parts, and the whole file or none."""

import asyncio
import csv
import tracemalloc

import numpy as np
import pyarrow.parquet as pq
import pytest

from citytwin import Batch, Point
from citytwin.errors import CityTwinError
from citytwin_hub import exports
from citytwin_hub.access import Role
from citytwin_hub.apis import rest
from citytwin_hub.client import HubClient
from citytwin_hub.tables import moment_ms
from tests.hub.running import MORE_POINTS

HOUR_MS = 3_600_000


def export(running, path, form, rows, start_ms, end_ms):
    """Export as the command line does; it blocks, so on a thread."""
    names = {row: running.hub.registry.points[row].id for row in rows}
    client = HubClient(running.address, running.tokens[Role.VIEWER])
    try:
        parts = exports.samples(client, rows, start_ms, end_ms)
        return exports.write(path, form, parts, names)
    finally:
        client.close()


async def test_csv_and_parquet_say_the_same(running, tmp_path):
    text, *_ = running.hub.registry.rows(MORE_POINTS)
    (number,) = running.hub.registry.text_numbers(["авто, «жаз»"])
    at_ns = running.now_ns - 10**9
    running.take(Batch.of([text], at_ns, [float(number)]))
    running.take(Batch.of([running.rows[1]], at_ns, [np.nan], 0x81))
    rows, end_ms = [int(running.rows[0]), int(running.rows[1]), int(text)], running.now_ns // 10**6
    for form in ("csv", "parquet"):
        path = tmp_path / f"day.{form}"
        given = (path, form, rows, end_ms - 3 * HOUR_MS, end_ms)
        assert await asyncio.to_thread(export, running, *given) == 3599 + 2, "the end is not in it"
    with (tmp_path / "day.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    table = pq.read_table(tmp_path / "day.parquet").to_pylist()
    assert len(lines) == len(table) == 3601
    for line, row in zip(lines, table, strict=True):
        assert line["point"] == row["point"]
        assert moment_ms(line["time"]) == row["time"].timestamp() * 1000
        assert line["value"] == ("" if row["value"] is None else repr(row["value"]))
        assert (line["text"] or None, line["reason"]) == (row["text"], row["reason"])
        assert int(line["quality"]) == row["quality"]
    by_point = {line["point"]: line for line in lines}
    assert by_point["g-1/d/mode"]["text"] == "авто, «жаз»"
    assert by_point["g-1/d/mode"]["value"] == ""
    silent = by_point["g-1/d/pump"]
    assert (silent["value"], silent["quality"], silent["reason"]) == ("", "129", "silent")


@pytest.mark.slow
async def test_a_million_samples_in_bounded_parts(running, tmp_path, monkeypatch):
    """More than one answer holds, and more than would fit if it were held at once."""
    monkeypatch.setattr(rest, "SAMPLES_MAX", 50_000)
    rows = running.hub.registry.rows([Point(id=f"g-1/many/p{n}") for n in range(250)])
    end_ns = running.now_ns
    for start in range(0, 4000, 400):
        times = end_ns - 4000 * 10**9 + np.arange(start, start + 400) * 10**9
        running.take(Batch.of(np.repeat(rows, 400), np.tile(times, 250), np.arange(100_000) / 10.0))
    path, most = tmp_path / "all.csv", 0

    def measured(client, *given):
        nonlocal most
        for part in exports.samples(client, *given):
            most = max(most, sum(len(one["time_ms"]) for one in part))
            yield part

    client = HubClient(running.address, running.tokens[Role.VIEWER])
    listed, end_ms = [int(row) for row in rows], end_ns // 10**6
    names = {row: str(row) for row in listed}
    parts = measured(client, listed, end_ms - 2 * HOUR_MS, end_ms)
    assert await asyncio.to_thread(exports.write, path, "csv", parts, names) == 1_000_000
    client.close()
    assert 10_000 < most <= 50_000
    seen = set()
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            seen.add((line["point"], line["time"]))
    assert len(seen) == 1_000_000, "each once"


def test_memory_does_not_grow_with_the_length(tmp_path):
    def parts(count):
        for number in range(count):
            times = list(range(number * 1000, number * 1000 + 1000))
            yield [{"row": 1, "time_ms": times, "value": [1.5] * 1000, "quality": [0] * 1000}]

    def peak(form, count):
        tracemalloc.start()
        exports.write(tmp_path / "x", form, parts(count), {1: "g/d/p"})
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    for form in ("csv", "parquet"):
        peak(form, 2)
        assert peak(form, 40) < 2 * peak(form, 5) + 100_000


async def test_what_fails_leaves_no_part_of_a_file(running, tmp_path):
    path, end_ms = tmp_path / "day.csv", running.now_ns // 10**6
    path.write_text("of yesterday")
    with pytest.raises(CityTwinError, match="no point with row 999"):
        await asyncio.to_thread(_fail, running, path, end_ms)
    assert path.read_text() == "of yesterday"
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["day.csv"]
    with pytest.raises(CityTwinError, match="cannot be written: No such file"):
        exports.write(tmp_path / "none" / "x.csv", "csv", iter([]), {})


def _fail(running, path, end_ms):
    client = HubClient(running.address, running.tokens[Role.VIEWER])
    try:
        exports.write(path, "csv", exports.samples(client, [999], 0, end_ms), {999: "x"})
    finally:
        client.close()
