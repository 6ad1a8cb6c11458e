"""Blocks: every bit comes back, streams are small, hostile bytes are refused within bounds."""

import tracemalloc
import zlib
from random import Random

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin import Batch
from citytwin.errors import MalformedError, TooLargeError, WireError
from citytwin_protos.block import (
    BODY_BYTES_MAX,
    COMPRESSED,
    PAYLOAD_BYTES_MAX,
    PLAIN,
    RECONSIDER_BLOCKS,
    SAMPLES_MAX,
    BlockDecoder,
    BlockEncoder,
)
from citytwin_protos.memory import POINTS_MAX
from tests.protos.samples import BATCHES, NOW_NS, Devices, bits_of


def sealed(flag, payload):
    """Return a block as a hostile sender would make it: with a checksum that fits."""
    tail = bytes([flag]) + payload
    return zlib.crc32(tail).to_bytes(4, "little") + tail


def block(*parts):
    return sealed(PLAIN, msgspec.msgpack.encode(list(parts)))


def payload_of(body):
    if body[4] == PLAIN:
        return body[5:]
    return zstandard.ZstdDecompressor().decompress(body[5:], max_output_size=PAYLOAD_BYTES_MAX)


@given(BATCHES)
def test_a_block_by_itself_comes_back(batch):
    body = BlockEncoder().encode(batch)
    assert bits_of(BlockDecoder().decode(body)) == bits_of(batch)


@given(st.lists(BATCHES, max_size=6))
@settings(max_examples=60)
def test_a_stream_of_blocks_comes_back(batches):
    encoder, decoder = BlockEncoder(), BlockDecoder()
    for batch in batches:
        assert bits_of(decoder.decode(encoder.encode(batch))) == bits_of(batch)


def test_a_long_stream_of_devices_comes_back():
    encoder, decoder, devices = BlockEncoder(), BlockDecoder(), Devices(100)
    rng = np.random.default_rng(1)
    for _ in range(2 * RECONSIDER_BLOCKS):
        batch = devices.block(200)
        kept = rng.random(len(batch)) < 0.9
        value = np.where(rng.random(len(batch)) < 0.05, np.nan, batch.value)
        quality = np.where(np.isnan(value), 0x81, 0).astype(np.uint8)
        some = Batch(batch.point, batch.time_ns, value, quality).select(kept)
        assert bits_of(decoder.decode(encoder.encode(some))) == bits_of(some)


@pytest.mark.parametrize(
    ("points", "samples", "bytes_max"), [(1000, 1000, 0.75), (100, 500, 1.05), (100, 100, 1.35)]
)
def test_streams_are_small(points, samples, bytes_max):
    encoder, devices = BlockEncoder(), Devices(points)
    sizes = [len(encoder.encode(devices.block(samples))) / samples for _ in range(30)]
    assert sum(sizes[10:]) / 20 < bytes_max


def test_a_block_by_itself_is_small():
    assert len(BlockEncoder().encode(Devices(100).block(500))) / 500 < 2.1


def test_registers_times_a_tenth_are_as_small_as_decimals():
    rng = np.random.default_rng(3)
    sizes = []
    for scaled in (lambda raw: raw / 10, lambda raw: raw * 0.1):
        encoder, raw, size = BlockEncoder(), np.full(1000, 4711), 0
        for _ in range(30):
            raw = raw + rng.integers(-2, 3, 1000)
            size = len(encoder.encode(Batch.of(np.arange(1000), NOW_NS, scaled(raw))))
        sizes.append(size)
    assert abs(sizes[0] - sizes[1]) < 30


def test_a_block_out_of_turn_is_refused_until_a_key_block():
    encoder = BlockEncoder()
    first, second, third = (encoder.encode(Batch.of(0, NOW_NS, float(n))) for n in range(3))
    decoder = BlockDecoder()
    with pytest.raises(MalformedError, match="was due"):
        decoder.decode(second)
    decoder.decode(first)
    with pytest.raises(MalformedError, match="was due"):
        decoder.decode(third)
    with pytest.raises(MalformedError, match="was due"):
        decoder.decode(second)
    decoder.decode(first)
    assert decoder.decode(second).value.tolist() == [1.0]


def test_what_no_block_may_hold():
    count = SAMPLES_MAX + 1
    with pytest.raises(TooLargeError, match="split"):
        BlockEncoder().encode(Batch.of(np.zeros(count), NOW_NS, np.zeros(count)))
    rng = np.random.default_rng(1)
    count = SAMPLES_MAX
    noise = Batch.of(
        rng.integers(0, 2**31, count), rng.integers(0, 2**62, count), rng.normal(size=count)
    )
    encoder = BlockEncoder()
    encoder.encode(Batch.of(0, NOW_NS, 1.0))
    with pytest.raises(TooLargeError, match="split"):
        encoder.encode(noise)
    again = encoder.encode(Batch.of(0, NOW_NS, 2.0))
    assert BlockDecoder().decode(again).value.tolist() == [2.0]


def test_the_largest_block_fits():
    rng = np.random.default_rng(2)
    batch = Batch.of(np.arange(SAMPLES_MAX), NOW_NS, rng.integers(0, 1000, SAMPLES_MAX) / 10)
    assert BlockDecoder().decode(BlockEncoder().encode(batch)) == batch


def test_more_points_than_a_memory_holds_begin_anew():
    encoder, decoder = BlockEncoder(), BlockDecoder()
    for first in (0, SAMPLES_MAX, 2 * SAMPLES_MAX):
        batch = Batch.of(np.arange(first, first + SAMPLES_MAX), NOW_NS, np.ones(SAMPLES_MAX))
        assert decoder.decode(encoder.encode(batch)) == batch
    assert POINTS_MAX < 3 * SAMPLES_MAX


EMPTY = (0, b"")
TIMES = (0, (63, b"\x01\x00\x00\x80" + bytes(8)), (1, (0, b"\x01\x00\x00\x80")))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", MalformedError),
        (bytes(9), MalformedError),
        (bytes(BODY_BYTES_MAX + 1), TooLargeError),
        (sealed(0x20, b"\x92\x00\x00"), MalformedError),
        (sealed(PLAIN, b"\xc1"), MalformedError),
        (sealed(PLAIN, b"\x91" * 100_000), MalformedError),
        (sealed(COMPRESSED, b"\x28\xb5\x2f\xfd"), MalformedError),
        (sealed(COMPRESSED, b"no frame at all"), MalformedError),
        (sealed(COMPRESSED, zstandard.compress(bytes(100_000_000))), TooLargeError),
        (
            sealed(
                COMPRESSED,
                zstandard.ZstdCompressor(write_content_size=False).compress(b"\x92\x00\x00"),
            ),
            TooLargeError,
        ),
        (sealed(COMPRESSED, zstandard.compress(b"\x92\x00\x00") + b"more"), MalformedError),
        (block(), MalformedError),
        (block(0), MalformedError),
        (block("0", 0), MalformedError),
        (block(-1, 0), MalformedError),
        (block(1, 0), MalformedError),
        (block(0, -1), MalformedError),
        (block(0, 10**9), MalformedError),
        (block(0, 1), MalformedError),
        (block(0, 1, (0, b"\x01\x00\x00\x80")), MalformedError),
        (block(0, 1, (0, b"\x01\x00\x00\x80"), TIMES, 0, None, None, b""), MalformedError),
        (block(0, 1, EMPTY, TIMES), MalformedError),
        (block(0, 0, None, None, 0, None, None, b"", "more"), MalformedError),
    ],
)
def test_hostile_blocks_are_refused(body, error):
    with pytest.raises(error):
        BlockDecoder().decode(body)


@pytest.mark.parametrize("filler", [b"\x90", b"\x80", b"\xc0", b"\x00"])
def test_a_block_of_millions_of_things_builds_none_of_them(filler):
    count = PAYLOAD_BYTES_MAX - 100
    bomb = b"\xdd" + count.to_bytes(4, "big") + filler * count
    body = sealed(COMPRESSED, zstandard.compress(bomb))
    tracemalloc.start()
    try:
        with pytest.raises(MalformedError):
            BlockDecoder().decode(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * PAYLOAD_BYTES_MAX


def test_a_mutation_anywhere_is_noticed():
    body = BlockEncoder().encode(Devices(30).block(30))
    decoder = BlockDecoder()
    for place in range(len(body)):
        for bit in range(8):
            changed = bytearray(body)
            changed[place] ^= 1 << bit
            with pytest.raises(WireError):
                decoder.decode(bytes(changed))
    for size in range(len(body)):
        with pytest.raises(WireError):
            decoder.decode(body[:size])


def test_ten_thousand_mutations_by_someone_who_mends_the_checksum():
    rng = Random(7)
    encoder, devices, prefix = BlockEncoder(), Devices(20), []
    for _ in range(3):
        batch = devices.block(60)
        value = batch.value.copy()
        value[::17] = (np.nan, -0.0, np.inf, np.pi)[rng.randrange(4)]
        quality = np.where(np.arange(60) % 13 == 0, 0x81, 0).astype(np.uint8)
        prefix.append(encoder.encode(Batch(batch.point, batch.time_ns, value, quality)))
    payloads = [payload_of(body) for body in prefix]
    refused = 0
    for turn in range(10_000):
        which = turn % 3
        plain = bytearray(payloads[which])
        for _ in range(rng.randrange(1, 4)):
            plain[rng.randrange(len(plain))] ^= rng.randrange(1, 256)
        if turn % 7 == 0:
            del plain[rng.randrange(len(plain)) :]
        decoder = BlockDecoder()
        for body in prefix[:which]:
            decoder.decode(body)
        try:
            assert len(decoder.decode(sealed(PLAIN, bytes(plain)))) <= SAMPLES_MAX
        except WireError:
            refused += 1
    assert refused > 3000


def test_the_bytes_are_those_of_the_specification():
    """What lies in an outbox or a journal must be readable by every later release."""
    second = 10**9
    first = Batch(
        np.array([1, 2, 2, 7], np.int32),
        np.array([NOW_NS, NOW_NS, NOW_NS + second, NOW_NS]),
        np.array([12.5, 3 * 0.1, 0.4, np.nan]),
        np.array([0, 0, 0, 0x81], np.uint8),
    )
    then = Batch(
        first.point,
        np.array([NOW_NS + second] * 3 + [NOW_NS + 2 * second]),
        np.array([12.6, 0.5, -0.0, 3.25]),
        np.array([0, 0, 0x41, 0], np.uint8),
    )
    encoder, decoder = BlockEncoder(), BlockDecoder()
    written = [encoder.encode(first).hex(), encoder.encode(then).hex()]
    assert written == [
        "1f0b913d109800049201c40602000070802093039201c40c03000000000b40040072abd292039200c404010000"
        "7093029200c40401000030c4020081c394c0c40171c40101c40311fa06c4050100004000",
        "eac2077c10980104c093039201c405010000500092029200c4040100003093039200c40401000070c403004100"
        "93019201c4050100004000c4010194c0c40102c400c403028a02c405010000a080",
    ]
    for text, batch in zip(written, (first, then), strict=True):
        assert bits_of(decoder.decode(bytes.fromhex(text))) == bits_of(batch)
