"""A session holds each answer of an adapter to the contract, and waits for none without limit."""

import asyncio

import pytest

from citytwin import Batch
from citytwin.errors import DeviceSilent
from citytwin.testing import BrokenPromise
from citytwin.testing.session import Session, within
from tests.common.testing.gauges import BINDINGS, Device, Listening, Polled, new_site


async def test_who_waits_too_long_breaks_the_promise_and_is_cancelled():
    begun = asyncio.Event()

    async def forever():
        begun.set()
        await asyncio.sleep(3600)

    with pytest.raises(BrokenPromise, match=r"read\(\) still waits after 0.05 s") as broken:
        await within("silence", forever(), 0.05, "read()")
    assert broken.value.property == "silence"
    assert begun.is_set()
    assert all("forever" not in repr(task) for task in asyncio.all_tasks())


async def test_a_device_error_is_passed_on_and_no_other():
    async def fails(error):
        raise error

    with pytest.raises(DeviceSilent):
        await within("silence", fails(DeviceSilent("gone")), 1, "read()")
    with pytest.raises(BrokenPromise, match="KeyError"):
        await within("silence", fails(KeyError("gone")), 1, "read()")


async def test_reading_and_listening():
    async with Device().polled() as bench:
        async with Session(Polled(bench.port, new_site()), BINDINGS, 5.0) as session:
            assert session.is_open
            assert (await session.deliver()).value.tolist() == [2.5, 18.0]
        assert not session.is_open
    async with Device().streaming() as bench:
        async with Session(Listening(bench.port, new_site()), BINDINGS, 5.0) as session:
            assert set((await session.deliver()).point.tolist()) == {0, 1}
            assert await session.hear(5.0) is not None


async def test_what_was_heard_in_part_is_heard_on():
    async with Device().streaming() as bench:
        async with Session(Listening(bench.port, new_site()), BINDINGS, 5.0) as session:
            while await session.hear(0.001) is not None:
                pass
            assert await session.hear(5.0) is not None, "the wait goes on where it was"


@pytest.mark.parametrize(
    ("batch", "promise"),
    [
        (Batch.empty(), "samples"),
        (Batch.of([2], 10**18, [1.0]), "complete"),
        (Batch.of([-1], 10**18, [1.0]), "complete"),
        (Batch.of([0], 10**18, [float("nan")]), "samples"),
        (Batch.of([0, 0], [2, 1], [1.0, 1.0]), "stamps"),
        ([1.0], "samples"),
    ],
)
def test_what_is_no_answer(batch, promise):
    session = Session(Polled(0, new_site()), BINDINGS, 1.0)
    with pytest.raises(BrokenPromise) as broken:
        session.judge(batch)
    assert broken.value.property == promise
