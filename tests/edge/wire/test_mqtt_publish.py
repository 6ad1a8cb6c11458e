"""Messages cut from a stream: what paho's own decoder says of them, and nothing of halves."""

import struct

import pytest
from paho.mqtt._packet import decode_publish
from paho.mqtt.client import MQTTv5, MQTTv311
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from citytwin.testing import Mutator
from citytwin_edge.wire.mqtt_publish import Message, published


def length(size):
    out = bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([*out, size])


def properties(*identifiers):
    said = Properties(PacketTypes.PUBLISH)
    said.UserProperty = ("pump", "1")
    for one in identifiers:
        said.SubscriptionIdentifier = one
    return said.pack()


def packet(message, *, is_5=False):
    head = 0x30 | message.dup << 3 | message.qos << 1 | message.retain
    topic = message.topic.encode()
    body = len(topic).to_bytes(2, "big") + topic
    if message.qos:
        body += message.mid.to_bytes(2, "big")
    if is_5:
        body += length(len(message.properties)) + message.properties
    body += message.payload
    return bytes([head]) + length(len(body)) + body


MESSAGES = [
    Message("a", b""),
    Message("pump/1/flow", b'{"v":1.5}'),
    Message("қала/насос", b"\x00\xff" * 200, 1, retain=True, mid=65535),
    Message("t", b"x" * 20_000, 1, dup=True, mid=1),
]


@pytest.mark.parametrize("is_5", [False, True])
def test_every_message_is_cut_as_it_was_published(is_5):
    stream = b"".join(packet(one, is_5=is_5) for one in MESSAGES)
    assert published(stream, is_5=is_5) == (MESSAGES, len(stream))


def test_properties_are_cut_out_of_messages_of_mqtt_5():
    said = properties(7, 300)[1:]
    message = Message("t", b"1", 1, mid=5, properties=said)
    data = packet(message, is_5=True)
    assert published(data, is_5=True) == ([message], len(data))


@pytest.mark.parametrize("is_5", [False, True])
def test_what_is_not_whole_stays(is_5):
    packets = [packet(one, is_5=is_5) for one in MESSAGES]
    stream = b"".join(packets)
    ends = [sum(map(len, packets[:n])) for n in range(len(packets) + 1)]
    for cut in (*range(600), *range(len(stream) - 200, len(stream) + 1)):
        messages, done = published(stream[:cut], is_5=is_5)
        assert done == max(end for end in ends if end <= cut)
        assert messages == MESSAGES[: len(messages)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xd0\x00\x30\x03\x00\x01a", "an answer to a ping is the library's"),
        (b"\x34\x06\x00\x01a\x00\x01x", "QoS 2 is a dialogue"),
        (b"\x36\x06\x00\x01a\x00\x01x", "there is no QoS 3"),
        (b"\x30\x05\x00\x00abc", "a message without a topic"),
        (b"\x30\x05\x00\x09abc", "a topic beyond the end"),
        (b"\x32\x04\x00\x01ax", "half a number"),
        (b"\x30\x04\x00\x02\xff\xfe", "a topic that is no text"),
        (b"\x30\xff\xff\xff\xff\x01\x00\x01a", "a length of five digits"),
        (b"", "nothing"),
    ],
)
def test_what_is_not_a_plain_message_is_left_to_the_library(data, why):
    assert published(data, is_5=False) == ([], 0), why


def test_properties_beyond_the_end_are_left_to_the_library():
    assert published(b"\x30\x05\x00\x01a\x09x", is_5=True) == ([], 0)


@pytest.mark.parametrize("is_5", [False, True])
def test_mutated_packets_say_what_the_reference_decoder_says(is_5):
    """paho's decoder is the reference; of what it refuses only the properties may be wrong."""
    mutator = Mutator(19)
    said = properties(7)[1:] if is_5 else b""
    whole = packet(Message("pump/1", b'{"v":1.5}', 1, mid=7, properties=said), is_5=is_5)
    agreed = 0
    for _ in range(10_000):
        data = mutator.mutate(whole)
        messages, done = published(data, is_5=is_5)
        if not messages:
            assert done == 0
            continue
        message, rest = messages[0], data[2:done] if len(messages) == 1 else b""
        if not rest or data[1] & 128:
            continue
        try:
            expected = decode_publish(data[0], rest, MQTTv5 if is_5 else MQTTv311)
        except (MQTTException, KeyError, ValueError, IndexError, struct.error):
            assert is_5
            continue
        assert message.topic.encode() == expected.topic
        assert message.payload == bytes(expected.payload)
        assert (message.qos, message.mid) == (expected.qos, expected.mid)
        assert (message.retain, message.dup) == (expected.retain, expected.dup)
        agreed += 1
    assert agreed > 1000
