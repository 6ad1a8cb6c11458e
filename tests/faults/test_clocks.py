"""Clocks are set: samples are doubted as long as the clocks differ; none is lost or repeated."""

from pathlib import Path

import numpy as np
import pytest

from citytwin import Quality, SystemClock
from tests.faults.books import Watched, opened
from tests.faults.meters import Meter, serving
from tests.relay import Relay
from tests.site import latest
from tests.waiting import answered, until

HOUR_S = 3600
YEARS_S = 9 * 365 * 24 * HOUR_S
STEPS_S = (HOUR_S, 0, -HOUR_S, 0)
NEAR_NS = 120 * 10**9
"""A stamp is near a time: an hour is far, a slow machine's seconds are not."""
SEAM = 30
"""Answers after a step that the agent may have stamped before it: it sees it within a second."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]


class Wound:
    """The clock of one program, which can be set while it runs; monotonic time goes on."""

    def __init__(self, folder):
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        self._file = folder / "clock"
        self.set(0)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # Without it the file is read at every look at the clock, most of a processor's time.
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset_s):
        """Set the clock so far ahead of the machine's."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}")
        new.rename(self._file)


async def doubted(site, point, is_doubted):
    """Wait until the hub's latest sample of a point is doubted because of the clock, or is not."""
    wanted = Quality.UNCERTAIN_CLOCK if is_doubted else Quality.GOOD
    async with site.web() as web:

        async def shown():
            value = await latest(web, point)
            return value is not None and value["quality"] == wanted

        await answered(shown, f"{point} to be {wanted.name}")


async def gateways_clock_is_set(ground):
    site, meter, clock = await ground.town(), Meter("m"), Wound(ground.folder)
    spans = []
    async with serving(meter), Relay(site.link) as relay:
        gateway = await ground.gateway(site, "wound", meter, relay=relay)
        gateway.environment.update(clock.environment)
        watched = Watched(gateway, meter)
        await watched.start()
        await doubted(site, "wound/m/r0", False)
        for offset_s in STEPS_S:
            begin = meter.answers + SEAM
            clock.set(offset_s)
            if offset_s < 0:
                relay.drop()  # the way to the hub is opened anew by a clock that is wrong
            await meter.more(SEAM + 30)
            spans.append((offset_s, begin, meter.answers))
        await watched.finish()
    books = await opened(site, watched)
    seen = books.of("m", "r0")
    # Where nobody but the hub knows better, its time is the time. A clock that the kernel calls
    # synchronised is believed, and marked.
    is_held = SystemClock().synchronised()
    for offset_s, begin, end in spans:
        mine = seen.select((seen.value > begin) & (seen.value <= end))
        assert len(mine) > 20
        expected = Quality.UNCERTAIN_CLOCK if offset_s else Quality.GOOD
        assert set(mine.quality.tolist()) == {int(expected)}, offset_s
        real = np.array(meter.answered_ns, np.int64)[mine.value.astype(int) - 1]
        shown = real + (offset_s * 10**9 if is_held else 0)
        assert np.abs(mine.time_ns - shown).max() < NEAR_NS, offset_s
    assert len(gateway.said("clock.was_set")) == len(STEPS_S)
    return books.account("clock of the gateway set by ±1 h", len(STEPS_S), "doubted, then good")


async def hubs_clock_is_set(ground):
    clock, meter = Wound(ground.folder), Meter("m")
    site = await ground.site(environment=clock.environment)
    async with serving(meter):
        gateway = await ground.gateway(site, "right", meter)
        watched = Watched(gateway, meter)
        await watched.start()
        await doubted(site, "right/m/r0", False)
        for offset_s in STEPS_S:
            clock.set(offset_s)
            await doubted(site, "right/m/r0", offset_s != 0)
            await meter.more()
        await watched.finish()
    books = await opened(site, watched)
    assert site.hub.said("link.entry_refused") == []
    await site.hub.stop()
    return books.account("clock of the hub set by ±1 h", len(STEPS_S), "doubted, then good")


async def gateway_starts_in_the_past(ground):
    site, meter, clock = await ground.town(), Meter("m"), Wound(ground.folder)
    async with serving(meter), Relay(site.link) as relay:
        gateway = await ground.gateway(site, "lost-in-time", meter, relay=relay)
        gateway.environment.update(clock.environment)
        clock.set(-YEARS_S)
        await relay.refuse()
        watched = Watched(gateway, meter)
        await watched.start()
        await meter.more(30)
        assert gateway.waiting().last == 0, "samples wait until there is a time to stamp them with"
        await relay.listen()
        await until(lambda: gateway.waiting().last > 0, "the hub to tell the time")
        await meter.more()
        await watched.finish()
    books = await opened(site, watched)
    seen = books.of("m", "r0")
    heard = seen.select(~np.isnan(seen.value))
    assert int(heard.value.min()) == 1, "the first answer has its place in the history"
    assert set(heard.quality.tolist()) == {int(Quality.UNCERTAIN_CLOCK)}
    real = np.array(meter.answered_ns, np.int64)[heard.value.astype(int) - 1]
    assert np.abs(heard.time_ns - real).max() < NEAR_NS
    return books.account("gateway starts nine years ago", 1, "stamped when the hub was reached")


@pytest.mark.parametrize(
    "scenario", [gateways_clock_is_set, hubs_clock_is_set, gateway_starts_in_the_past]
)
async def test_samples_are_doubted_and_none_is_lost(scenario, grounds, told):
    told(await grounds.account(scenario))
