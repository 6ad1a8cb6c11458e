"""City: what the APIs show of points, values and gateways; the base map and what is none."""

import json

import numpy as np
import pytest

from citytwin import Batch, Place, Span
from citytwin.errors import ConfigError
from citytwin_hub.apis import city as module
from citytwin_hub.apis.city import EMPTY_MAP, place, read_map, reason, span
from tests.hub.running import MORE_POINTS, POINTS
from tests.hub.test_metrics import enrol


@pytest.fixture
async def city(running):
    return running.hub.app.state.city


async def test_a_point_is_shown_whole(running, city):
    row = int(running.rows[0])
    assert city.point(row, POINTS[0]) == {
        "row": row,
        "id": "g-1/d/level",
        "gateway": "g-1",
        "device": "d",
        "name": "level",
        "unit": "m",
        "symbol": {"kk": "м", "ru": "м", "en": "m"},
        "kind": "analog",
        "source": "measured",
        "label": {"kk": "Деңгей", "ru": "Уровень", "en": "Level"},
        "device_label": {"kk": "", "ru": "", "en": ""},
        "place": [76.9, 43.2, None],
        "valid": None,
        "normal": [1.0, 5.0],
        "step": 0.0,
        "writable": None,
        "feeds": "",
        "attribute": "",
        "gone": False,
    }


async def test_a_bad_value_is_null_and_a_text_is_its_text(running, city):
    text, *_ = running.hub.registry.rows(MORE_POINTS)
    (number,) = running.hub.registry.text_numbers(["қолмен"])
    at_ns = running.now_ns + 10**9
    running.take(Batch.of([running.rows[0], text], at_ns, [np.nan, number], [0x81, 0x41]))
    bad, said = city.values(running.hub.twin.read([int(running.rows[0]), int(text)]))
    assert (bad["value"], bad["severity"], bad["reason"]) == (None, 2, "silent")
    assert "text" not in bad
    assert (said["text"], said["severity"], said["reason"]) == ("қолмен", 1, "clock")
    assert said["time_ms"] == at_ns // 10**6


async def test_gateways_tell_what_is_known_and_nothing_else(running, city):
    hub = running.hub
    enrol(hub.registry, "g-1", running.now_ns)
    enrol(hub.registry, "g-2", running.now_ns)
    _, entries, offset, _ = hub.registry.rows(MORE_POINTS)
    one, two = city.gateways()
    assert (one["name"], one["points"], one["connected"]) == ("g-1", 6, False)
    assert one["outbox_entries"] is None, "not heard yet is not 0"
    assert (two["points"], two["last_seen_ms"], two["refused_ms"]) == (0, None, None)
    hub.registry.refused("g-1", 2, "entry 9: text number 3 was not announced", running.now_ns)
    running.take(Batch.of([entries, offset], running.now_ns, [7.0, -2.5]))
    one, _ = city.gateways()
    assert (one["outbox_entries"], one["clock_offset_ms"]) == (7.0, -2.5)
    assert (one["refused"], one["refused_ms"]) == (2, running.now_ns // 10**6)
    assert one["refused_reason"] == "entry 9: text number 3 was not announced"
    running.take(Batch.of([entries], running.now_ns + 1, [np.nan], [0x81]))
    assert city.gateways()[0]["outbox_entries"] is None


async def test_points_are_counted_anew_when_there_are_more(running, city):
    enrol(running.hub.registry, "g-1", running.now_ns)
    assert [city.gateways()[0]["points"] for _ in range(2)] == [2, 2]
    running.hub.registry.rows(MORE_POINTS)
    assert city.gateways()[0]["points"] == 6


def test_ends_without_limit_are_null():
    assert span(Span(float("-inf"), 5.0)) == [None, 5.0]
    assert span(None) is None
    assert place(Place(76.9, 43.2, 700.0)) == [76.9, 43.2, 700.0]
    assert place(None) is None
    assert reason(0x81) == "silent"
    assert reason(0xFF) == "unknown"


def test_the_base_map(tmp_path, monkeypatch):
    assert read_map("") is EMPTY_MAP
    path = tmp_path / "map.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [1]}))
    assert read_map(str(path))["features"] == [1]
    for text, words in (
        ("junk", "is not GeoJSON"),
        ("[]", "is not a GeoJSON FeatureCollection"),
        ('{"type": "Feature"}', "is not a GeoJSON FeatureCollection"),
        ('{"type": "FeatureCollection", "features": [NaN]}', "NaN is not JSON"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=words) as caught:
            read_map(str(path))
        assert str(path) in str(caught.value)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not GeoJSON"):
        read_map(str(path))
    with pytest.raises(ConfigError, match=r"none\.geojson: is not GeoJSON: .*No such file"):
        read_map(str(tmp_path / "none.geojson"))
    monkeypatch.setattr(module, "MAP_BYTES_MAX", 1)
    with pytest.raises(ConfigError, match="at most 1 bytes"):
        read_map(str(path))
