"""The poller: pace, failures, back-off and statistics, on a virtual clock."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from citytwin.batch import SECOND_NS, Batch
from citytwin.clock import SystemClock
from citytwin.errors import (
    DeviceError,
    DeviceMalformed,
    DeviceRefused,
    DeviceSilent,
    StoreFull,
)
from citytwin.point import Point, Span
from citytwin.quality import Quality
from citytwin.testing import VirtualClock
from citytwin_edge.poller import Poller
from tests.edge.poller_fakes import Fake, FakePicking, FakePolled, play, run_for, said, spec_of


class TestPace:
    def test_a_grid_without_drift(self) -> None:
        adapter = FakePolled()

        async def takes_a_while(number: int) -> Batch:
            await asyncio.sleep(0.3 + 0.1 * (number % 5))
            return adapter.batch()

        adapter.script = takes_a_while
        poller, _ = play(adapter, 1000.5)
        assert adapter.at("read") == list(range(1001))
        assert (poller.stats.answered, poller.stats.skipped) == (1001, 0)
        assert poller.stats.samples == 2002
        assert adapter.calls[0] == ("open", 0.0)
        assert adapter.calls[-1][0] == "close"

    def test_slow_points_are_read_on_some_of_the_slots(self) -> None:
        adapter = FakePicking(3)
        play(adapter, 20.5, slow=(1,), slow_period_ns=5 * SECOND_NS)
        assert adapter.at("read") == [0, 5, 10, 15, 20]
        fast = [when for when in range(21) if when % 5]
        assert adapter.at("read [0, 2]") == fast

    def test_a_command_is_read_back_with_every_point(self) -> None:
        adapter = FakePicking(2)

        async def scene(poller: Poller) -> None:
            await asyncio.sleep(2.5)
            await poller.write(101, 7.0)

        play(adapter, 4.2, scene, slow=(1,), slow_period_ns=100 * SECOND_NS)
        assert adapter.at("read") == [0, 2.5]

    def test_an_adapter_that_cannot_choose_reads_all(self) -> None:
        adapter = FakePolled(2)
        play(adapter, 3.5, slow=(1,), slow_period_ns=100 * SECOND_NS)
        assert adapter.at("read") == [0, 1, 2, 3]

    def test_devices_of_one_pace_are_asked_at_one_moment(self) -> None:
        adapters = [FakePolled() for _ in range(3)]
        clock = VirtualClock()

        async def scene() -> None:
            pollers = [Poller(spec_of(one), clock, lambda _: None) for one in adapters]
            async with asyncio.TaskGroup() as group:
                for index, poller in enumerate(pollers):
                    group.create_task(run_for(poller, 5.5 - 0.21 * index))
                    await asyncio.sleep(0.21)

        clock.run(scene())
        assert adapters[0].at("read") == [0, 1, 2, 3, 4, 5]
        assert adapters[1].at("read") == adapters[2].at("read") == [1, 2, 3, 4, 5]

    def test_slots_that_pass_during_a_poll_are_skipped_and_counted(self) -> None:
        adapter = FakePolled()

        async def slow_once(number: int) -> Batch:
            await asyncio.sleep(3.4 if number == 3 else 0)
            return adapter.batch()

        adapter.script = slow_once
        poller, _ = play(adapter, 9.5)
        assert adapter.at("read") == [0, 1, 2, 5.4, 6, 7, 8, 9]
        assert poller.stats.skipped == 2
        assert poller.stats.latency_ns == 0

    def test_a_device_slower_than_its_pace_never_overlaps(self) -> None:
        adapter = FakePolled()

        async def slow(_: int) -> Batch:
            await asyncio.sleep(2.5)
            return adapter.batch()

        adapter.script = slow
        poller, _ = play(adapter, 100)
        assert poller.stats.polls == 40
        assert poller.stats.skipped == 58
        assert poller.stats.latency_ns == pytest.approx(2.5 * SECOND_NS)


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "quality", "reason"),
        [
            (DeviceSilent("a"), Quality.BAD_SILENT, "silent"),
            (TimeoutError(), Quality.BAD_SILENT, "silent"),
            (ConnectionResetError("a"), Quality.BAD_SILENT, "silent"),
            (DeviceError("a"), Quality.BAD_SILENT, "silent"),
            (DeviceMalformed("a"), Quality.BAD_MALFORMED, "malformed"),
            (DeviceRefused("a"), Quality.BAD_REFUSED, "refused"),
            (ZeroDivisionError("a"), Quality.BAD_MALFORMED, "fault"),
            (asyncio.CancelledError(), Quality.BAD_MALFORMED, "fault"),
        ],
    )
    def test_each_has_its_quality_and_recovery_is_at_once(
        self, error: BaseException, quality: Quality, reason: str
    ) -> None:
        adapter = FakePolled()

        async def fail_once(number: int) -> Batch:
            if number == 2:
                raise error
            return adapter.batch()

        adapter.script = fail_once
        poller, heard = play(adapter, 6.5)
        bad = [batch for _, batch in heard if batch.quality.any()]
        assert len(bad) == 1
        assert bad[0].point.tolist() == [100, 101]
        assert np.isnan(bad[0].value).all()
        assert bad[0].quality.tolist() == [quality] * 2
        late_ns = bad[0].time_ns - VirtualClock().now_ns() - SECOND_NS
        assert (np.abs(late_ns) < 1000).all(), "stamped when it failed"
        assert poller.stats.failures == {reason: 1}
        pause = 2 if reason == "silent" else 1
        assert adapter.at("read") == [0, 1, *range(1 + pause, 7)]
        assert poller.stats.success == (6 - pause + 1) / (7 - pause + 1)
        assert poller.stats.in_row == 0

    def test_a_read_that_hangs_is_ended(self) -> None:
        adapter = FakePolled()

        async def hang(number: int) -> Batch:
            if number == 1:
                await asyncio.sleep(1e9)
            return adapter.batch()

        adapter.script = hang
        poller, heard = play(adapter, 10.5, timeout_ns=3 * SECOND_NS)
        assert said(heard)[:2] == [(3, Quality.BAD_SILENT), (5, Quality.GOOD)]
        assert poller.stats.error == "no answer in time"

    def test_a_silent_device_is_left_alone_longer_and_longer(self) -> None:
        adapter = FakePolled()
        answers_from = 3000.0

        async def silent(_: int) -> Batch:
            if asyncio.get_running_loop().time() < answers_from:
                raise DeviceSilent("no answer")
            return adapter.batch()

        adapter.script = silent
        poller, heard = play(adapter, 3400.5, backoff_max_ns=60 * SECOND_NS)
        reads = adapter.at("read")
        assert reads[:6] == [0, 2, 6, 12, 20, 30]
        steps = np.diff([when for when in reads if when < answers_from])
        assert steps.max() == 60
        back = min(when for when in reads if when >= answers_from)
        assert back - answers_from < 60
        assert [when for when in reads if when > back] == list(np.arange(back + 1, 3401))
        silence = [when for when, quality in said(heard) if quality == Quality.BAD_SILENT]
        assert silence == [when for when in reads if when < answers_from], "once for each probe"
        assert poller.stats.in_row == 0

    def test_back_off_never_asks_more_often_than_the_pace(self) -> None:
        adapter = FakePolled()

        async def silent(_: int) -> Batch:
            raise DeviceSilent("no answer")

        adapter.script = silent
        play(adapter, 3600, period_ns=60 * SECOND_NS)
        assert adapter.at("read")[:4] == [0, 60, 120, 180]
        assert np.diff(adapter.at("read")).min() >= 60

    def test_a_device_that_does_not_open_is_opened_again(self) -> None:
        class Closed(FakePolled):
            async def open(self) -> None:
                await super().open()
                if len(self.at("open")) < 3:
                    raise DeviceSilent("not there")

        adapter = Closed()
        _, heard = play(adapter, 8.5)
        assert adapter.at("open") == [0, 2, 6]
        assert adapter.at("read") == [6, 7, 8]
        assert said(heard)[:3] == [
            (0, Quality.BAD_SILENT),
            (2, Quality.BAD_SILENT),
            (6, Quality.GOOD),
        ]

    def test_samples_of_a_foreign_point_are_a_fault(self) -> None:
        adapter = FakePolled()

        async def foreign(_: int) -> Batch:
            return Batch.of([2], 1, [1.0])

        adapter.script = foreign
        poller, heard = play(adapter, 0.5)
        assert poller.stats.failures == {"fault": 1}
        assert said(heard) == [(0, Quality.BAD_MALFORMED)]

    def test_a_pipeline_that_takes_nothing_does_not_end_it(self) -> None:
        def full(_: Batch) -> None:
            raise StoreFull("no room")

        adapter = FakePolled()
        clock = VirtualClock()

        async def scene() -> Poller:
            poller = Poller(spec_of(adapter), clock, full)
            await run_for(poller, 3.5)
            return poller

        poller = clock.run(scene())
        assert poller.stats.failures == {"fault": 4}
        assert (poller.stats.answered, poller.stats.samples) == (4, 0)

    def test_an_adapter_that_does_not_close(self) -> None:
        class Stuck(FakePolled):
            async def close(self) -> None:
                await super().close()
                await asyncio.sleep(1e9)

        adapter = Stuck()
        play(adapter, 1.5)
        assert adapter.calls[-1][0] == "close"


def test_values_stamps_and_ranges() -> None:
    adapter = FakePolled(3)

    async def some(_: int) -> Batch:
        return Batch.of([0, 1, 2], [7, 8, 9], [423, 5001, math.inf])

    adapter.script = some
    points = tuple(Point(id=f"gw/dev/p{i}", valid=Span(0, 500)) for i in range(3))
    _, heard = play(adapter, 0.5, points=points, scale=np.full(3, 0.1))
    (batch,) = [batch for _, batch in heard]
    assert batch.point.tolist() == [100, 101, 102]
    assert batch.time_ns.tolist() == [7, 8, 9], "the device's own stamps are kept"
    assert batch.value.tolist()[:2] == [42.3, 500.1]
    assert math.isnan(batch.value[2])
    assert batch.quality.tolist() == [0, Quality.UNCERTAIN_RANGE, Quality.BAD_NOT_A_NUMBER]


class TestSpec:
    def test_times_that_are_none(self) -> None:
        for name in ("period_ns", "timeout_ns", "backoff_step_ns", "backoff_max_ns"):
            with pytest.raises(ValueError, match="device dev: period, time-out and back-off"):
                spec_of(FakePolled(), **{name: 0})
        with pytest.raises(ValueError, match="stale_after_ns is not below zero"):
            spec_of(FakePolled(), stale_after_ns=-1)

    def test_an_adapter_that_can_do_nothing(self) -> None:
        with pytest.raises(TypeError, match="neither reads nor listens"):
            Poller(spec_of(Fake()), SystemClock(), lambda _: None)


def test_since_when_a_device_answers_or_does_not_is_known() -> None:
    adapter = FakePolled()

    async def script(read: int) -> Batch:
        if 3 <= read <= 4:
            raise DeviceSilent("no answer")
        return adapter.batch()

    adapter.script = script
    seen: list[tuple[float, int]] = []

    async def beside(poller: Poller) -> None:
        for at_s in (1.5, 3.5, 15.0):
            await asyncio.sleep(at_s - asyncio.get_running_loop().time())
            start_ns = poller._clock.now_ns() - poller._clock.monotonic_ns()
            seen.append(((poller.stats.since_ns - start_ns) / SECOND_NS, poller.stats.in_row))

    poller, _ = play(adapter, 16, beside)
    assert [in_row for _, in_row in seen] == [0, 1, 0]
    assert [since_s for since_s, _ in seen] == pytest.approx([0.0, 2.0, 8.0])
    assert poller.stats.latency_s(0.5) == 0.0
    assert poller.stats.error == "no answer"
