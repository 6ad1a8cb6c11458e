"""Rogues: adapters of the gauge, each of which breaks one promise; what they leave is let go."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from typing import Any

import numpy as np

from citytwin import Batch
from citytwin.errors import DeviceError, DeviceMalformed, DeviceSilent
from tests.common.testing.gauges import Listening, Polled, parsed

LEAKED: list[Any] = []
STOP = threading.Event()


def let_go():
    """End the threads and close the files that rogues have left."""
    STOP.set()
    for leak in LEAKED:
        if isinstance(leak, int):
            os.close(leak)
    LEAKED.clear()
    gc.collect()


# ---- of those that read


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
        said = parsed(text)
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
