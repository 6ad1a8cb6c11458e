"""The poller of a device that speaks by itself: lost lines, stale points."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from citytwin.batch import SECOND_NS, Batch
from citytwin.errors import (
    DeviceMalformed,
    DeviceSilent,
)
from citytwin.quality import Quality
from citytwin.testing import VirtualClock
from citytwin_edge.poller import Poller
from tests.edge.poller_fakes import FakeListening, FakePolled, play, said, spec_of


def poller_of(adapter: FakeListening) -> Poller:
    return Poller(spec_of(adapter), VirtualClock(), lambda _batch: None)


class TestListening:
    def test_what_is_heard_is_emitted(self) -> None:
        adapter = FakeListening()
        adapter.plan = [(1, Batch.of([1], 5, [1.5])), (2, Batch.of([0, 1], 6, [2.5, 3.5]))]
        poller, heard = play(adapter, 60)
        assert [(when, batch.point.tolist()) for when, batch in heard] == [
            (1, [101]),
            (3, [100, 101]),
        ]
        assert poller.stats.samples == 3
        assert [name for name, _ in adapter.calls] == ["open", "listen", "close"]

    @pytest.mark.parametrize(
        ("end", "quality"),
        [
            (DeviceSilent("broker gone"), Quality.BAD_SILENT),
            (OSError("cable"), Quality.BAD_SILENT),
            (DeviceMalformed("nonsense"), Quality.BAD_MALFORMED),
            (KeyError("bug"), Quality.BAD_MALFORMED),
            (asyncio.CancelledError(), Quality.BAD_MALFORMED),
            (None, Quality.BAD_SILENT),
        ],
    )
    def test_a_lost_line_is_opened_again(self, end: BaseException | None, quality: Quality) -> None:
        adapter = FakeListening()
        adapter.plan = [(1, end), (1, Batch.of([0], 5, [1.5]))]
        poller, heard = play(adapter, 60)
        assert said(heard) == [(1, quality), (4, Quality.GOOD)]
        assert [name for name, _ in adapter.calls] == [
            "open", "listen", "close", "open", "listen", "close",
        ]  # fmt: skip
        assert poller.stats.in_row == 0

    def test_a_line_that_stays_lost_is_tried_less_and_less(self) -> None:
        adapter = FakeListening()
        adapter.plan = [(0, DeviceSilent("gone"))] * 100
        play(adapter, 3600, backoff_max_ns=20 * SECOND_NS)
        assert adapter.at("open")[:5] == [0, 2, 6, 12, 20]
        assert np.diff(adapter.at("open")).max() == 20

    def test_a_point_that_is_heard_no_more_is_stale_once(self) -> None:
        adapter = FakeListening(3)
        adapter.plan = [(5.0, Batch.of([0], 5, [1.0]))] * 3
        adapter.plan.append((5.0, Batch.of([0, 1], 5, [1.0, 1.0])))
        _, heard = play(adapter, 300, stale_after_ns=12 * SECOND_NS)
        stale = [
            (when, batch.point.tolist())
            for when, batch in heard
            if Quality.BAD_STALE in batch.quality
        ]
        assert stale == [(12, [101, 102]), (32, [100, 101])]

    def test_a_point_that_is_told_when_it_changes_is_stale_with_its_device_only(self) -> None:
        adapter = FakeListening(2)
        adapter.plan = [(5.0, Batch.of([0, 1], 5, [1.0, 1.0]))]
        adapter.plan += [(8.0, Batch.of([0], 5, [1.0]))] * 4
        adapter.plan += [(40.0, Batch.of([0], 5, [1.0]))]
        _, heard = play(adapter, 200, stale_after_ns=12 * SECOND_NS, stale_together=True)
        stale = [
            (when, batch.point.tolist())
            for when, batch in heard
            if Quality.BAD_STALE in batch.quality
        ]
        # The first speaks again at 77 and falls silent; of the second nothing new is known.
        assert stale == [(49, [100, 101]), (89, [100])]

    def test_a_point_that_was_never_heard_is_stale(self) -> None:
        _, heard = play(FakeListening(), 100, stale_after_ns=30 * SECOND_NS)
        assert said(heard) == [(30, Quality.BAD_STALE)]

    def test_a_lost_line_is_not_stale_besides(self) -> None:
        adapter = FakeListening()
        adapter.plan = [(1, DeviceSilent("gone"))]
        _, heard = play(adapter, 100, stale_after_ns=30 * SECOND_NS)
        assert said(heard) == [(1, Quality.BAD_SILENT)]

    def test_what_a_device_says_of_itself_is_counted_and_told_once(self) -> None:
        def says(*codes: Quality) -> Batch:
            return Batch.of([0, 1], 5, [np.nan, np.nan], codes)

        adapter = FakeListening()
        gone = says(Quality.BAD_SILENT, Quality.BAD_SILENT)
        adapter.plan = [
            (1, Batch.of([0, 1], 5, [1.0, 1.0])),
            (1, gone),
            (1, gone),
            (1, says(Quality.BAD_OVERFLOW, Quality.BAD_NOT_A_NUMBER)),
        ]
        poller, heard = play(adapter, 100, stale_after_ns=30 * SECOND_NS)
        assert dict(poller.stats.failures) == {"silent": 2, "overflow": 1}
        assert (poller.stats.answered, poller.stats.in_row, poller.stats.success) == (1, 3, 0.25)
        # Not left alone, since it may speak again at once; stale only after the overflow.
        assert len(adapter.at("listen")) == 1
        assert [when for when, batch in heard if Quality.BAD_STALE in batch.quality] == [34]

    def test_a_confirmation_is_the_adapters(self) -> None:
        class Confirming(FakeListening):
            def confirmation(self) -> Callable[[], None]:
                return lambda: self.note("confirmed")

        async def scene() -> tuple[Confirming, bool]:
            adapter = Confirming()
            confirm = poller_of(adapter).confirmation()
            assert confirm is not None
            confirm()
            return adapter, poller_of(FakeListening()).confirmation() is None

        adapter, is_none = VirtualClock().run(scene())
        assert [name for name, _ in adapter.calls] == ["confirmed"]
        assert is_none

    def test_an_adapter_may_do_both(self) -> None:
        class Both(FakePolled, FakeListening):
            pass

        adapter = Both()
        adapter.plan = [(0.5, Batch.of([1], 5, [1.5]))]
        _, heard = play(adapter, 1.5)
        assert [when for when, _ in heard] == [0, 0.5, 1]
        assert len(adapter.at("open")) == 1
