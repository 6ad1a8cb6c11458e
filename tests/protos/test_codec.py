"""The codec's doors: nouns to bytes and back, and no error but the two that are declared."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin import Command, Outcome, OutcomeState, Point, Readback, Span
from citytwin.errors import MalformedError, TooLargeError, WireError
from citytwin_protos import codec
from tests.protos.samples import BATCHES, NOW_NS, Devices, bits_of

POINT = Point(id="g/d/p", unit="bar", valid=Span(0.0, 16.0), writable=Span(0.0, 10.0))
COMMAND = Command(
    id="0" * 32,
    point="g/d/p",
    value=1.0,
    issued_by="aigul",
    issued_ns=NOW_NS,
    expires_ns=NOW_NS + 10**9,
    readback=Readback("g/d/p", 1.0, 0.1, 5),
)
OUTCOME = Outcome(command="0" * 32, state=OutcomeState.EXECUTED, at_ns=NOW_NS, reason="done")
NOUNS = [
    (POINT, codec.point_to_bytes, codec.point_from_bytes),
    (COMMAND, codec.command_to_bytes, codec.command_from_bytes),
    (OUTCOME, codec.outcome_to_bytes, codec.outcome_from_bytes),
]


@given(BATCHES)
def test_a_packed_batch_comes_back(batch):
    assert bits_of(codec.unpack(codec.pack(batch))) == bits_of(batch)


def test_the_first_block_of_a_stream_is_what_pack_gives():
    batch = Devices(50).block(50)
    assert codec.StreamEncoder().encode(batch) == codec.pack(batch)
    assert codec.StreamDecoder().decode(codec.pack(batch)) == batch


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_as_a_block(data):
    with pytest.raises(WireError):
        codec.unpack(data)


@pytest.mark.parametrize(("noun", "write", "read"), NOUNS)
def test_nouns_come_back(noun, write, read):
    assert read(write(noun)) == noun


@pytest.mark.parametrize(("noun", "write", "read"), NOUNS)
def test_nouns_that_are_none_are_refused(noun, write, read):
    for data in (
        b"",
        b"\xc1",
        b"\x91" * 10_000,
        write(noun)[:-1],
        write(noun) + b"\x00",
        msgspec.msgpack.encode({"id": "no", "unit": "bar", "command": "x"}),
        msgspec.msgpack.encode({"id": "g/d/p", "unit": "no such unit"}),
    ):
        with pytest.raises(MalformedError):
            read(data)
    with pytest.raises(TooLargeError):
        read(bytes(codec.NOUN_BYTES_MAX + 1))


@pytest.mark.parametrize(("noun", "write", "read"), NOUNS)
@given(place=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_a_mutated_noun_is_one_or_is_refused(noun, write, read, place, mask):
    data = bytearray(write(noun))
    data[place % len(data)] ^= mask
    with contextlib.suppress(WireError):
        assert isinstance(read(bytes(data)), type(noun))
