"""Benches do to real sockets and pseudo terminals what is asked of them."""

import asyncio
import contextlib
import errno
import os

import pytest

from citytwin.testing import Bench, Mutates, PtyBench, Silences, TcpBench, Unplugs, forwarded


async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line)


async def speak(_reader, writer):
    while True:
        writer.write(b"tick\n")
        await asyncio.sleep(0.01)


class Wire:
    """The other end, of a socket or of a serial port."""

    def __init__(self, bench):
        self.bench, self.file = bench, -1
        self.reader = self.writer = None

    async def __aenter__(self):
        if isinstance(self.bench, TcpBench):
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.bench.port)
        else:
            self.file = os.open(self.bench.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        return self

    async def __aexit__(self, *_):
        if self.writer is not None:
            self.writer.transport.abort()
        else:
            os.close(self.file)

    async def said(self, data, timeout_s=5.0):
        """Send, and return what comes; nothing when nothing does."""
        if self.writer is not None:
            self.writer.write(data)
        else:
            os.write(self.file, data)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                return await self._next()
        return b""

    async def _next(self):
        if self.reader is not None:
            return await self.reader.read(100)
        while True:
            with contextlib.suppress(BlockingIOError):
                return os.read(self.file, 100)
            await asyncio.sleep(0.005)


BENCHES = pytest.mark.parametrize("kind", [TcpBench, PtyBench])


@BENCHES
async def test_what_can_be_done_to_a_device(kind):
    async with kind(echo) as bench:
        assert all(isinstance(bench, can) for can in (Bench, Silences, Unplugs, Mutates))
        async with Wire(bench) as wire:
            assert await wire.said(b"one\n") == b"one\n"
            await bench.silent()
            assert await wire.said(b"two\n", 0.1) == b""
            await bench.answering()
            assert await wire.said(b"three\n") == b"three\n", "what was kept back is gone"
            await bench.mutating(1)
            heard = [await wire.said(b"one\n", 0.2) for _ in range(5)]
            assert b"one\n" not in heard
            assert bench.mutated == 5


@BENCHES
async def test_unplugged_and_plugged_in_again_at_the_same_place(kind):
    async with kind(echo) as bench:
        place = getattr(bench, "port", None) or bench.path
        async with Wire(bench) as wire:
            assert await wire.said(b"one\n") == b"one\n"
            await bench.unplugged()
            with contextlib.suppress(OSError):  # a reset, an input/output error, or the end
                assert await wire.said(b"") == b""
            with pytest.raises(OSError) as refused:
                await Wire(bench).__aenter__()
            assert refused.value.errno in {errno.ECONNREFUSED, errno.ENOENT}
        await bench.answering()
        assert place == (getattr(bench, "port", None) or bench.path)
        async with Wire(bench) as wire:
            assert await wire.said(b"one\n") == b"one\n"


@BENCHES
async def test_who_only_speaks_stops_when_nobody_is_there(kind):
    before = asyncio.all_tasks()
    async with kind(speak) as bench:
        for _ in range(3):
            async with Wire(bench) as wire:
                assert b"tick\n" in await wire.said(b"")
        if kind is TcpBench:
            async with asyncio.timeout(5):
                while asyncio.all_tasks() != before:
                    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before


async def test_a_device_that_is_elsewhere():
    async with TcpBench(echo) as far, TcpBench(forwarded("127.0.0.1", far.port)) as bench:
        async with Wire(bench) as wire:
            assert await wire.said(b"one\n") == b"one\n"
            await far.unplugged()
            assert await wire.said(b"") == b"", "its end is ours"


async def test_a_device_that_fails_fails_the_test():
    async def faulty(reader, writer):
        raise ZeroDivisionError("a mistake in the test's device")

    with pytest.raises(ZeroDivisionError, match="mistake"):
        async with TcpBench(faulty) as bench, Wire(bench) as wire:
            await wire.said(b"")
