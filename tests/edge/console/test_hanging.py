"""Work for somebody ends when he hangs up, and not before."""

import asyncio

import pytest

from citytwin_edge.console.hanging import while_there


async def test_work_goes_to_its_end_while_he_listens():
    done = []

    async def work():
        await asyncio.sleep(0)
        done.append(1)

    await while_there(asyncio.StreamReader(), work())
    assert done == [1]


async def test_an_error_in_it_is_told():
    async def work():
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await while_there(asyncio.StreamReader(), work())


@pytest.mark.parametrize("end", [lambda r: r.feed_eof(), lambda r: r.feed_data(b"more")])
async def test_he_hangs_up(end):
    reader, ended = asyncio.StreamReader(), asyncio.Event()

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    asyncio.get_running_loop().call_soon(end, reader)
    async with asyncio.timeout(5):
        await while_there(reader, work())
    assert ended.is_set()
