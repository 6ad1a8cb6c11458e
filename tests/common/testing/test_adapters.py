"""The check passes who keeps every promise, and names the one that each broken adapter breaks."""

from __future__ import annotations

import pytest

from citytwin import Quality
from citytwin.adapter import Exchange, Probed
from citytwin.errors import DeviceMalformed
from citytwin.testing import BrokenPromise, Recorded, State, check_adapter
from citytwin.testing.report import PROPERTIES
from tests.common.testing import rogues
from tests.common.testing.gauges import (
    BINDINGS,
    Device,
    Listening,
    Polled,
    framed,
    new_site,
    run,
)


async def checked(kind, bench_of, **more):
    site = new_site()
    device = Device()
    async with bench_of(device) as bench:
        given = {"writes": {0: 3.0}, "frames": 300, "bench": bench, "timeout_s": 2.0, **more}
        return await check_adapter(lambda: kind(bench.port, site), BINDINGS, site=site, **given)


def test_who_keeps_every_promise_is_gold():
    report = run(checked(Polled, Device.polled, frames=10_000))
    assert report.level == "gold", str(report)
    assert report.batch.value.tolist() == [2.5, 18.0]
    assert {report.state(one.name) for one in PROPERTIES} == {State.PROVEN}
    assert report.badge == "CityTwin adapter check: gold (12 of 12 properties proven)"


def test_who_listens_is_gold_too():
    report = run(checked(Listening, Device.streaming, frames=10_000))
    assert report.level == "gold", str(report)
    assert report.findings["writes"].state is State.NOT_APPLICABLE


async def test_the_simple_call_proves_what_it_can():
    site = new_site()
    async with Device().polled() as bench:
        report = await check_adapter(lambda: Polled(bench.port, site), BINDINGS)
    assert report.level == "bronze", str(report)
    assert report.state("silence") is State.NOT_ASKED
    assert "give a bench with silent()" in str(report)


def test_fewer_frames_are_said_and_are_not_gold():
    report = run(checked(Polled, Device.polled))
    assert report.level == "silver"
    assert report.findings["mutation"] == (State.NOT_PROVEN, "300 on the line")


# ---- each breaks one promise

POLLED = [
    (rogues.LeaksATask, "leftovers", "task sleep"),
    (rogues.LeaksAThread, "leftovers", "thread Thread-"),
    (rogues.LeaksAFile, "leftovers", "/dev/null"),
    (rogues.LeaksAConnection, "leftovers", "socket:"),
    (rogues.SwallowsCancellation, "cancel", "as if it were not cancelled"),
    (rogues.OutlivesCancellation, "cancel", "goes on a second after"),
    (rogues.RaisesWhenCancelled, "cancel", "cancelled, raised DeviceSilent"),
    (rogues.SpoiltByCancellation, "cancel", "out of step"),
    (rogues.ForgetsAPoint, "complete", "temp is missing"),
    (rogues.AddsAPoint, "complete", r"points \[2\] have no binding"),
    (rogues.TellsAPointTwice, "complete", "twice"),
    (rogues.StampsBackwards, "stamps", "level was stamped"),
    (rogues.StampsNothing, "samples", "no time stamp: level, temp"),
    (rogues.CallsNanGood, "samples", "NaN must have a bad quality: temp"),
    (rogues.MeasuresInfinity, "samples", "infinite value is no measurement: temp"),
    (rogues.ReadsNoBatch, "samples", "a list is no Batch"),
    (rogues.ClosesWithAnError, "reopen", r"close\(\) raised DeviceSilent"),
    (rogues.ClosesForever, "reopen", r"close\(\) still waits after 1 s"),
    (rogues.OpensOnce, "reopen", r"open\(\) raised RuntimeError: open already"),
    (rogues.HangsOnSilence, "silence", r"read\(\) still waits after 2 s"),
    (rogues.RaisesOtherwiseOnSilence, "silence", "raised KeyError"),
    (rogues.RepeatsItselfOnSilence, "silence", "still there are values"),
    (rogues.ZeroOnSilence, "silence", "still there are values"),
    (rogues.NeverRecovers, "recovery", "30 s later"),
    (rogues.ReadsUnplugged, "recovery", "unplugged, and still there are values"),
    (rogues.WritesNothing, "writes", "was set to 3 and says 2.5"),
    (rogues.RefusesToWrite, "writes", "not today"),
    (rogues.IgnoresTheChecksum, "mutation", "which the device never said"),
    (rogues.ZeroWhenMalformed, "mutation", "became 0, which the device never said"),
    (rogues.StumblesOverMutations, "mutation", "IndexError"),
    (rogues.ProbesHalf, "probe", "every point"),
    (rogues.ProbesWithoutBytes, "probe", "no raw bytes that carried them"),
]


@pytest.fixture(autouse=True)
def tidied():
    rogues.STOP.clear()
    yield
    rogues.let_go()


def breaks(kind, bench_of, promise, words):
    with pytest.raises(BrokenPromise, match=words) as broken:
        run(checked(kind, bench_of))
    assert broken.value.property == promise


@pytest.mark.filterwarnings("ignore")  # of what they leave behind
@pytest.mark.parametrize(("kind", "promise", "words"), POLLED)
def test_each_broken_adapter_is_found_out(kind, promise, words):
    breaks(kind, Device.polled, promise, words)


async def test_a_thread_of_the_pool_that_never_ends_is_found_out():
    """On a real loop: a virtual one has no threads."""
    try:
        with pytest.raises(BrokenPromise, match="thread asyncio_") as broken:
            await checked(rogues.KeepsAPoolThreadBusy, Device.polled)
    finally:
        rogues.STOP.set()
    assert broken.value.property == "leftovers"


# ---- and of those that listen

LISTENING = [
    (rogues.NeverTellsAPoint, "complete", "nothing was heard of temp"),
    (rogues.TellsWithoutAsking, "silence", "10 s later still there are values"),
    (rogues.ListensForever, "cancel", r"listen\(\) after close\(\) still waits"),
    (rogues.GivesInvalidBatches, "samples", "no samples"),
    (rogues.HoldsOnWhenCancelled, "cancel", "goes on after it was cancelled"),
    (rogues.NeverHearsAgain, "recovery", "no connection"),
    (rogues.HearsNoise, "mutation", "which the device never said"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "promise", "words"), LISTENING)
def test_each_broken_listener_is_found_out(kind, promise, words):
    breaks(kind, Device.streaming, promise, words)


@pytest.mark.parametrize(("kind", "words"), [(object, "open"), (Device, "open")])
async def test_what_is_no_adapter(kind, words):
    with pytest.raises(BrokenPromise, match=words):
        await check_adapter(kind, BINDINGS)


# ---- without a line


def decode(exchanges):
    gauge, found = Polled(0, new_site()), []
    for _, response in exchanges:
        values = gauge.values(response)
        found += [Probed(i, response, v, Quality.GOOD, 0) for i, v in enumerate(values)]
    return found


def decode_anyhow(exchanges):
    try:
        return decode(exchanges)
    except DeviceMalformed:
        return [one._replace(value=0.0) for one in decode([Exchange(b"", Device().line())])]


async def test_recorded_frames_are_mutated_without_a_line():
    site = new_site()
    recorded = Recorded(decode, [Exchange(b"?\n", framed("level=1.0;temp=2.0"))], 32)
    async with Device().polled() as bench:
        report = await check_adapter(lambda: Polled(bench.port, site), BINDINGS, recorded=recorded)
        assert report.findings["mutation"] == (State.PROVEN, "10000 recorded")
        with pytest.raises(BrokenPromise, match="became 0, which the device never said"):
            await check_adapter(
                lambda: Polled(bench.port, site), BINDINGS,
                recorded=recorded._replace(decode=decode_anyhow),
            )  # fmt: skip
