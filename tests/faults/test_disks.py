"""Disks fill up: nothing is acknowledged that is not durable, and room alone mends everything."""

import asyncio
import contextlib
import os
import subprocess
from random import Random

import pytest

from tests.faults.books import Account, Watched, journalled_in, opened
from tests.faults.meters import REGISTERS, Meter, serving
from tests.relay import Relay
from tests.waiting import until

FILLS = 2
GATEWAY_BYTES = 8 << 20
HUB_BYTES = 32 << 20
FILLER = "filler"
CHUNK_BYTES = 4096
WIDE_POINTS = 50
WIDE_ROWS = 5000
THINNINGS = 6
SWING = 10
"""Answers between two excursions of the alarmed meter."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]


@contextlib.asynccontextmanager
async def small_disk(folder, size_bytes):
    """Mount a small file system, which takes a superuser."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root only: run the tests as root")
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30)
    if done.returncode:
        pytest.skip(f"this machine mounts no tmpfs: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        # Lazily: after a failed test a program may still have files open.
        unmount = ["umount", "-l", str(folder)]
        await asyncio.to_thread(subprocess.run, unmount, check=True, timeout=30)


def fill(disk):
    """Take every byte that is left."""
    with (disk / FILLER).open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(CHUNK_BYTES))


def free(disk):
    """Give the room back."""
    (disk / FILLER).unlink()


async def said(program, event, times):
    """Wait until a program has logged an event so often."""
    await until(lambda: len(program.said(event)) >= times, f"{program.name} to say {event}")


async def gateways_disk_is_full(ground):
    site, meter = await ground.town(), Meter("m")
    async with small_disk(ground.folder / "disk", GATEWAY_BYTES) as disk, serving(meter):
        gateway = await ground.gateway(site, "full", meter, state=disk / "state")
        watched = Watched(gateway, meter)
        await watched.start()
        for number in range(FILLS):
            await meter.more()
            fill(disk)
            await said(gateway, "outbox.refuses", number + 1)
            await meter.more(50)
            free(disk)
            await said(gateway, "outbox.takes_again", number + 1)
        await watched.finish()
        books = await opened(site, watched)
    (stopped,) = gateway.said("agent.stopped")
    assert stopped["lost"] == 0
    refusals = {said["reason"].rpartition(": ")[2] for said in gateway.said("outbox.refuses")}
    return books.account("disk of the gateway full", FILLS, f"log: {', '.join(sorted(refusals))}")


class Alarmed(Meter):
    """A meter with one point more, which leaves its normal span now and then."""

    def table(self):
        return (
            f'{super().table()}[[device.point]]\nname = "swing"\ntable = "holding"\n'
            f"address = {REGISTERS}\nnormal = [0, 10]\n"
        )

    async def _answer(self, function, start, at, count, registers, values):
        await super()._answer(function, start, at, count, registers, values)
        registers[REGISTERS] = 100 if self.answers // SWING % 2 else 1


def recording(folder):
    """Write a recording of noise, in which no codec finds anything to save."""
    random, path = Random(5), folder / "noise.csv"
    with path.open("w") as file:
        file.write("point,time,value\n")
        for second in range(WIDE_ROWS):
            for point in range(WIDE_POINTS):
                file.write(f"p{point},{second},{random.uniform(0, 1e6)!r}\n")
    points = "".join(f'[[device.point]]\nname = "p{point}"\n' for point in range(WIDE_POINTS))
    return (
        f'[[device]]\nname = "noise"\nadapter = "replay"\nfile = "{path}"\n'
        f"speed = 200.0\nrepeat = false\n{points}"
    )


async def outbox_is_full(ground):
    site, meter = await ground.town(), Alarmed("m")
    noise = recording(ground.folder)
    async with serving(meter), Relay(site.link) as relay:
        gateway = await ground.gateway(
            site, "thinned", meter, devices=noise, relay=relay, size_mb_max=1
        )
        await relay.refuse()
        watched = Watched(gateway, meter)
        await watched.start()
        await said(gateway, "outbox.thinned", THINNINGS)
        # Entries that are thinned while they travel would be counted, and arrive all the same.
        ended = {"device": "noise", "event": "device failed"}.items()
        await until(
            lambda: any(ended <= n.items() for n in gateway.said("device failed")), "the end"
        )
        # Not at a moment in which an alarm is on its way.
        await until(lambda: meter.answers % SWING == SWING // 2, "the middle of a swing")
        await relay.listen()
        await watched.finish()
    books = await opened(site, watched)
    kept, (stopped,) = books.kept, gateway.said("agent.stopped")
    assert kept.thinned_samples == sum(n["samples"] for n in gateway.said("outbox.thinned")) > 0
    assert stopped["lost"] == 0
    alarms = books.of("m", "swing.alarm")
    assert len(alarms) == meter.answers // SWING > 5, "alarms are never thinned"
    assert alarms.value.tolist() == [float(1 - n % 2) for n in range(len(alarms))]
    assert len(books.history) == books.journalled()
    remark = f"{kept.thinned_samples} thinned and counted, {len(alarms)} alarms kept"
    return Account(
        "outbox full, hub out of reach", 1, books.journalled(), books.astray(), books.repeated(),
        remark,
    )  # fmt: skip


async def nothing_is_acknowledged_that_is_not_durable(site, gateway):
    # In this order: what the journal takes meanwhile may be acknowledged, too.
    waiting = gateway.waiting()
    records = await asyncio.to_thread(journalled_in, site.state / "journal", gateway.stream())
    assert waiting.oldest <= max(record.number for record in records) + 1
    assert waiting.entries > 0


async def hubs_disk_is_full(ground):
    meter = Meter("m")
    async with small_disk(ground.folder / "disk", HUB_BYTES) as disk:
        site = await ground.site(state=disk / "hub")
        async with serving(meter), Relay(site.link) as relay:
            gateway = await ground.gateway(site, "patient", meter, relay=relay)
            watched = Watched(gateway, meter)
            await watched.start()
            await meter.more()
            await gateway.until_delivered()
            pid = site.hub.pid
            fill(disk)
            await said(site.hub, "journal.append_failed", 1)
            await meter.more(50)
            await nothing_is_acknowledged_that_is_not_durable(site, gateway)
            relay.drop()  # a gateway that comes anew finds a hub that still cannot keep anything
            await meter.more(50)
            await nothing_is_acknowledged_that_is_not_durable(site, gateway)
            metrics = await site.metrics()
            assert metrics["citytwin_journal_failures_total"] > 0
            free(disk)
            await watched.finish()
        assert site.hub.pid == pid, "it went on by itself"
        books = await opened(site, watched)
        await site.hub.stop()
    failures = int(metrics["citytwin_journal_failures_total"])
    return books.account("disk of the hub full", 1, f"{failures} appends refused")


@pytest.mark.parametrize("scenario", [gateways_disk_is_full, outbox_is_full, hubs_disk_is_full])
async def test_a_full_disk_costs_nothing_that_is_not_counted(scenario, grounds, told):
    told(await grounds.account(scenario))
