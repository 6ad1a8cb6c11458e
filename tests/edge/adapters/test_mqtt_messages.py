"""Messages to samples without a broker: several records, conditions, repeats, what is left out."""

import json
import math

import msgspec
import pytest

from citytwin import Quality
from citytwin.adapter import Decodes, Exchange
from citytwin_edge.adapters.mqtt import MQTT
from citytwin_edge.adapters.mqtt_listener import Arrival
from citytwin_edge.adapters.mqtt_messages import SEEN_MAX
from citytwin_edge.adapters.mqtt_settings import MqttDevice, MqttPoint
from tests.edge.mqtt_devices import bound, device, new_site

NOON = 1_767_268_800 * 10**9


def rows(adapter, said, topic="t", **how):
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    arrival = Arrival(topic, data, NOON, is_late=False)
    found = adapter._reader.rows(adapter._points(topic), arrival, **how)
    return [(point, value, Quality(code)) for point, _, value, code, _ in found]


def test_a_message_leaves_a_point_out_or_is_malformed():
    point = {"a": {"topic": "t", "path": "$.a"}, "b": {"topic": "t", "path": "$.b"}}
    whole = device(new_site(), 1, "d", point)
    assert [code for _, _, code in rows(whole, {"a": 1})] == [Quality.GOOD, Quality.BAD_MALFORMED]
    partial, absent = device(new_site(), 1, "d", point, partial=True), {}
    assert rows(partial, {"a": 1}, absent=absent) == [(0, 1.0, Quality.GOOD)]
    assert absent == {1: "the payload has nothing at $['b']"}
    assert [code for _, _, code in rows(partial, b"{")] == [Quality.BAD_MALFORMED] * 2


def test_records_count_like_messages():
    point = {"a": {"topic": "t", "path": "$.a"}}
    adapter = device(new_site(), 1, "d", point, records="$.list")
    said = {"list": [{"a": 1}, {"b": 2}, {"a": 3}]}
    found = rows(adapter, said)
    assert [code for _, _, code in found] == [Quality.GOOD, Quality.BAD_MALFORMED, Quality.GOOD]
    assert [value for _, value, code in found if not code] == [1.0, 3.0]
    for nothing in ({"other": 1}, {"list": []}, b"{", b'"text"', {"list": [0] * 1001}):
        assert rows(adapter, nothing) == []
    assert [code for _, _, code in rows(adapter, {"list": {"a": 5}})] == [Quality.GOOD]


def test_conditions():
    points = {
        "one": {"topic": "t", "path": "$.v", "where": {"$.kind": 1}},
        "more": {"topic": "t", "path": "$.v", "where": {"$.kind": ["x", "y"], "$.ok": True}},
    }
    adapter = device(new_site(), 1, "d", points)
    assert [point for point, _, _ in rows(adapter, {"kind": 1, "v": 5})] == [0]
    assert [point for point, _, _ in rows(adapter, {"kind": "y", "ok": True, "v": 5})] == [1]
    assert rows(adapter, {"kind": "y", "ok": False, "v": 5}) == []
    assert rows(adapter, {"v": 5}) == []
    assert [code for _, _, code in rows(adapter, b"[")] == [Quality.BAD_MALFORMED] * 2


def test_what_comes_again_counts_once():
    point = {"v": {"topic": "t", "path": "$.v"}}
    adapter = device(new_site(), 1, "d", point, once=["$.n", "$.v"])
    assert len(rows(adapter, {"n": 1, "v": 5})) == 1
    assert rows(adapter, {"n": 1, "v": 5}) == []
    assert len(rows(adapter, {"n": 1, "v": 6})) == 1
    for number in range(SEEN_MAX):
        rows(adapter, {"n": number + 2, "v": 5})
    assert len(rows(adapter, {"n": 1, "v": 5})) == 1, "what is remembered is bounded"
    adapter._reader.begin()
    assert len(rows(adapter, {"n": 1, "v": 5})) == 1
    assert [code for _, _, code in rows(adapter, b"{")] == [Quality.BAD_MALFORMED]


def test_several_topics_of_a_point_and_one_of_the_device():
    points = {"a": {"topic": ["t", "u"]}, "b": {}}
    adapter = device(new_site(), 1, "d", points, topic="u")
    assert rows(adapter, 1, "t") == [(0, 1.0, Quality.GOOD)]
    assert rows(adapter, 2, "u") == [(0, 2.0, Quality.GOOD), (1, 2.0, Quality.GOOD)]


@pytest.mark.parametrize(
    ("said", "is_offline"),
    [('{"state": "offline"}', True), ("offline", True), ('{"state": "online"}', False),
     ("online", False), ("", False), ("{", False), ('{"state": null}', False)],
)  # fmt: skip
def test_who_says_that_it_is_gone(said, is_offline):
    own = {"online_topic": "s", "online_path": "$.state"}
    adapter = device(new_site(), 1, "d", {"a": {"topic": "t"}}, **own)
    assert adapter._reader.says_offline(said.encode()) is is_offline


def test_a_time_that_may_be_missing():
    point = {"a": {"topic": "t", "path": "$.a", "time": {"path": "$.t", "optional": True}}}
    adapter = device(new_site(), 1, "d", point)
    times = []
    for said in ({"a": 1}, {"a": 1, "t": None}, {"a": 1, "t": 1_767_268_801}):
        arrival = Arrival("t", json.dumps(said).encode(), NOON, is_late=False)
        times += [time_ns for _, time_ns, _, _, _ in adapter._reader.rows([0], arrival)]
    assert times == [NOON, NOON, NOON + 10**9]
    (row,) = rows(adapter, {"a": 1, "t": "soon"})
    assert row[2] == Quality.BAD_MALFORMED


def test_messages_are_decoded_without_a_broker():
    settings = msgspec.convert({"host": "b", "topic": "d/{device}"}, MqttDevice)
    points = {"a": {"path": "$.a"}, "m": {"path": "$.m", "kind": "text"}, "x": {"topic": "x"}}
    said = [("d/d", b'{"a": 1, "m": "on"}'), ("other", b"5"), ("d/d", b'{"a": 2, "m": "off"}')]
    exchanges = [Exchange(topic.encode(), data) for topic, data in said]
    found = MQTT.decode(settings, bound("d", points, MqttPoint), exchanges, new_site())
    assert [(one.point, one.value, one.note) for one in found] == [(0, 2.0, ""), (1, 2.0, "off")]
    assert isinstance(MQTT, Decodes)
    broken = MQTT.decode(settings, bound("d", points), [Exchange(b"d/d", b"{")], new_site())
    assert all(math.isnan(one.value) for one in broken)
