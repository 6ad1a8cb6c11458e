"""Orders of a configuration: bytes and back, within limits, and nothing else."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import MalformedError, TooLargeError
from citytwin_protos import config_order
from citytwin_protos.config_order import (
    CONFIG_BYTES_MAX,
    ConfigOrder,
    deflated,
    inflated,
    order_from_bytes,
    order_to_bytes,
    signed_bytes,
)


def order(**fields):
    return ConfigOrder(
        **{"gateway": "g", "number": 3, "base": "", "text": b"x", "issued_by": "aigul",
           "issued_ns": 5, "why": "Новый счётчик", **fields}
    )  # fmt: skip


def test_an_order_is_what_it_was():
    assert order_from_bytes(order_to_bytes(order())) == order()
    assert signed_bytes(b"x") != b"x", "no signature of anything else is one of an order"


@pytest.mark.parametrize(
    "fields", [{"number": 0}, {"gateway": "G"}, {"why": "x" * 401}, {"issued_by": "x" * 401}]
)
def test_what_is_none_is_refused(fields):
    whole = order_to_bytes(order())
    broken = {"number": 3, "gateway": "g", "why": "Новый счётчик", "issued_by": "aigul"}
    import msgspec

    data = msgspec.msgpack.decode(whole) | {name: broken[name] for name in broken} | fields
    with pytest.raises(MalformedError, match="not an order"):
        order_from_bytes(msgspec.msgpack.encode(data))


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage):
    for read in (order_from_bytes, inflated):
        with pytest.raises((MalformedError, TooLargeError)):
            read(garbage)


def test_a_text_travels_whole_or_not_at_all(monkeypatch):
    text = ("[gateway]\nname = 'Алматы'\n" * 1000).encode()
    assert inflated(deflated(text)) == text
    assert len(deflated(text)) < len(text) / 50
    with pytest.raises(MalformedError, match="cut short"):
        inflated(deflated(text)[:-5])
    with pytest.raises(TooLargeError, match="at most"):
        deflated(b" " * (CONFIG_BYTES_MAX + 1))
    with pytest.raises(TooLargeError, match="at most"):
        inflated(zlib.compress(b" " * (CONFIG_BYTES_MAX + 1)))
    monkeypatch.setattr(config_order, "DEFLATED_BYTES_MAX", 10)
    with pytest.raises(TooLargeError, match="deflated"):
        deflated(text)
