"""The check passes who keeps every promise, and names the one that each broken adapter breaks."""

from __future__ import annotations

import asyncio
import gc
import os
import threading

import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.adapter import Exchange
from citytwin.errors import DeviceError, DeviceMalformed, DeviceSilent
from citytwin.testing import BrokenPromise, Recorded, State, check_adapter
from citytwin.testing.report import PROPERTIES
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


class LeaksATask(Polled):
    async def open(self):
        await super().open()
        self.watch = asyncio.ensure_future(asyncio.sleep(3600))


class LeaksAThread(Polled):
    async def open(self):
        await super().open()
        threading.Thread(target=STOP.wait, daemon=True).start()


class LeaksAFile(Polled):
    async def open(self):
        if self.line is None:
            LEAKED.append(os.open("/dev/null", os.O_RDONLY))
        await super().open()


class KeepsAPoolThreadBusy(Polled):
    async def open(self):
        await super().open()
        asyncio.get_running_loop().run_in_executor(None, STOP.wait)


class LeaksAConnection(Polled):
    async def close(self):
        if self.line is not None:
            LEAKED.append(self.line)
            self.line = None


class SwallowsCancellation(Polled):
    async def read(self):
        try:
            return await super().read()
        except asyncio.CancelledError:
            return self.batch([2.5, 18.0])


class OutlivesCancellation(Polled):
    async def read(self):
        try:
            return await super().read()
        except asyncio.CancelledError:
            await asyncio.sleep(3600)
            raise


class RaisesWhenCancelled(Polled):
    async def read(self):
        try:
            return await super().read()
        except asyncio.CancelledError:
            raise DeviceSilent("cancelled") from None


class SpoiltByCancellation(Polled):
    spoilt = False

    async def read(self):
        if self.spoilt:
            raise DeviceSilent("out of step")
        try:
            return await super().read()
        except asyncio.CancelledError:
            self.spoilt = True
            raise


class ForgetsAPoint(Polled):
    def batch(self, values):
        return super().batch(values[:1])


class AddsAPoint(Polled):
    def batch(self, values):
        return super().batch([*values, 1.0])


class TellsAPointTwice(Polled):
    def batch(self, values):
        return Batch.concat([super().batch(values), super().batch(values[:1])])


class StampsBackwards(Polled):
    readings = 0

    def batch(self, values):
        self.readings += 1
        batch = super().batch(values)
        return Batch.of(batch.point, 2**62 - self.readings, batch.value)


class StampsNothing(Polled):
    def batch(self, values):
        return Batch.of(range(len(values)), 0, values)


class CallsNanGood(Polled):
    def batch(self, values):
        return super().batch([values[0], np.nan])


class MeasuresInfinity(Polled):
    def batch(self, values):
        return super().batch([values[0], np.inf])


class ReadsNoBatch(Polled):
    def batch(self, values):
        return values


class ClosesWithAnError(Polled):
    async def close(self):
        await super().close()
        raise DeviceSilent("was not open")


class ClosesForever(Polled):
    async def close(self):
        await super().close()
        await asyncio.sleep(3600)


class OpensOnce(Polled):
    reading = False

    async def open(self):
        if self.line is not None and not self.reading:
            raise RuntimeError("open already")
        await super().open()

    async def read(self):
        self.reading = True
        try:
            return await super().read()
        finally:
            self.reading = False


class HangsOnSilence(Polled):
    async def heard(self, timeout_s=None):
        return await super().heard()


class RaisesOtherwiseOnSilence(Polled):
    async def heard(self, timeout_s=None):
        try:
            return await super().heard(timeout_s)
        except DeviceSilent:
            raise KeyError("nothing") from None


class RepeatsItselfOnSilence(Polled):
    last = None

    async def read(self):
        try:
            self.last = await super().read()
        except DeviceSilent:
            if self.last is None:
                raise
        return self.last


class ZeroOnSilence(Polled):
    async def read(self):
        try:
            return await super().read()
        except DeviceSilent:
            return self.batch([0.0, 0.0])


class NeverRecovers(Polled):
    """The silence of a device that is there does not harm it; a lost connection does."""

    lost = False

    async def read(self):
        if self.lost:
            raise DeviceSilent("no connection")
        return await super().read()

    async def heard(self, timeout_s=None):
        try:
            return await super().heard(timeout_s)
        except DeviceSilent as error:
            self.lost = "bytes read" in str(error)
            raise


class ReadsUnplugged(RepeatsItselfOnSilence):
    """Repeats itself only when the connection is lost."""

    async def read(self):
        try:
            self.last = await Polled.read(self)
        except DeviceSilent as error:
            if self.last is None or not ("bytes read" in str(error) or "refused" in str(error)):
                raise
        return self.last


class WritesNothing(Polled):
    async def write(self, point, value):
        pass


class RefusesToWrite(Polled):
    async def write(self, point, value):
        raise DeviceError("not today")


class IgnoresTheChecksum(Polled):
    def values(self, data):
        text = data.rpartition(b"*")[0].decode("ascii", "replace")
        said = dict(part.partition("=")[::2] for part in text.split(";"))
        try:
            return [float(said[name]) for name in ("level", "temp")]
        except (KeyError, ValueError):
            raise DeviceMalformed("not understood") from None


class ZeroWhenMalformed(Polled):
    def values(self, data):
        try:
            return super().values(data)
        except DeviceMalformed:
            return [0.0, 0.0]


class StumblesOverMutations(Polled):
    def values(self, data):
        try:
            return super().values(data)
        except DeviceMalformed:
            raise IndexError("beyond the end") from None


class ProbesHalf(Polled):
    async def probe(self):
        return (await super().probe())[:1]


class ProbesWithoutBytes(Polled):
    async def probe(self):
        return [one._replace(raw=b"") for one in await super().probe()]


POLLED = [
    (LeaksATask, "leftovers", "task sleep"),
    (LeaksAThread, "leftovers", "thread Thread-"),
    (LeaksAFile, "leftovers", "/dev/null"),
    (LeaksAConnection, "leftovers", "socket:"),
    (SwallowsCancellation, "cancel", "as if it were not cancelled"),
    (OutlivesCancellation, "cancel", "goes on a second after"),
    (RaisesWhenCancelled, "cancel", "cancelled, raised DeviceSilent"),
    (SpoiltByCancellation, "cancel", "out of step"),
    (ForgetsAPoint, "complete", "temp is missing"),
    (AddsAPoint, "complete", r"points \[2\] have no binding"),
    (TellsAPointTwice, "complete", "twice"),
    (StampsBackwards, "stamps", "level was stamped"),
    (StampsNothing, "samples", "no time stamp: level, temp"),
    (CallsNanGood, "samples", "NaN must have a bad quality: temp"),
    (MeasuresInfinity, "samples", "infinite value is no measurement: temp"),
    (ReadsNoBatch, "samples", "a list is no Batch"),
    (ClosesWithAnError, "reopen", r"close\(\) raised DeviceSilent"),
    (ClosesForever, "reopen", r"close\(\) still waits after 1 s"),
    (OpensOnce, "reopen", r"open\(\) raised RuntimeError: open already"),
    (HangsOnSilence, "silence", r"read\(\) still waits after 2 s"),
    (RaisesOtherwiseOnSilence, "silence", "raised KeyError"),
    (RepeatsItselfOnSilence, "silence", "still there are values"),
    (ZeroOnSilence, "silence", "still there are values"),
    (NeverRecovers, "recovery", "30 s later"),
    (ReadsUnplugged, "recovery", "unplugged, and still there are values"),
    (WritesNothing, "writes", "was set to 3 and says 2.5"),
    (RefusesToWrite, "writes", "not today"),
    (IgnoresTheChecksum, "mutation", "which the device never said"),
    (ZeroWhenMalformed, "mutation", "became 0, which the device never said"),
    (StumblesOverMutations, "mutation", "IndexError"),
    (ProbesHalf, "probe", "every point"),
    (ProbesWithoutBytes, "probe", "no raw bytes that carried them"),
]

LEAKED: list = []
STOP = threading.Event()


@pytest.fixture(autouse=True)
def tidied():
    STOP.clear()
    yield
    STOP.set()
    for leak in LEAKED:
        if isinstance(leak, int):
            os.close(leak)
    LEAKED.clear()
    gc.collect()


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
            await checked(KeepsAPoolThreadBusy, Device.polled)
    finally:
        STOP.set()
    assert broken.value.property == "leftovers"


# ---- and of those that listen


class NeverTellsAPoint(Listening):
    def batch(self, values):
        return super().batch(values[:1])


class TellsWithoutAsking(Listening):
    """Its values go on when the device is silent."""

    async def listen(self):
        await self.open()
        while self.line is not None:
            await asyncio.sleep(0.05)
            yield self.batch([2.5, 18.0])


class ListensForever(Listening):
    """Closing does not end it."""

    async def heard(self, timeout_s=None):
        try:
            return await super().heard(timeout_s)
        except DeviceSilent:
            await asyncio.sleep(3600)
            raise


class GivesInvalidBatches(Listening):
    async def listen(self):
        async for batch in super().listen():
            yield batch
            yield Batch.empty()


class HoldsOnWhenCancelled(Listening):
    async def heard(self, timeout_s=None):
        try:
            return await super().heard(timeout_s)
        except asyncio.CancelledError:
            await asyncio.sleep(3600)
            raise


class NeverHearsAgain(Listening):
    lost = False

    async def heard(self, timeout_s=None):
        if self.lost:
            raise DeviceSilent("no connection")
        try:
            return await super().heard(timeout_s)
        except DeviceSilent as error:
            self.lost = "bytes read" in str(error)
            raise


class HearsNoise(Listening):
    def values(self, data):
        try:
            return super().values(data)
        except DeviceMalformed:
            return [2.5, float(len(data))]


LISTENING = [
    (NeverTellsAPoint, "complete", "nothing was heard of temp"),
    (TellsWithoutAsking, "silence", "still there are values"),
    (ListensForever, "cancel", r"listen\(\) after close\(\) still waits"),
    (GivesInvalidBatches, "samples", "no samples"),
    (HoldsOnWhenCancelled, "cancel", "goes on after it was cancelled"),
    (NeverHearsAgain, "recovery", "no connection"),
    (HearsNoise, "mutation", "which the device never said"),
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
    from citytwin.adapter import Probed

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
