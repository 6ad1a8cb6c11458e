"""The whole hub: what it says when it cannot start, what it leaves when it stops or fails."""

import asyncio
import contextlib
import json
import socket
import sqlite3

import httpx
import msgspec
import numpy as np
import pytest
import websockets

from citytwin import Batch, SystemClock
from citytwin.errors import CityTwinError, StoreError
from citytwin_hub.access import Role
from citytwin_hub.config import HubConfig
from citytwin_hub.connections import Refusals
from citytwin_hub.history.parquet import ParquetHistory
from citytwin_hub.hub import Hub
from citytwin_hub.journal.segments import SegmentJournal
from citytwin_hub.twin import Twin
from tests.hub.running import Running, serving
from tests.hub.test_metrics import enrol
from tests.waiting import answered, until


async def told(capsys, event):
    """Wait until the hub has logged an event; return what it has said until then."""
    said = []

    def heard():
        said.append(capsys.readouterr().out)
        return event in "".join(said)

    await until(heard, f"the hub to say {event}")
    return "".join(said)


async def test_stopping_leaves_everything_in_files(tmp_path):
    async with serving(tmp_path / "hub") as city:
        rows, end = city.rows, city.hub.journal.end
        kept = city.hub.twin.read()
    history = ParquetHistory(tmp_path / "hub" / "history", lambda _row: "g-1")
    assert history.position == end
    assert len(history.read(rows.tolist(), 0, 2**62, samples_max=10**6)) == 3600
    twin = Twin()
    assert twin.load(tmp_path / "hub" / "twin.snapshot") == end
    assert twin.read().value.tolist() == kept.value.tolist()
    async with serving(tmp_path / "hub") as again:
        assert again.rows.tolist() == rows.tolist()


async def test_now_and_then_samples_go_to_files_and_the_journal_is_trimmed(tmp_path):
    history = {"flush_s": 1.0, "flush_samples": 1000}
    async with serving(tmp_path / "hub", history=history) as city:
        hub = city.hub
        hub.journal._segment_bytes_max = 2000
        for number in range(50):
            at_ns = city.now_ns + number * 10**6
            city.take(Batch.of(np.full(100, city.rows[0]), at_ns + np.arange(100), np.arange(100)))
        end = hub.journal.end
        await until(lambda: hub.history.position == end, "history to be written")
        journal = tmp_path / "hub" / "journal"
        await until(lambda: len(list(journal.glob("*.journal"))) == 1, "the journal to be trimmed")
        assert Twin().load(tmp_path / "hub" / "twin.snapshot") == end
        assert hub.history.recent_samples == 0


async def test_history_that_cannot_be_written_is_told_and_tried_again(
    tmp_path, monkeypatch, capsys
):
    settings = {"flush_s": 1.0, "flush_samples": 1000}
    async with serving(tmp_path / "hub", history=settings) as city:
        hub, folder = city.hub, tmp_path / "hub" / "history"
        await until(lambda: hub.history.recent_samples == 0, "history to be written")
        blocked = folder / "manifest.json.partial"
        blocked.mkdir()
        city.take(Batch.of([city.rows[1]], city.now_ns, [1.0]))
        assert str(folder) in await told(capsys, "history.flush_failed")
        assert hub.history.recent_samples == 1
        assert [r.number for _, r in hub.journal.read(hub.history.position)] == [2], "not trimmed"
        blocked.rmdir()
        await until(lambda: hub.history.recent_samples == 0, "history to be written")


async def test_the_journal_forgets_nothing_while_alarms_cannot_be_written(
    tmp_path, monkeypatch, capsys
):
    settings = {"flush_s": 1.0, "flush_samples": 1000}
    async with serving(tmp_path / "hub", history=settings) as city:
        hub = city.hub
        await until(lambda: hub.history.recent_samples == 0, "history to be written")
        hub.alarms._db.execute("PRAGMA busy_timeout = 20")
        position = hub.history.position
        with contextlib.closing(
            sqlite3.connect(tmp_path / "hub" / "alarms.db", isolation_level=None)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            hub.alarms._raise("gateway:g-9", "gateway", "g-9", "", 0, city.now_ns)
            city.take(Batch.of([city.rows[1]], city.now_ns, [1.0]))
            for _ in range(5):
                await told(capsys, "alarms.unsaved")
            assert (hub.history.recent_samples, hub.history.position) == (1, position)
            other.execute("ROLLBACK")
        await until(lambda: hub.history.recent_samples == 0, "history to be written")
        assert hub.history.position > position


@pytest.mark.parametrize(
    ("section", "field"), [("link", "bind"), ("link", "enrol_bind"), ("http", "bind")]
)
async def test_a_port_that_is_taken(tmp_path, section, field):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        link = {"bind": "127.0.0.1:0", "enrol_bind": "127.0.0.1:0"}
        settings = {"link": link, "http": {"bind": "127.0.0.1:0"}}
        settings[section] = settings[section] | {field: address}
        city = Running(tmp_path / "hub", **settings)
        with pytest.raises(
            StoreError, match=rf"\[{section}\] {field} {address} cannot be listened"
        ):
            await city.hub.run()
    async with serving(tmp_path / "hub", **settings) as again:
        assert again.hub.journal.end > 0, "nothing was left behind that keeps it from starting"


async def test_two_hubs_do_not_share_a_port_or_a_folder(running, tmp_path):
    with pytest.raises(StoreError, match=f"another hub runs with {running.folder}"):
        Running(running.folder)
    for section, field, port in (
        ("link", "bind", running.hub.link.link_port),
        ("link", "enrol_bind", running.hub.link.enrol_port),
    ):
        link = {"bind": "127.0.0.1:0", "enrol_bind": "127.0.0.1:0"} | {field: f"127.0.0.1:{port}"}
        other = Running(tmp_path / field, link=link)
        with pytest.raises(StoreError, match=rf"\[{section}\] {field} .*is it in use"):
            await other.hub.run()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("registry.db", b"junk" * 1000),
        ("access.db", b"junk" * 1000),
        ("alarms.db", b"junk" * 1000),
        ("commands.db", b"junk" * 1000),
        ("authority/authority.key", b"junk"),
        ("authority/server.pem", b"junk"),
        ("history/manifest.json", b"{"),
        ("journal/00000000000000000000.journal", b"junk"),
    ],
)
async def test_a_damaged_file_is_named(tmp_path, name, damage):
    async with serving(tmp_path / "hub"):
        pass
    path = tmp_path / "hub" / name
    whole = path.read_bytes()
    path.write_bytes(damage)
    with pytest.raises(CityTwinError) as caught:
        Running(tmp_path / "hub")
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    path.write_bytes(whole)
    async with serving(tmp_path / "hub") as again:
        assert len(again.hub.registry.points) == 2


async def test_a_journal_damaged_where_it_is_needed_is_named(tmp_path):
    Running(tmp_path / "hub").hub._stores.close()
    for path in (tmp_path / "hub" / "history").iterdir():
        path.unlink()
    journal = SegmentJournal(tmp_path / "hub" / "journal")
    journal._roll(journal.end)
    journal.close()
    first = min((tmp_path / "hub" / "journal").glob("*.journal"))
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    settings = msgspec.convert({"hub": {"state": str(tmp_path / "hub")}}, HubConfig)
    with pytest.raises(StoreError, match=f"{first.name} is damaged at byte .*restore it.*move it"):
        Hub(settings, SystemClock())


def test_a_state_folder_that_cannot_be_one(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"the state folder .*file cannot be used"):
        Running(tmp_path / "file")


async def test_a_certificate_that_is_none(tmp_path):
    (tmp_path / "c.pem").write_text("junk")
    http = {"bind": "127.0.0.1:0", "certificate": str(tmp_path / "c.pem"), "key": "none.key"}
    city = Running(tmp_path / "hub", http=http)
    with pytest.raises(StoreError, match=r"\[http\] certificate .*c\.pem with key none\.key"):
        await city.hub.run()


async def test_a_part_that_fails_ends_the_hub_and_loses_nothing(tmp_path, monkeypatch):
    """What nobody foresaw must not leave a hub that only looks alive."""

    def broken(*_):
        raise RuntimeError("nobody foresaw this")

    city = Running(tmp_path / "hub")
    end = city.hub.journal.end
    monkeypatch.setattr(city.hub, "_check_once", broken)
    with pytest.raises(BaseExceptionGroup) as caught:
        await asyncio.wait_for(city.hub.run(), 20)
    assert caught.group_contains(RuntimeError, match="nobody foresaw this")
    history = ParquetHistory(tmp_path / "hub" / "history")
    assert history.position == end


async def test_a_registry_that_cannot_be_read_does_not_end_it(running, capsys):
    running.hub.registry._db.execute("PRAGMA busy_timeout = 10")
    real = running.hub.registry._db

    class Broken:
        def execute(self, *_):
            raise sqlite3.OperationalError("disk I/O error")

    running.hub.registry._db = Broken()
    await told(capsys, "hub.check_failed")
    running.hub.registry._db = real
    async with running.client(Role.VIEWER) as web:
        assert (await web.get("gateways")).status_code == 200


async def test_refusals_are_an_alarm_and_on_the_list_of_gateways(running):
    hub = running.hub
    enrol(hub.registry, "g-1", running.now_ns)
    hub.ingest._refusals["g-1"] = Refusals(
        2, "entry 7: point number 3 was not announced", hub.clock.now_ns()
    )
    async with running.client(Role.VIEWER) as web:

        async def raised():
            return (await web.get("alarms")).json()["alarms"]

        alarms = await answered(raised, "an alarm")
        (gateway,) = (await web.get("gateways")).json()["gateways"]
    assert [(alarm["kind"], alarm["gateway"]) for alarm in alarms] == [("refused", "g-1")]
    assert (gateway["refused"], gateway["refused_reason"][:8]) == (2, "entry 7:")


async def test_it_stops_while_browsers_are_connected(tmp_path):
    async with serving(tmp_path / "hub") as city:
        browser = await websockets.connect(city.socket)
        await browser.send(json.dumps({"token": city.tokens[Role.VIEWER]}))
        await asyncio.wait_for(browser.recv(), 10)
        async with httpx.AsyncClient(base_url=city.address) as web:
            assert (await web.get("/healthz")).text == "ok\n"
    with pytest.raises(websockets.ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await browser.recv()
