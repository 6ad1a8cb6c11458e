"""Fields: what fits together is taken, what does not is refused with a sentence that helps."""

from __future__ import annotations

from typing import Any

import pytest

from citytwin_edge.wire.fields import FRAME_TYPES, TYPES, Field, Table

HOLDING = Table.HOLDING


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"type": "uint17"}, "type 'uint17' is unknown; known are bool"),
        ({"order": "ACBD"}, "order 'ACBD' is unknown; known are ABCD, CDAB, BADC, DCBA"),
        ({"type": "string"}, "a string needs length"),
        ({"type": "string", "length": 126}, "1 to 125"),
        ({"length": 2}, "length is for type string only"),
        ({"address": -1}, "address -1 is outside 0 to 65535"),
        ({"address": 65535, "type": "float32"}, "address 65535 is outside 0 to 65534"),
        ({"bits": (3, 2)}, r"bits \[3, 2\] must be \[lowest, highest\] within 0 to 15"),
        ({"bits": (0, 16)}, "within 0 to 15"),
        ({"bits": (0, 3), "type": "int16"}, "bits are for"),
        ({"bits": (0, 3), "type": "float32"}, "bits are for"),
        ({"digits": 3}, "digits are for the bcd types only"),
        ({"digits": 5, "type": "bcd16"}, "a bcd16 has 1 to 4 digits, not 5"),
        ({"sentinel": (65536,)}, "sentinel 65536 does not fit into 16 bits"),
        ({"sentinel": (-32769,)}, "sentinel -32769 does not fit into 16 bits"),
        ({"sentinel": (1,), "type": "bool"}, "a sentinel is for numbers"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], says: str) -> None:
    whole: dict[str, Any] = {"table": HOLDING, "address": 10} | arguments
    with pytest.raises(ValueError, match=says):
        Field(**whole)


def test_a_bit_table_holds_bools_only() -> None:
    assert Field(Table.COIL, 7, "bool").width == 1
    with pytest.raises(ValueError, match="a coil holds one bit: its type is bool, not uint16"):
        Field(Table.COIL, 7, "uint16")
    with pytest.raises(ValueError, match="bits are for"):
        Field(Table.DISCRETE, 7, "bool", bits=(0, 0))


def test_sizes() -> None:
    sizes = {
        kind: Field(HOLDING, 0, kind, length=7 if kind == "string" else 0).size for kind in TYPES
    }
    assert sizes == {
        "bool": 1, "bit": 1, "uint16": 1, "uint32": 2, "uint64": 4, "int16": 1, "int32": 2,
        "int64": 4, "float32": 2, "float64": 4, "bcd16": 1, "bcd32": 2, "bcd64": 4, "string": 7,
    }  # fmt: skip
    assert Field(HOLDING, 65534, "float32").end == 65536


@pytest.mark.parametrize(
    ("order", "kind", "places"),
    [
        ("ABCD", "uint32", [0, 1, 2, 3]),
        ("CDAB", "uint32", [2, 3, 0, 1]),
        ("BADC", "uint32", [1, 0, 3, 2]),
        ("DCBA", "uint32", [3, 2, 1, 0]),
        ("CDAB", "uint16", [0, 1]),
        ("BADC", "uint16", [1, 0]),
        ("CDAB", "uint64", [6, 7, 4, 5, 2, 3, 0, 1]),
        ("DCBA", "uint64", [7, 6, 5, 4, 3, 2, 1, 0]),
        ("BADC", "uint64", [1, 0, 3, 2, 5, 4, 7, 6]),
    ],
)
def test_byte_orders(order: str, kind: str, places: list[int]) -> None:
    assert Field(HOLDING, 0, kind, order=order).byte_order() == places


def test_words_of_a_string_stay_in_order() -> None:
    assert Field(HOLDING, 0, "string", order="DCBA", length=2).byte_order() == [1, 0, 3, 2]


def test_partial_fields_share_their_registers() -> None:
    assert Field(HOLDING, 0, "uint16", bits=(3, 7)).partial
    assert Field(HOLDING, 0, "bool", bits=(3, 3)).partial
    assert Field(HOLDING, 0, "bcd32", digits=6).partial
    assert not Field(HOLDING, 0, "uint16", bits=(0, 15)).partial
    assert not Field(HOLDING, 0, "bcd32", digits=8).partial
    assert not Field(Table.COIL, 0, "bool").partial


@pytest.mark.parametrize("type_", FRAME_TYPES)
def test_sizes_in_a_frame_are_in_bytes(type_: str) -> None:
    field = Field(Table.FRAME, 3, type_, length=3 if type_ == "string" else 0)
    digits = "".join(filter(str.isdigit, type_))
    assert field.size == field.size_bytes == (3 if type_ == "string" else int(digits or 8) // 8)
    assert field.end == 3 + field.size
    assert sorted(field.byte_order()) == list(range(field.size))


def test_a_register_holds_no_single_byte() -> None:
    for type_ in ("uint8", "int8", "bcd8"):
        with pytest.raises(ValueError, match=f"type '{type_}' is unknown; known are bool"):
            Field(HOLDING, 0, type_)
    with pytest.raises(ValueError, match="a string needs length = its number of bytes, 1 to 125"):
        Field(Table.FRAME, 0, "string")
    with pytest.raises(ValueError, match="within 0 to 7"):
        Field(Table.FRAME, 0, "bool", bits=(0, 8))
