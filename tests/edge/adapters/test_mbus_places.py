"""M-Bus places: which records fit, and mistakes of who writes them."""

from __future__ import annotations

import pytest

from citytwin_edge.adapters.mbus_places import MbusPoint, RecordSettings
from citytwin_edge.wire.mbus_records import records
from tests.edge.serial_instruments import bindings_of


def record(quantity="volume", **more):
    return {"record": {"quantity": quantity, **more}}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "exactly one of record, dif_vif, header and index"),
        ({"index": 1, "dif_vif": "04 13"}, "exactly one"),
        ({"dif_vif": "04 1"}, "not bytes in hexadecimal digits"),
        ({"index": 1, "bits": [5, 3]}, "not .lowest, highest."),
        (record("volum"), 'did you mean "volume"'),
        (record("zzzzzz"), "docs/guides/mbus.md lists them"),
        (record(qualifiers=["sideways"]), "'sideways' is none"),
    ],
)
def test_settings_that_cannot_be(fields, words):
    with pytest.raises(ValueError, match=words):
        bindings_of([fields], MbusPoint)


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("01 13", {}),
        ("51 13", {"storage": 1, "function": "maximum"}),
        ("81 10 13", {"tariff": 1}),
        ("81 40 13", {"subunit": 1}),
        ("01 93 3C", {"qualifiers": ("backward",)}),
        ("01 93 BC 6B", {"qualifiers": ("end of first", "backward")}),
        ("01 13", {"unit": "m3"}),
    ],
)
def test_records_that_fit(header, fields):
    (one,) = records(bytes.fromhex(header) + b"\x05").records
    assert RecordSettings(quantity="volume", **fields).fits(one)
    for other in (
        {"storage": 7},
        {"tariff": 3},
        {"subunit": 9},
        {"unit": "kg"},
        {"qualifiers": ("forward",)},
    ):
        assert not RecordSettings(quantity="volume", **(fields | other)).fits(one)
    assert not RecordSettings(quantity="mass", **fields).fits(one)
