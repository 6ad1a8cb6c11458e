"""The uplink where it is not wanted, or cannot: refusals, hubs out of reach, disks that fail."""

import asyncio

import pytest
from structlog.testing import capture_logs

from citytwin.errors import EnrolmentError, StoreError
from citytwin_edge.outbox import EntryKind
from tests.edge.uplink_scenes import played


def test_refused_entries_are_set_aside_and_the_rest_goes_on(tmp_path):
    async def scene(gateway):
        numbers = [gateway.put(value) for value in range(6)]
        gateway.hub.refuses = {numbers[2]: "point 7 is unknown"}
        async with gateway.running():
            await asyncio.sleep(1)
            assert gateway.waiting() == 0
            (row,) = gateway.outbox.inspect("refused")
            assert (row["number"], row["reason"]) == (numbers[2], "invalid: point 7 is unknown")

    gateway = played(tmp_path, scene)
    assert gateway.values() == [0, 1, 3, 4, 5]


def test_an_entry_that_cannot_be_read_stands_in_nobodys_way(tmp_path):
    async def scene(gateway):
        gateway.put(0)
        for kind in EntryKind:
            gateway.outbox.append(kind, b"\xff" * 50, 1)
        gateway.put(1)
        async with gateway.running():
            await asyncio.sleep(1)
            assert gateway.waiting() == 0
            assert gateway.outbox.stats().refused_entries == 3

    gateway = played(tmp_path, scene)
    assert gateway.values() == [0, 1]


@pytest.mark.parametrize("reason", ["revoked", "duplicate", "version"])
def test_a_refusal_is_told_once_and_retried_seldom(tmp_path, reason):
    async def scene(gateway):
        gateway.hub.rejects = (reason, "in words")
        gateway.put(0)
        async with gateway.running():
            await asyncio.sleep(600)
            assert 10 <= len(gateway.hub.hellos) <= 21
            gateway.hub.rejects = None
            await asyncio.sleep(61)
            assert gateway.waiting() == 0

    with capture_logs() as logs:
        played(tmp_path, scene)
    (told,) = [log for log in logs if log["event"] == "uplink.refused"]
    assert (told["log_level"], told["reason"], told["detail"]) == ("error", reason, "in words")


def test_certificates_that_are_not_taken_count_as_a_refusal(tmp_path):
    tried = []

    async def scene(gateway):
        async def connect():
            tried.append(gateway.clock.monotonic_ns())
            raise EnrolmentError("the hub refuses this gateway's certificate")

        gateway.connect = connect
        async with gateway.running():
            await asyncio.sleep(600)

    with capture_logs() as logs:
        played(tmp_path, scene)
    assert len([log for log in logs if log["event"] == "uplink.refused"]) == 1
    assert 10 <= len(tried) <= 21


def test_a_hub_out_of_reach_is_tried_ever_more_seldom_and_told_of_once(tmp_path):
    async def scene(gateway):
        gateway.hub.down = True
        async with gateway.running():
            await asyncio.sleep(10)
            assert gateway.hub.lines_tried >= 4
            await asyncio.sleep(590)
            assert gateway.hub.lines_tried <= 50
            gateway.put(0)
            gateway.hub.down = False
            await asyncio.sleep(30)
            assert gateway.waiting() == 0

    with capture_logs() as logs:
        played(tmp_path, scene)
    events = [log["event"] for log in logs]
    assert events == ["uplink.unreachable", "uplink.connected", "uplink.delivers"]


def test_a_disk_that_fails_ends_the_session_and_not_the_agent(tmp_path):
    async def scene(gateway):
        pending, failing = gateway.outbox.pending, True

        def broken(after, limit):
            if failing:
                raise StoreError("disk I/O error")
            return pending(after, limit)

        gateway.outbox.pending = broken
        gateway.put(0)
        async with gateway.running():
            await asyncio.sleep(20)
            assert gateway.hub.entries == []
            failing = False
            await asyncio.sleep(60)
            assert gateway.waiting() == 0

    with capture_logs() as logs:
        gateway = played(tmp_path, scene)
    assert gateway.values() == [0]
    assert [log["reason"] for log in logs if log["event"] == "uplink.outbox_failed"] == [
        "disk I/O error"
    ]


def test_a_line_that_closes_while_it_is_greeted(tmp_path):
    async def scene(gateway):
        async def connect():
            line = await gateway.hub.connect()
            await line.close()
            return line

        gateway.connect = connect
        async with gateway.running():
            await asyncio.sleep(5)
            gateway.connect = gateway.hub.connect
            gateway.put(0)
            await asyncio.sleep(20)

    gateway = played(tmp_path, scene)
    assert gateway.values() == [0]
