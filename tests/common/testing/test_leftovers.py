"""What was begun and not ended is found, by its name; what ends by itself is not."""

import asyncio
import os
import threading

from citytwin.testing.leftovers import Leftovers


async def test_nothing_is_left_where_nothing_was_begun():
    assert await Leftovers().found() == []


async def test_what_is_left_has_a_name():
    before, stop = Leftovers(), threading.Event()
    task = asyncio.ensure_future(asyncio.sleep(3600))
    thread = threading.Thread(target=stop.wait, name="reader-1")
    thread.start()
    pooled = asyncio.get_running_loop().run_in_executor(None, stop.wait)
    file = os.open("/dev/null", os.O_RDONLY)
    try:
        assert await before.found() == [
            "task sleep", "thread asyncio_", "thread reader-", "open file /dev/null",
        ]  # fmt: skip
    finally:
        stop.set()
        os.close(file)
        task.cancel()
        thread.join()
        await pooled
        await asyncio.gather(task, return_exceptions=True)
    assert await before.found() == []


async def test_what_ends_in_a_moment_is_no_leftover():
    before = Leftovers()
    asyncio.get_running_loop().create_task(asyncio.sleep(0.1))
    assert await before.found() == []


async def test_an_idle_thread_of_the_pool_is_no_leftover():
    before = Leftovers()
    await asyncio.get_running_loop().run_in_executor(None, os.getpid)
    assert await before.found() == []


async def test_what_is_opened_once_is_forgiven_a_busy_thread_of_the_pool_is_not():
    before, stop = Leftovers(), threading.Event()
    file = os.open("/dev/null", os.O_RDONLY)
    pooled = asyncio.get_running_loop().run_in_executor(None, stop.wait)
    await before.forgive()
    try:
        assert await before.found() == ["thread asyncio_"]
    finally:
        stop.set()
        os.close(file)
        await pooled
