"""MQTT PUBLISH packets cut from a stream (MQTT 3.1.1, 3.3; MQTT 5, 3.3): what comes in thousands.

Only whole packets of QoS 0 and 1 are cut. Everything else - other packets, halves, what breaks the
rules - is left where it is, for the library that keeps the connection.
"""

from __future__ import annotations

from typing import Final

import msgspec

_PUBLISH: Final = 0x30
_DIGITS_MAX: Final = 4


class Message(msgspec.Struct, gc=False):
    """One message.

    Attributes:
        topic: as published; empty where it is no text, which no filter wants.
        payload: as published.
        qos: 0 to 2.
        retain: the broker had kept it.
        dup: sent again.
        mid: its number, for the receipt; 0 with QoS 0.
        properties: those of MQTT 5, as bytes and without their length; empty before MQTT 5.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    mid: int = 0
    properties: bytes = b""


def published(data: bytes, *, is_5: bool) -> tuple[list[Message], int]:
    """Return the messages that data begins with, and how many bytes they are.

    Args:
        data: a stream from the beginning of a packet on.
        is_5: whether packets have properties, as those of MQTT 5 do.
    """
    messages: list[Message] = []
    done, end = 0, len(data)
    while end - done > 4:
        head = data[done]
        qos = head >> 1 & 3
        if head & 0xF0 != _PUBLISH or qos > 1:
            break
        size, start = _length(data, done + 1)
        stop = start + size
        if not start or stop > end or size < 2:
            break
        at = start + 2
        ends = at + (data[start] << 8 | data[start + 1])
        body = ends + 2 if qos else ends
        if ends == at or body > stop:
            break
        properties = b""
        if is_5:
            count, begins = _length(data, body)
            body = begins + count
            if not begins or body > stop:
                break
            properties = data[begins:body]
        try:
            topic = data[at:ends].decode()
        except UnicodeDecodeError:
            break
        mid = data[ends] << 8 | data[ends + 1] if qos else 0
        payload, is_again = data[body:stop], head & 8 != 0
        messages.append(Message(topic, payload, qos, head & 1 != 0, is_again, mid, properties))
        done = stop
    return messages, done


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return a length and where it ends (MQTT 3.1.1, 2.2.3); 0 where it does not end, or late."""
    length, shift = 0, 0
    for end, digit in enumerate(data[at : at + _DIGITS_MAX], at + 1):
        length |= (digit & 127) << shift
        if digit < 128:
            return length, end
        shift += 7
    return 0, 0
