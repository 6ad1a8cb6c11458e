"""Ptys: what goes in at one end comes out at the other, by a path that stays."""

import asyncio
import contextlib
import os
import tty

import serial

from democity.ptys import SerialLine


async def test_bytes_go_both_ways_unchanged(tmp_path):
    line = SerialLine(tmp_path / "tty", "one")
    field, gateway = (serial.Serial(str(end), 19200, timeout=10) for end in line.ends)
    with field, gateway:
        every = bytes(range(256))
        for source, sink in ((field, gateway), (gateway, field)):
            source.write(every)
            assert await asyncio.to_thread(sink.read, len(every)) == every
    line.close()


async def test_an_end_can_be_opened_again_and_the_path_is_the_same_next_time(tmp_path):
    for _ in range(2):
        line = SerialLine(tmp_path / "tty", "one")
        assert [end.name for end in line.ends] == ["one-field", "one-gateway"]
        for word in (b"first", b"again"):
            with serial.Serial(str(line.ends[0]), timeout=10) as field:
                field.write(word)
            with serial.Serial(str(line.ends[1]), timeout=10) as gateway:
                assert await asyncio.to_thread(gateway.read, len(word)) == word
        line.close()
        assert not any(end.is_symlink() for end in line.ends)


async def test_what_nobody_reads_is_lost_not_kept_nor_waited_for(tmp_path):
    line = SerialLine(tmp_path / "tty", "one")
    end = os.open(line.ends[0], os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    tty.setraw(end)
    sent = 0
    async with asyncio.timeout(20):
        while sent < 200_000:
            with contextlib.suppress(BlockingIOError):
                sent += os.write(end, bytes(4096))
            await asyncio.sleep(0)
    os.close(end)
    line.close()
