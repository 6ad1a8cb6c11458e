"""Blocks: every batch comes back bit by bit, hostile bytes are refused with a declared error."""

import math
import random

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin import Batch, Command, Outcome, OutcomeState, Point, Readback
from citytwin.errors import BatchError, MalformedError, TooLargeError, WireError
from citytwin_protos import codec

NOW_NS = 1_767_225_600 * 10**9

VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=False),
    st.integers(-(2**40), 2**40).map(float),
    st.integers(-(10**6), 10**6).map(lambda n: n / 10),
    st.integers(-(10**6), 10**6).map(lambda n: n * 0.01),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)
SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.integers(-(2**62), 2**62),
        VALUES,
        st.integers(0, 255),
    ),
    max_size=60,
)


def batch_of(samples):
    columns = list(zip(*samples, strict=True)) or [(), (), (), ()]
    return Batch(*(np.array(c, t) for c, t in zip(columns, "iqdB", strict=True)))


def canonical(batch):
    """Return the batch as a block gives it back: -0.0 is 0.0, NaN has no payload."""
    return Batch(batch.point, batch.time_ns, batch.value + 0.0, batch.quality)


@given(SAMPLES)
def test_a_block_by_itself_comes_back(samples):
    batch = batch_of(samples)
    again = codec.unpack(codec.pack(batch))
    assert again == canonical(batch)
    real = ~np.isnan(batch.value)
    assert (again.value[real].view("u8") == (batch.value + 0.0)[real].view("u8")).all()


@given(st.lists(SAMPLES, max_size=6))
@settings(max_examples=60)
def test_a_stream_of_blocks_comes_back(blocks):
    encoder, decoder = codec.StreamEncoder(), codec.StreamDecoder()
    for samples in blocks:
        batch = batch_of(samples)
        assert decoder.decode(encoder.encode(batch)) == canonical(batch)


def test_state_makes_blocks_small():
    rng = np.random.default_rng(1)
    encoder, sizes = codec.StreamEncoder(), []
    level = rng.integers(100, 900, 1000)
    for second in range(10):
        level = level + rng.integers(-2, 3, 1000)
        batch = Batch.of(np.arange(1000), NOW_NS + second * 10**9, level / 10)
        sizes.append(len(encoder.encode(batch)))
    assert max(sizes[1:]) < sizes[0] / 2
    assert max(sizes[1:]) < 700


def test_a_block_out_of_turn_is_refused():
    encoder = codec.StreamEncoder()
    first = encoder.encode(Batch.of(0, NOW_NS, 1.0))
    second = encoder.encode(Batch.of(0, NOW_NS, 2.0))
    with pytest.raises(MalformedError, match="was due"):
        codec.StreamDecoder().decode(second)
    decoder = codec.StreamDecoder()
    decoder.decode(first)
    with pytest.raises(MalformedError, match="was due"):
        decoder.decode(first)


@pytest.mark.parametrize(
    ("batch", "error"),
    [
        (Batch.of(np.zeros(codec.SAMPLES_MAX + 1), NOW_NS, np.zeros(codec.SAMPLES_MAX + 1)),
         TooLargeError),
        (Batch.of(2_000_000, NOW_NS, 1.0), TooLargeError),
        (Batch.of(-1, NOW_NS, 1.0), TooLargeError),
        (Batch.of(0, NOW_NS, math.inf), BatchError),
    ],
)  # fmt: skip
def test_what_no_block_may_hold(batch, error):
    with pytest.raises(error):
        codec.pack(batch)


def test_the_largest_block_fits():
    rng = np.random.default_rng(2)
    count = codec.SAMPLES_MAX
    batch = Batch.of(rng.integers(0, 1000, count), NOW_NS, rng.integers(0, 1000, count) / 10)
    assert codec.unpack(codec.pack(batch)) == batch


def bomb(size):
    return zstandard.ZstdCompressor().compress(bytes(size))


def header(*columns):
    return zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(list(columns)))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", MalformedError),
        (b"\x28\xb5\x2f\xfd", MalformedError),
        (bomb(100_000_000), TooLargeError),
        (bytes(codec.BODY_BYTES_MAX + 1), TooLargeError),
        (header(), MalformedError),
        (header(2, 0, 0, b"", [0, b"", b""], None, None, None, b"", b""), MalformedError),
        (header(1, 0, 10**9, b"", [0, b"", b""], None, None, None, b"", b""), MalformedError),
        (header(1, 0, -1, b"", [0, b"", b""], None, None, None, b"", b""), MalformedError),
        (header(1, 0, 2, b"\x01\x00\x00", [9, b"", b""], None, None, None, b"", b""),
         MalformedError),
        (header(1, 0, 1, b"\x01\x00", "runs", None, None, None, b"", b""), MalformedError),
        (zstandard.ZstdCompressor().compress(b"\x91" * 100_000), MalformedError),
    ],
)  # fmt: skip
def test_hostile_blocks_are_refused(body, error):
    with pytest.raises(error):
        codec.unpack(body)


def without_checksum(body):
    """Return the block as a hostile sender would make it: changed and then compressed."""
    plain = bytearray(zstandard.ZstdDecompressor().decompress(body))
    return plain, zstandard.ZstdCompressor()


def test_ten_thousand_mutations_never_surprise():
    rng = random.Random(7)
    batch = Batch.of([0, 1, 2, 1], NOW_NS, [1.5, 2.25, float("nan"), math.pi], [0, 0, 0x81, 0x41])
    body = codec.pack(batch)
    refused = 0
    for turn in range(10_000):
        if turn % 2:
            changed = bytearray(body)
            changed[rng.randrange(len(changed))] ^= rng.randrange(1, 256)
            data = bytes(changed[: rng.randrange(1, len(changed) + 1)] if turn % 3 else changed)
        else:
            plain, compressor = without_checksum(body)
            plain[rng.randrange(len(plain))] ^= rng.randrange(1, 256)
            data = compressor.compress(bytes(plain))
        try:
            again = codec.unpack(data)
        except WireError:
            refused += 1
        else:
            assert len(again) <= codec.SAMPLES_MAX
    assert refused > 5000


def test_nouns_come_back_and_garbage_does_not():
    point = Point(id="g/d/p", unit="bar")
    assert codec.point_from_bytes(codec.point_to_bytes(point)) == point
    command = Command(
        id="0" * 32, point="g/d/p", value=1.0, issued_by="a", issued_ns=1, expires_ns=2,
        readback=Readback("g/d/p", 1.0, 0.1, 5),
    )  # fmt: skip
    assert codec.command_from_bytes(codec.command_to_bytes(command)) == command
    outcome = Outcome(command="0" * 32, state=OutcomeState.EXECUTED, at_ns=1)
    assert codec.outcome_from_bytes(codec.outcome_to_bytes(outcome)) == outcome
    bad = msgspec.msgpack.encode({"id": "no", "unit": "bar"})
    for decode in (codec.point_from_bytes, codec.command_from_bytes, codec.outcome_from_bytes):
        for data in (b"", b"\xc1", bad):
            with pytest.raises(MalformedError):
                decode(data)
