"""The basics by themselves: what a run keeps of one property for the next."""

import pytest

from citytwin.errors import DeviceSilent
from citytwin.testing import BrokenPromise, State
from citytwin.testing.basics import Basics
from tests.common.testing.gauges import BINDINGS, Device, Listening, Polled, new_site


class Half(Listening):
    """Never says how warm it is."""

    def batch(self, values):
        return super().batch(values[:1])


async def test_who_listens_may_miss_a_point_that_nobody_speaks_of():
    """Without a bench nobody says that the device speaks of it at all."""
    async with Device().streaming() as bench:
        run = Basics(lambda: Half(bench.port, new_site()), BINDINGS, 0.5, None, {})
        await run.answers(None)
        assert run.report.findings["complete"] == (
            State.NOT_PROVEN, "within 0.5 s nothing was heard of temp",
        )  # fmt: skip
        assert run.truth.points == {0}
        await run.abandon()
        run = Basics(lambda: Half(bench.port, new_site()), BINDINGS, 0.5, bench, {})
        with pytest.raises(BrokenPromise, match="nothing was heard of temp"):
            await run.answers(None)
        await run.abandon()
        assert bench.mutated == 0


async def test_who_does_not_answer_at_all_is_told_of():
    class Dead(Polled):
        async def read(self):
            raise DeviceSilent("no power")

    run = Basics(lambda: Dead(1, new_site()), BINDINGS, 0.5, None, {})
    run_again = run.answers(None)
    with pytest.raises(BrokenPromise, match=r"the adapter raised DeviceSilent"):
        await run_again
    await run.abandon()


async def test_what_a_broken_promise_leaves_open_is_closed():
    async with Device().polled() as bench:
        run = Basics(lambda: Polled(bench.port, new_site()), BINDINGS, 1.0, None, {})
        session = run.session()
        await session.open()
        await run.abandon()
        assert not session.is_open
