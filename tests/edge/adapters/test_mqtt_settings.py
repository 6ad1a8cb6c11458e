"""MQTT settings: what fits together is taken, what does not is refused in words that help."""

import msgspec
import pytest

from citytwin import Point
from citytwin.point import Kind
from citytwin_edge.adapters.mqtt_settings import MqttDevice, MqttPoint, MqttTime
from citytwin_edge.wire.payload import Payload


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (MqttDevice, {"host": "b", "session_s": 60}, "session_s needs client_id"),
        (
            MqttDevice,
            {"host": "b", "session_s": 60, "client_id": "g", "qos": 2},
            "session_s needs qos = 1",
        ),
        (MqttDevice, {"host": "b", "topic_name": "a/b"}, "one level"),
        (MqttDevice, {"host": "b", "topic_name": "a/+", "dialect": "tasmota"}, "no [+] and #"),
        (MqttDevice, {"host": "b", "base": "x"}, "base belongs to a dialect"),
        (MqttDevice, {"host": "b", "dialect": "matter"}, "Invalid enum value"),
        (MqttDevice, {"host": "b", "topic": ["a", "b#"]}, "topic 'b#' is not a topic"),
        (MqttDevice, {"host": "b", "records": "$["}, "not a JSON path"),
        (MqttDevice, {"host": "b", "once": ["$["]}, "not a JSON path"),
        (MqttDevice, {"host": "b", "tags": {"0": 1}}, "hexadecimal digits"),
        (MqttDevice, {"host": "b", "tags_end": 2}, "goes with tags"),
        (MqttPoint, {"topic": "a", "tag": "01"}, "tag goes with at"),
        (MqttPoint, {"topic": "a", "lpp": "warmth_1"}, "no value of Cayenne LPP"),
        (MqttPoint, {"topic": "a", "lpp": "temperature_1", "at": 1}, "do not go with it"),
        (MqttPoint, {"topic": "a", "where": {"$[": 1}}, "not a JSON path"),
        (MqttPoint, {"topic": "a", "envelope": "x"}, "where the {command} stands"),
        (MqttDevice, {"host": "b", "online_path": "$.s"}, "needs online_topic"),
        (MqttDevice, {"host": "b", "online_topic": "a#"}, "not a topic"),
        (MqttDevice, {"host": "b", "online_topic": "a", "online_path": "$["}, "not a JSON path"),
        (MqttDevice, {"host": "b", "time": {"utc_offset_h": 15}}, "<= 14"),
        (MqttDevice, {"host": "b", "time": {"path": "$["}}, "not a JSON path"),
        (MqttDevice, {"host": "b", "time": {"format": "%H:%M"}}, "must have a date"),
        (MqttDevice, {"host": "b", "time": {"format": "noon"}}, "must have a time of day"),
        (MqttPoint, {"topic": "a/#/b"}, "not a topic"),
        (MqttPoint, {"topic": "$share/g/a"}, "a part of the messages only"),
        (MqttPoint, {"topic": "a", "path": "$["}, "not a JSON path"),
        (MqttPoint, {"topic": "a", "time": {"path": "$.t"}}, "time goes with path"),
        (MqttPoint, {"topic": "a", "command_topic": "a/+"}, "without wildcards"),
        (MqttPoint, {"topic": "a", "command": "{x}"}, "'{x}' is not a place"),
        (MqttPoint, {"topic": "a", "command": '{"v": {value}}'}, "a brace itself is written"),
        (MqttPoint, {"topic": "a", "command": "{address}"}, "is for serial instruments"),
        (MqttPoint, {"topic": "a", "command": "{word}"}, "which there are none of"),
        (MqttPoint, {"topic": "a", "encoding": "hex"}, "encoding goes with at"),
        (MqttPoint, {"topic": "a", "at": 0, "path": "$.d"}, "hex or base64"),
        (MqttPoint, {"topic": "a", "byte": 2}, "unknown field"),
        (MqttPoint, {"topic": "a", "type": "uint24"}, "Invalid enum value 'uint24'"),
    ],
)
def test_settings_that_cannot_work(kind, fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(fields, kind)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (Kind.TEXT, {"at": 0}, 'type "string" and kind = "text" go together'),
        (
            Kind.ANALOG,
            {"path": "$.v", "time": {"path": "$.t", "format": "%Y %j %H"}},
            "names no offset: utc_offset_h must say",
        ),
    ],
)
def test_a_kind_that_does_not_fit_its_payload(kind, fields, words):
    address = msgspec.convert({"topic": "a", **fields}, MqttPoint)
    with pytest.raises(ValueError, match=words):
        address.field(Point(id="g/d/p", kind=kind), MqttDevice(host="b"))


def test_a_field_knows_the_unit_and_the_offset_of_its_point_and_device():
    address = MqttPoint(topic="a", path="$.v", time=MqttTime(path="$.t"))
    field = address.field(
        Point(id="g/d/p", unit="Cel"), MqttDevice(host="b", time=MqttTime(utc_offset_h=5))
    )
    payload = Payload(b'{"v": "21 \xc2\xb0C", "t": "2026-01-01T17:00:00"}')
    assert field.decode(payload) == (21.0, 1_767_268_800 * 10**9)


def test_what_a_point_says_of_its_time_comes_before_what_its_device_says():
    usual = MqttDevice(host="b", time=MqttTime(path="$.t", format="%Y %j %H:%M", utc_offset_h=5))
    said = Payload(b'{"v": 1, "t": "2026 001 17:00", "u": 1767268800}')
    point = Point(id="g/d/p")
    for time, time_ns in (
        ({}, 1_767_268_800 * 10**9),
        ({"path": "$.u", "format": "auto"}, 1_767_268_800 * 10**9),
        ({"utc_offset_h": 4}, 1_767_272_400 * 10**9),
        ({"path": ""}, None),
    ):
        address = msgspec.convert({"topic": "a", "path": "$.v", "time": time}, MqttPoint)
        assert address.field(point, usual).decode(said) == (1.0, time_ns)
    assert MqttPoint(topic="a").field(point, usual).decode(Payload(b"7")) == (7.0, None)


def test_what_a_device_says_of_texts_and_bytes_is_said_of_all_its_points():
    usual = MqttDevice(host="b", separator=";", decimal=",", order="DCBA")
    point = Point(id="g/d/p")
    column = MqttPoint(topic="a", column=2)
    assert column.field(point, usual).decode(Payload(b"a;2,5")) == (2.5, None)
    number = MqttPoint(topic="a", at=1, type="uint16")
    assert number.field(point, usual).decode(Payload(b"\0\1\2")) == (513.0, None)


def test_what_is_published():
    def payload(value: float, **fields) -> bytes:
        return msgspec.convert({"topic": "a", **fields}, MqttPoint).payload(value, "DCBA")

    assert payload(2.5) == b"2.5"
    assert payload(4.0, command=r'\{"v": {value:.1f}\}') == b'{"v": 4.0}'
    assert payload(4.0, command="{value:uint16}") == b"\4\0"
    with pytest.raises(ValueError, match="outside 0 to 255"):
        payload(300, command="{value:uint8}")
    valve = {"words": {"open": 1, "shut": 0, "zu": 0}, "command": "<{word}>"}
    assert [payload(value, **valve) for value in (1, 0)] == [b"<open>", b"<shut>"]
    with pytest.raises(ValueError, match=r"none of the point's words is 0\.5"):
        payload(0.5, **valve)


BYTES = r"\x01{value:uint8}"


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, b"7"),
        (
            {
                "command": r"\x01{value:uint8}",
                "envelope": '{"d": "{command}"}',
                "encoding": "base64",
            },
            b'{"d": "AQc="}',
        ),
        (
            {"command": BYTES, "envelope": "<{command}>", "encoding": "hex"},
            b"<0107>",
        ),
        ({"command": "{value:.1f}", "envelope": "[{command}]"}, b"[7.0]"),
    ],
)
def test_commands_in_an_envelope(fields, sent):
    address = msgspec.convert({"topic": "a", **fields}, MqttPoint)
    assert address.payload(7.0, "ABCD") == sent
