"""Registers: every type in every order, to bytes and back; sentinels, strings, shared registers."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import DeviceMalformed, StoreFull
from citytwin.quality import Quality
from citytwin_edge.wire.fields import ORDERS, Field, Table
from citytwin_edge.wire.registers import Decoder, Single, encode

HOLDING = Table.HOLDING
RANGES = {
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**53),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**53), 2**53),
    "bcd16": (0, 9_999),
    "bcd32": (0, 99_999_999),
    "bcd64": (0, 999_999_999_999_999),
}


def value_of(field: Field, data: bytes) -> float:
    values, quality = Decoder([field], [0]).decode(data)
    assert quality.tolist() == [Quality.GOOD]
    return float(values[0])


@st.composite
def fields_and_values(draw: st.DrawFn) -> tuple[Field, float]:
    kind = draw(st.sampled_from([*RANGES, "bool", "float32", "float64", "bits"]))
    order = draw(st.sampled_from(ORDERS))
    address = draw(st.integers(0, 65_000))
    if kind == "bool":
        return Field(HOLDING, address, kind, order=order), float(draw(st.booleans()))
    if kind == "bits":
        whole = draw(st.sampled_from(["uint16", "uint32", "uint64"]))
        low = draw(st.integers(0, 15))
        high = draw(st.integers(low, min(low + 50, int(whole[4:]) - 1)))
        field = Field(HOLDING, address, whole, order=order, bits=(low, high))
        return field, float(draw(st.integers(0, (1 << high - low + 1) - 1)))
    field = Field(HOLDING, address, kind, order=order)
    if kind.startswith("float"):
        return field, draw(
            st.floats(width=32 if kind == "float32" else 64, allow_nan=False, allow_infinity=False)
        )
    return field, float(draw(st.integers(*RANGES[kind])))


@given(st.lists(fields_and_values(), min_size=1, max_size=20))
def test_what_is_encoded_is_decoded(pairs: list[tuple[Field, float]]) -> None:
    data, places = bytearray(), []
    for field, value in pairs:
        places.append(8 * len(data))
        data += encode(field, value, bytes(2 * field.size))
    values, quality = Decoder([field for field, _ in pairs], places).decode(bytes(data))
    assert values.tolist() == [value for _, value in pairs]
    assert not quality.any()


@given(st.binary(max_size=80), st.lists(fields_and_values(), max_size=10))
def test_no_bytes_make_the_decoder_fail(noise: bytes, pairs: list[tuple[Field, float]]) -> None:
    decoder = Decoder([field for field, _ in pairs], [0] * len(pairs))
    data = noise + bytes(max(0, decoder.size_bytes - len(noise)))
    values, quality = decoder.decode(data)
    assert len(values) == len(quality) == len(pairs)


@pytest.mark.parametrize(
    ("order", "data"),
    [
        ("ABCD", "40 49 0f db"),
        ("CDAB", "0f db 40 49"),
        ("BADC", "49 40 db 0f"),
        ("DCBA", "db 0f 49 40"),
    ],
)
def test_pi_in_four_orders(order: str, data: str) -> None:
    field = Field(HOLDING, 0, "float32", order=order)
    assert value_of(field, bytes.fromhex(data)) == struct.unpack(">f", b"\x40\x49\x0f\xdb")[0]
    assert encode(field, math.pi) == bytes.fromhex(data)


@pytest.mark.parametrize(
    ("order", "data"),
    [
        ("ABCD", "01 23 45 67 89 ab cd ef"),
        ("CDAB", "cd ef 89 ab 45 67 01 23"),
        ("BADC", "23 01 67 45 ab 89 ef cd"),
        ("DCBA", "ef cd ab 89 67 45 23 01"),
    ],
)
def test_64_bits_in_four_orders(order: str, data: str) -> None:
    field = Field(HOLDING, 0, "uint64", order=order)
    assert value_of(field, bytes.fromhex(data)) == float(0x0123456789ABCDEF)


@pytest.mark.parametrize(
    ("field", "data", "value"),
    [
        (Field(HOLDING, 0, "int16"), "ffff", -1),
        (Field(HOLDING, 0, "int32"), "8000 0000", -(2**31)),
        (Field(HOLDING, 0, "int64"), "ffff ffff ffff fffe", -2),
        (Field(HOLDING, 0, "bcd16"), "1234", 1234),
        (Field(HOLDING, 0, "bcd32", order="CDAB"), "5678 1234", 12345678),
        (Field(HOLDING, 0, "bcd32", digits=6), "ff12 3456", 123456),
        (Field(HOLDING, 0, "bcd64"), "0012 3456 7890 1234", 12345678901234),
        (Field(HOLDING, 0, "uint16", bits=(3, 7)), "ffaf", 0b10101),
        (Field(HOLDING, 0, "uint32", bits=(12, 19)), "000a b000", 0xAB),
        (Field(HOLDING, 0, "bool", bits=(9, 9)), "0200", 1),
        (Field(HOLDING, 0, "bool", bits=(9, 9)), "fdff", 0),
        (Field(HOLDING, 0, "bool"), "0100", 1),
    ],
)
def test_known_bytes(field: Field, data: str, value: float) -> None:
    assert value_of(field, bytes.fromhex(data)) == value


def test_coils_come_lowest_bit_first() -> None:
    fields = [Field(Table.COIL, 20 + place, "bool") for place in range(11)]
    values, _ = Decoder(fields, range(11)).decode(bytes([0b1100_1101, 0b0000_0110]))
    assert values.tolist() == [1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1]
    assert encode(fields[0], 1) == b"\1"
    assert encode(fields[0], 0) == b"\0"


def test_a_sentinel_is_no_value() -> None:
    fields = [
        Field(HOLDING, 0, "int16", sentinel=(0x7FFF, -32768)),
        Field(HOLDING, 1, "int16", sentinel=(0x7FFF, -32768)),
        Field(HOLDING, 2, "int16", sentinel=(0x7FFF, -32768)),
        Field(HOLDING, 3, "float32", order="CDAB", sentinel=(0x7FC00000,)),
        Field(HOLDING, 5, "uint64", sentinel=(-1,)),
    ]
    data = bytes.fromhex("7fff 8000 7ffe 0000 7fc0 ffff ffff ffff ffff")
    values, quality = Decoder(fields, [16 * field.address for field in fields]).decode(data)
    assert np.isnan(values).tolist() == [True, True, False, True, True]
    void = Quality.BAD_NOT_A_NUMBER
    assert quality.tolist() == [void, void, 0, void, void]
    with pytest.raises(ValueError, match="means no value"):
        encode(fields[0], -32768)


def test_a_sentinel_is_compared_with_the_whole_number() -> None:
    shared = Field(HOLDING, 0, "uint16", bits=(0, 3), sentinel=(0xFFFF,))
    assert value_of(shared, b"\x00\xff") == 15
    values, quality = Decoder([shared], [0]).decode(b"\xff\xff")
    assert math.isnan(values[0])
    assert quality.tolist() == [Quality.BAD_NOT_A_NUMBER]


def test_nan_and_infinity_are_no_numbers() -> None:
    fields = [Field(HOLDING, 2 * place, "float32") for place in range(4)]
    fields.append(Field(HOLDING, 8, "float64"))
    # A quiet NaN, infinity, a signalling NaN, a number, minus infinity.
    data = bytes.fromhex("7fc00000 7f800000 7fa00001 3f800000 fff0000000000000")
    values, quality = Decoder(fields, [16 * field.address for field in fields]).decode(data)
    assert np.isnan(values).tolist() == [True, True, True, False, True]
    void = Quality.BAD_NOT_A_NUMBER
    assert quality.tolist() == [void, void, void, 0, void]


def test_a_bcd_digit_above_nine_is_malformed() -> None:
    values, quality = Decoder([Field(HOLDING, 0, "bcd16")], [0]).decode(b"\x12\x3a")
    assert math.isnan(values[0])
    assert quality.tolist() == [Quality.BAD_MALFORMED]


def test_a_field_without_a_place_is_refused() -> None:
    fields = [Field(HOLDING, 0), Field(HOLDING, 1), Field(HOLDING, 2, "string", length=2)]
    values, quality = Decoder(fields, [0, -1, -1]).decode(b"\x00\x07")
    assert values[0] == 7
    assert np.isnan(values[1:]).all()
    assert quality.tolist() == [0, Quality.BAD_REFUSED, Quality.BAD_REFUSED]


def test_strings_are_interned_once_until_they_change() -> None:
    asked: list[str] = []

    def intern(text: str) -> int:
        asked.append(text)
        return len(asked)

    fields = [
        Field(HOLDING, 0, "string", length=3),
        Field(HOLDING, 3, "string", length=2, order="BADC"),
    ]
    decoder = Decoder(fields, [0, 48])
    data = b"\xd0\x9d\xd0\xb8\xd0\xb2" + b"BA\0C"
    assert decoder.decode(data, intern)[0].tolist() == [1, 2]
    assert decoder.decode(data, intern)[0].tolist() == [1, 2]
    assert decoder.decode(data[:6] + b"BD\0C", intern)[0].tolist() == [1, 3]
    assert asked == ["Нив", "ABC", "DBC"]


def test_a_text_that_is_none_and_a_full_dictionary() -> None:
    def full(text: str) -> int:
        raise StoreFull(text)

    decoder = Decoder([Field(HOLDING, 0, "string", length=2)], [0])
    assert decoder.decode(b"\xff\xfe\xfd\xfc", lambda _: 1)[1].tolist() == [Quality.BAD_MALFORMED]
    assert decoder.decode(b"text", full)[1].tolist() == [Quality.BAD_OUT_OF_RANGE]
    assert decoder.decode(b"text", lambda _: 5)[0].tolist() == [5]
    with pytest.raises(ValueError, match="needs intern"):
        decoder.decode(b"text")


def test_too_few_bytes_are_refused() -> None:
    decoder = Decoder([Field(HOLDING, 0, "float64")], [16])
    assert decoder.size_bytes == 10
    with pytest.raises(ValueError, match="9 bytes are fewer than the 10 needed"):
        decoder.decode(bytes(9))


def test_writing_keeps_the_other_bits() -> None:
    field = Field(HOLDING, 0, "uint16", bits=(3, 7))
    assert encode(field, 0b10001, b"\xff\x07") == b"\xff\x8f"
    assert encode(Field(HOLDING, 0, "bool", bits=(0, 0)), 0, b"\xff\xff") == b"\xff\xfe"
    swapped = Field(HOLDING, 0, "uint32", order="DCBA", bits=(0, 7))
    assert encode(swapped, 0x11, bytes.fromhex("ffeeddcc")) == bytes.fromhex("11eeddcc")
    with pytest.raises(ValueError, match="must be known"):
        encode(field, 1)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        (Field(HOLDING, 0, "uint16"), 65536, "65536 is outside 0 to 65535 of this uint16"),
        (Field(HOLDING, 0, "uint16"), -1, "-1 is outside 0 to 65535"),
        (Field(HOLDING, 0, "int16"), -32769, "outside -32768 to 32767"),
        (Field(HOLDING, 0, "bcd16"), 10000, "outside 0 to 9999"),
        (Field(HOLDING, 0, "bcd32", digits=3), 1000, "outside 0 to 999"),
        (Field(HOLDING, 0, "uint16", bits=(0, 2)), 8, "outside 0 to 7"),
        (Field(HOLDING, 0, "float32"), 1e39, "does not fit into float32"),
        (Field(HOLDING, 0, "float32"), math.nan, "nan cannot be written"),
        (Field(HOLDING, 0, "uint16"), math.inf, "inf cannot be written"),
        (Field(HOLDING, 0, "bool"), 2, "a bool is 0 or 1, not 2"),
        (Field(Table.COIL, 0, "bool"), 0.5, "a bool is 0 or 1, not 0.5"),
        (Field(HOLDING, 0, "string", length=1), 1, "a string cannot be written"),
    ],
)
def test_what_does_not_fit_is_not_written(field: Field, value: float, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        encode(field, value, bytes(2 * field.size))


def test_whole_numbers_are_rounded() -> None:
    assert encode(Field(HOLDING, 0, "uint16"), 422.9999999) == struct.pack(">H", 423)
    assert encode(Field(HOLDING, 0, "int16"), -7.0000001) == struct.pack(">h", -7)


@pytest.mark.parametrize(
    ("type_", "more", "line", "value"),
    [
        ("uint8", {}, "fe", 254),
        ("int8", {}, "fe", -2),
        ("bcd8", {}, "42", 42),
        ("bool", {}, "80", 1),
        ("bool", {"bits": (7, 7)}, "7f", 0),
        ("uint8", {"bits": (4, 6)}, "5f", 5),
        ("uint16", {"order": "BADC"}, "0201", 0x0102),
        ("int32", {"order": "DCBA"}, "feffffff", -2),
        ("float32", {"order": "DCBA"}, "00004841", 12.5),
        ("bcd32", {"order": "DCBA"}, "78563412", 12345678),
    ],
)
def test_numbers_in_a_frame_begin_at_any_byte(
    type_: str, more: dict[str, Any], line: str, value: float
) -> None:
    field = Field(Table.FRAME, 3, type_, **more)
    frame = b"\x68\x00\x01" + bytes.fromhex(line) + b"\x16"
    values, quality = Decoder([field], [8 * field.address]).decode(frame)
    assert (values.tolist(), quality.tolist()) == ([value], [0])
    kept = bytes.fromhex(line)
    assert encode(field, value, kept if field.partial else b"") == (
        b"\x01" if type_ == "bool" and not more else kept
    )


def test_texts_and_what_is_none_in_a_frame() -> None:
    fields = [
        Field(Table.FRAME, 1, "string", length=3),
        Field(Table.FRAME, 4, "int8", sentinel=(-128,)),
    ]
    decoder = Decoder(fields, [8, 32])
    values, quality = decoder.decode(b"\x02abc\x80", len)
    assert (values[0], quality.tolist()) == (3, [0, Quality.BAD_NOT_A_NUMBER])


def test_a_single_field_takes_its_bytes_out_of_a_frame() -> None:
    one = Single(Field(Table.FRAME, 1, "uint16"))
    assert one.cut(b"\0\1\2\3") == b"\1\2"
    assert one.decode(b"\1\2") == (258.0, Quality.GOOD, "")
    with pytest.raises(DeviceMalformed, match="2 bytes are too few: the value ends at byte 3"):
        one.cut(b"\0\1")
    assert Single(Field(HOLDING, 40, "uint16")).cut(b"\1\2") == b"\1\2"


def test_a_single_text_is_told_each_time_and_interned_once() -> None:
    one, seen = Single(Field(Table.FRAME, 0, "string", length=2)), list[str]()

    def intern(text: str) -> int:
        seen.append(text)
        return len(seen)

    assert one.decode(b"ab", intern) == (1.0, Quality.GOOD, "ab")
    assert one.decode(b"ab", intern) == (1.0, Quality.GOOD, "ab")
    value, quality, text = one.decode(b"\xff\xff", intern)
    assert (math.isnan(value), quality, text) == (True, Quality.BAD_MALFORMED, "")
    assert seen == ["ab"]
    assert Single(Field(Table.FRAME, 0, "string", length=2)).decode(b"cd")[2] == "cd"
