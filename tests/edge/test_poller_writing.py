"""The poller and commands: scale undone, no overlap, read-back at once."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from citytwin.batch import SECOND_NS, Batch
from citytwin.clock import SystemClock
from citytwin.errors import (
    DeviceError,
    DeviceMalformed,
    DeviceRefused,
    DeviceSilent,
)
from citytwin.testing import VirtualClock
from citytwin_edge.poller import Poller
from tests.edge.modbus_devices import (
    build,
    device,
    holding,
    new_site,
    tcp_server,
)
from tests.edge.poller_fakes import (
    Fake,
    FakeListening,
    FakePolled,
    play,
    run_for,
    spec_of,
)


class TestWriting:
    @staticmethod
    def write(
        adapter: Fake, *orders: tuple[float, int, float], **more: Any
    ) -> list[BaseException | None]:
        clock = VirtualClock()

        async def order(poller: Poller, when: float, number: int, value: float) -> None:
            await asyncio.sleep(when)
            await poller.write(number, value)

        async def scene() -> list[BaseException | None]:
            poller = Poller(spec_of(adapter, **more), clock, lambda _: None)
            running = asyncio.create_task(run_for(poller, 130))
            done = await asyncio.gather(
                *(order(poller, *one) for one in orders), return_exceptions=True
            )
            await running
            return done

        return clock.run(scene())

    def test_scale_and_offset_are_undone_and_the_read_back_follows_at_once(self) -> None:
        adapter = FakePolled()
        period = {"period_ns": 60 * SECOND_NS}
        done = self.write(
            adapter, (10.5, 101, 42.3), scale=np.full(2, 0.1), offset=np.full(2, 2.0), **period
        )
        assert done == [None]
        assert adapter.at("write 1 403") == [10.5]
        assert adapter.at("read") == [0, 10.5, 60, 120], "the grid is kept"

    def test_a_write_waits_for_the_poll_and_comes_before_the_next(self) -> None:
        adapter = FakePolled()

        async def slow(_: int) -> Batch:
            await asyncio.sleep(0.9)
            return adapter.batch()

        adapter.script = slow
        assert self.write(adapter, (0.1, 100, 1), (0.2, 101, 2)) == [None, None]
        assert adapter.at("write 0 1") == adapter.at("write 1 2") == [0.9]

    def test_a_silent_device_that_was_commanded_is_asked_at_once(self) -> None:
        adapter = FakePolled()

        async def silent(_: int) -> Batch:
            raise DeviceSilent("no answer")

        adapter.script = silent
        self.write(adapter, (25, 100, 1))
        assert adapter.at("read")[:6] == [0, 2, 6, 12, 20, 25]

    def test_what_cannot_be_written(self) -> None:
        (error,) = self.write(FakePolled(), (1, 7, 1))
        assert isinstance(error, DeviceRefused)
        assert str(error) == "point number 7 does not belong to dev"
        (error,) = self.write(FakeListening(), (1, 100, 1))
        assert isinstance(error, DeviceRefused)
        assert str(error) == "device dev cannot be commanded"

    @pytest.mark.parametrize(
        ("raised", "expected"),
        [
            (DeviceRefused("no"), DeviceRefused),
            (DeviceMalformed("no"), DeviceMalformed),
            (OSError("no"), DeviceSilent),
            (RuntimeError("no"), DeviceError),
        ],
    )
    def test_errors(self, raised: Exception, expected: type[DeviceError]) -> None:
        class Failing(FakePolled):
            async def write(self, point: int, value: float) -> None:
                raise raised

        (error,) = self.write(Failing(), (1, 100, 1))
        assert type(error) is expected
        assert "no" in str(error)

    def test_a_write_that_hangs_is_ended(self) -> None:
        class Hanging(FakePolled):
            async def write(self, point: int, value: float) -> None:
                await asyncio.sleep(1e9)

        adapter = Hanging()
        (error,) = self.write(adapter, (1.5, 100, 1), timeout_ns=5 * SECOND_NS)
        assert isinstance(error, DeviceSilent)
        assert adapter.at("read")[2:5] == [6.5, 6.5, 7]


async def test_a_command_reaches_a_real_device_and_is_read_back() -> None:
    async with tcp_server(device(1, [(0, (0,))])) as port:
        adapter = build(new_site(), holding(0), host="127.0.0.1", port=port)
        seen: asyncio.Queue[float] = asyncio.Queue(maxsize=100)
        spec = spec_of(adapter, 1, scale=np.array([0.1]), period_ns=3600 * SECOND_NS)
        poller = Poller(spec, SystemClock(), lambda batch: seen.put_nowait(batch.value[0]))
        task = asyncio.create_task(poller.run())
        async with asyncio.timeout(5):
            await poller.write(100, 42.3)
            while await seen.get() != 42.3:
                pass
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_whoever_borrows_the_adapter_has_it_between_two_polls() -> None:
    adapter, seen = FakePolled(), []

    async def beside(poller: Poller) -> None:
        await asyncio.sleep(2.5)

        async def use(lent: Any) -> str:
            assert lent is adapter
            assert adapter.inside == 0, "calls to one adapter never overlap"
            adapter.inside += 1
            await asyncio.sleep(3)
            adapter.inside -= 1
            return "done"

        seen.append(await poller.lend(use, 5.0))

        async def hang(_lent: Any) -> None:
            await asyncio.sleep(100)

        with pytest.raises(TimeoutError):
            await poller.lend(hang, 1.0)

    poller, _ = play(adapter, 20, beside)
    assert seen == ["done"]
    assert adapter.at("open") == [0.0], "it was open already"
    assert poller.stats.skipped == 1, "of the slots that passed the first was only late"
    assert poller.stats.failures.total() == 0


def test_a_silent_device_is_opened_for_whoever_borrows_it() -> None:
    class Shut(FakePolled):
        async def open(self) -> None:
            await super().open()
            raise DeviceSilent("it is off")

    async def beside(poller: Poller) -> None:
        async def use(_lent: Any) -> None:
            raise AssertionError("it is not there")

        with pytest.raises(DeviceSilent, match="it is off"):
            await poller.lend(use, 5.0)

    play(Shut(), 3, beside)
