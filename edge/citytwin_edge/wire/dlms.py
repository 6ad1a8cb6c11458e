"""DLMS: what a meter pushes: blocks joined, ciphering taken off, values with their OBIS codes.

>>> items(decode(bytes.fromhex("0203 0906 0100010800ff 06 00000532 0202 0f01 161e")))[0]
Item(code=Code(a=1, b=0, c=1, d=8, e=0, f=255), value=1330, scaler=1, unit='W.h')
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.axdr import OCTETS, Node, Reader, Value, decode
from citytwin_edge.wire.hdlc import APDU_BYTES_MAX
from citytwin_edge.wire.meter_units import PUSHED
from citytwin_edge.wire.obis import Code

GENERAL_GLO, GENERAL_DED, BLOCK, NOTIFICATION = 0xDB, 0xDC, 0xE0, 0x0F
_AUTHENTICATED, _ENCRYPTED, _BROADCAST, _COMPRESSED = 0x10, 0x20, 0x40, 0x80
_TAG_BYTES: Final = 12
_DATE_TIME_BYTES: Final = 12
_CLASS, _SCALER, _ENUM = 18, 15, 22


class Keys(NamedTuple):
    """What opens a meter's messages (16 bytes each); shows nothing of itself.

    Attributes:
        unicast: the global unicast encryption key (GUEK); empty where nothing is ciphered.
        authentication: the authentication key (GAK); empty: what is authenticated is not checked.
    """

    unicast: bytes = b""
    authentication: bytes = b""

    def __repr__(self) -> str:
        return "Keys(…)"


class Push(NamedTuple):
    """A pushed message, opened.

    Attributes:
        body: its values.
        date_time: 12 bytes of the meter's clock, see :func:`citytwin_edge.wire.axdr.moment`; empty
            where the message has none of its own.
        system_title: 8 bytes by which a ciphering meter is known; empty where it is not ciphered.
        counter: its invocation counter; -1 where it is not ciphered.
        is_authentic: an authentication key was checked.
    """

    body: Node
    date_time: bytes = b""
    system_title: bytes = b""
    counter: int = -1
    is_authentic: bool = False


class Blocks:
    """Joins general-block-transfer (IEC 62056-5-3, 7.3.13); other messages pass through."""

    def __init__(self) -> None:
        """Begin."""
        self._joined = bytearray()
        self._next = 1

    def feed(self, apdu: bytes) -> bytes | None:
        """Take a message; return it, or what its blocks make, or None where more are to come.

        Raises:
            DeviceMalformed: a block is missing or is none.
        """
        if apdu[:1] != bytes([BLOCK]):
            self._drop()
            return apdu
        reader = Reader(apdu[1:])
        control, number = reader.take(1)[0], int.from_bytes(reader.take(2))
        reader.take(2)
        data = reader.take(reader.length())
        if number == 1:
            self._drop()
        if number != self._next or reader.rest or len(self._joined) + len(data) > APDU_BYTES_MAX:
            self._drop()
            raise DeviceMalformed("a block is missing, or is none")
        self._joined += data
        self._next += 1
        if not control & 0x80:
            return None
        whole = bytes(self._joined)
        self._drop()
        return whole

    def _drop(self) -> None:
        self._joined.clear()
        self._next = 1


def opened(apdu: bytes, keys: Keys) -> Push:
    """Return what a message says.

    Raises:
        DeviceMalformed: it is no pushed message, is not written as one, or no key fits.
    """
    if apdu[:1] in (bytes([GENERAL_GLO]), bytes([GENERAL_DED])):
        sealed = seal_of(apdu)
        body, date_time = _notification(decipher(sealed, keys))
        authentic = bool(sealed.control & _AUTHENTICATED and keys.authentication)
        return Push(body, date_time, sealed.system_title, sealed.counter, authentic)
    if keys.unicast:
        raise DeviceMalformed("the message is not ciphered, but the device has a key")
    body, date_time = _notification(apdu)
    return Push(body, date_time)


class Sealed(NamedTuple):
    """A ciphered message (IEC 62056-5-3, 5.3.6): who sent it, and what is inside."""

    system_title: bytes
    control: int
    counter: int
    content: bytes


def seal_of(apdu: bytes) -> Sealed:
    """Return the parts of a general-glo-ciphering message.

    Raises:
        DeviceMalformed: it is not written so.
    """
    reader = Reader(apdu[1:])
    title = reader.take(reader.length())
    size = reader.length()
    if len(title) != 8 or size < 5 or reader.rest != size:
        raise DeviceMalformed("a ciphered message has 8 bytes of system title and a length")
    control, counter = reader.take(1)[0], int.from_bytes(reader.take(4))
    return Sealed(title, control, counter, reader.take(reader.rest))


def decipher(sealed: Sealed, keys: Keys) -> bytes:
    """Return what is inside a ciphered message: AES-128-GCM, 12 bytes of tag.

    Raises:
        DeviceMalformed: the key is missing or does not fit, or the suite is another one.
    """
    control = sealed.control
    if control & 0x0F or control & (_COMPRESSED | _BROADCAST) or not control & 0x30:
        raise DeviceMalformed(f"security control {control:#04x}: only suite 0, unicast, is read")
    if not keys.unicast:
        raise DeviceMalformed("the message is ciphered; the device needs key, 32 hex digits")
    vector = sealed.system_title + struct.pack(">I", sealed.counter)
    has_tag = bool(control & _AUTHENTICATED)
    text, tag = sealed.content, b""
    if has_tag:
        text, tag = text[:-_TAG_BYTES], text[-_TAG_BYTES:]
        if len(tag) < _TAG_BYTES:
            raise DeviceMalformed("the message is too short for its tag")
    checks = has_tag and bool(keys.authentication)
    mode = modes.GCM(vector, tag if checks else None, min_tag_length=_TAG_BYTES)
    opener = Cipher(algorithms.AES(keys.unicast), mode).decryptor()
    if checks:
        opener.authenticate_additional_data(bytes([control]) + keys.authentication)
    if not control & _ENCRYPTED:
        if checks:
            opener.authenticate_additional_data(text)
        plain = text
    else:
        plain = opener.update(text)
    if checks:
        try:
            opener.finalize()
        except InvalidTag:
            raise DeviceMalformed("key or authentication_key does not fit") from None
    return plain


def _notification(apdu: bytes) -> tuple[Node, bytes]:
    """Return the body and the date-time of a data-notification (IEC 62056-5-3, 7.3.11)."""
    if apdu[:1] != bytes([NOTIFICATION]):
        raise DeviceMalformed(
            f"it begins with {apdu[:4].hex(' ')} instead of 0f, a data-notification (a wrong key?)"
        )
    reader = Reader(apdu[1:])
    reader.take(4)
    if reader.peek() == OCTETS:  # some meters write the type of what can only be octets
        reader.take(1)
    size = reader.length()
    if size not in {0, _DATE_TIME_BYTES}:
        raise DeviceMalformed(f"its date and time has {size} bytes, not {_DATE_TIME_BYTES}")
    date_time = reader.take(size)
    return decode(reader.take(reader.rest)), date_time


class Item(NamedTuple):
    """A value with the code that a meter gave it.

    Attributes:
        code: its OBIS code.
        value: a number, or bytes of a text or time.
        scaler: the power of ten that the number is multiplied with; 0 where none was pushed.
        unit: UCUM code; empty where none was pushed.
    """

    code: Code
    value: Value
    scaler: int = 0
    unit: str = ""


def items(body: Node) -> list[Item]:
    """Return the values that stand behind their code, however they are nested.

    A code is six octets; behind it comes the value, and behind that perhaps a structure of scaler
    and unit. That is how the lists of Aidon, Kamstrup, Kaifa (Austria), Iskra, Sagemcom and
    Landis+Gyr are written, flat or a structure for each. Or the first element says of which
    objects the elements are, itself among them (Blue Book 4.4.8.2, push_object_list).
    """
    elements = body.elements
    if elements and elements[0].elements and all(map(_object, elements[0].elements)):
        return _described(elements) if len(elements) == len(elements[0].elements) else []
    return list(_items(elements))


def _object(node: Node) -> tuple[Code, int] | None:
    """Return code and attribute, where a node is a class, a code, an attribute and so on."""
    parts = node.elements
    if len(parts) < 4 or (parts[0].tag, parts[2].tag) != (_CLASS, _SCALER):
        return None
    attribute = parts[2].value
    if not _is_code(parts[1]) or not isinstance(attribute, int):
        return None
    return _code(parts[1]), attribute


def _described(elements: Sequence[Node]) -> list[Item]:
    """Return the values of attribute 2, with the scaler and unit that attribute 3 tells."""
    told = list(zip(map(_object, elements[0].elements), elements, strict=True))
    scales = {
        of[0]: scale
        for of, node in told
        if of is not None and of[1] == 3 and (scale := _scaler_unit(node)) is not None
    }
    return [
        Item(of[0], node.value, *scales.get(of[0], (0, "")))
        for of, node in told
        if of is not None and of[1] == 2 and not node.is_list
    ]


def _items(elements: Sequence[Node]) -> Iterator[Item]:
    place = 0
    while place < len(elements):
        node = elements[place]
        place += 1
        if node.is_list:
            if _object(node) is None:
                yield from _items(node.elements)
        elif _is_code(node) and place < len(elements) and not elements[place].is_list:
            value = elements[place]
            place += 1
            scaler, unit = 0, ""
            if place < len(elements) and (told := _scaler_unit(elements[place])) is not None:
                scaler, unit = told
                place += 1
            yield Item(_code(node), value.value, scaler, unit)


def _is_code(node: Node) -> bool:
    return node.tag == OCTETS and isinstance(node.value, bytes) and len(node.value) == 6


def _code(node: Node) -> Code:
    assert isinstance(node.value, bytes)  # _is_code
    return Code.of(node.value)


def _scaler_unit(node: Node) -> tuple[int, str] | None:
    """Return scaler and unit, where a node is these two."""
    parts = node.elements
    if len(parts) != 2 or parts[0].tag != _SCALER or parts[1].tag != _ENUM:
        return None
    scaler, number = parts[0].value, parts[1].value
    if not isinstance(scaler, int) or not isinstance(number, int):
        return None
    if number not in PUSHED or not -12 <= scaler <= 12:
        return None
    return scaler, PUSHED[number]


def places(body: Node) -> tuple[Node, ...]:
    """Return the elements of a list without codes, of which each has its place, from 1."""
    return body.elements if body.is_list else (body,)
