"""The supervisor: what it says when it cannot start, and that it leaves nothing behind."""

import asyncio
import signal
import socket
from random import Random

import psutil
import pytest

from democity.child import DemoError
from democity.supervisor import Supervisor
from tests.city.demo_city import Demo, free_offset
from tests.servers import free_port

INTERRUPTIONS = 6


def supervisor(state, **ports):
    return Supervisor(state, http_port=ports.get("http", free_port()), offset=free_offset())


async def said(demo):
    """Run a demo that cannot start; return what it says on standard error."""
    await demo.spawn()
    out, err = await asyncio.wait_for(demo.process.communicate(), 60)
    assert (demo.process.returncode, out) == (1, b"")
    lines = err.decode().splitlines()
    assert len(lines) == 1, "one sentence, no traceback"
    return lines[0]


@pytest.mark.parametrize("base", [None, 7444, 15125])
async def test_a_taken_port_is_named_before_anything_runs(tmp_path, base):
    city = Demo(tmp_path / "demo")
    port = city.port if base is None else base + city.offset
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        words = await said(city)
    assert f"port {port} of " in words
    assert ("--port-offset" if base else "--port ") in words
    assert "ARGS=" in words
    assert not (tmp_path / "demo" / "hub").exists(), "nothing was started"


async def test_one_demo_at_a_time_uses_a_state_folder(tmp_path):
    first = supervisor(tmp_path)
    first._prepare()
    try:
        assert "is running already" in await said(Demo(tmp_path))
    finally:
        await first.stop()
    again = supervisor(tmp_path)
    again._prepare()
    await again.stop()


async def test_a_state_folder_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    words = await said(Demo(file / "demo"))
    assert f"the state folder {file}/demo cannot be used" in words
    assert "CITYTWIN_DEMO_STATE" in words


async def test_a_file_where_a_folder_belongs_is_named_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "deploy")
    (tmp_path / "gateways").touch()
    city = supervisor(tmp_path)
    with pytest.raises(DemoError, match=rf"cannot be used \(.*: {tmp_path}/gateways"):
        await city.start()
    started = [one.process for one in city._children()]
    await city.stop()
    assert len(started) == 3
    assert all(one is not None and one.returncode is not None for one in started)


async def test_a_state_folder_of_another_version_is_refused_untouched(tmp_path):
    (tmp_path / "format").write_text("0\n")
    words = await said(Demo(tmp_path))
    assert "format '0'" in words
    assert "made by another version" in words
    assert sorted(path.name for path in tmp_path.iterdir()) == ["format", "lock", "logs"]


async def test_a_hub_that_cannot_read_its_files_is_quoted(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "deploy")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "registry.db").write_bytes(b"not a database, and longer than its header")
    city = supervisor(tmp_path)
    try:
        with pytest.raises(DemoError, match=r"hub did not start: .*registry\.db"):
            await city.start()
    finally:
        await city.stop()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_interrupted_while_it_starts_it_leaves_nothing(tmp_path):
    """At a random moment of a start (a first one, then ones that continue), seeded."""
    random = Random(1)
    for turn in range(INTERRUPTIONS):
        city = Demo(tmp_path / "demo")
        await city.spawn()
        seen = set()
        # The moment is counted in what has been loaded or in processes, not in seconds.
        supervisor, loaded, wanted = psutil.Process(city.process.pid), 0, 0
        if turn % 2:
            wanted = random.randint(1, 7)
        else:
            loaded = random.randint(15, 150) * 1_000_000
        async with asyncio.timeout(60):
            while len(seen) < wanted or supervisor.memory_info().rss < loaded:
                seen.update(city.family())
                await asyncio.sleep(0.01)
        seen.update(city.family())
        code, err = await city.end(signal.SIGINT)
        assert code == 0, err
        assert "Traceback" not in err
        assert [one for one in seen if one.is_running()] == []
        assert not serves(city.port)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_children_that_die_are_started_again_and_none_outlives_the_demo(tmp_path):
    city = Demo(tmp_path / "demo")
    async with city:
        row = (await city.point("pl-10/pressure"))["row"]
        for words in ("democity.field", "gateways/", "citytwin_hub.cli", "democity.broker"):
            await one_dies(city, words, row)
        family = city.family()
        assert len(family) >= 7
        assert (await city.end(signal.SIGKILL))[0] == -signal.SIGKILL
        _, left = await asyncio.to_thread(psutil.wait_procs, family, timeout=20)
        assert left == []
    async with Demo(tmp_path / "demo", offset=city.offset, port=city.port) as again:
        assert again.url == city.url


async def one_dies(city, words, row):
    """Kill a process by words of its command line; wait until another does its work."""
    victim = next(one for one in city.family() if words in " ".join(one.cmdline()))
    victim.kill()
    await city.says("starting it again")
    city.lines.clear()

    async def back():
        return any(
            words in " ".join(one.cmdline()) and one.pid != victim.pid for one in city.family()
        )

    await city.until(back)
    newest = (await city.until(lambda: city.latest([row])))[row]["time_ms"]

    async def goes_on():
        latest = (await city.latest([row]))[row]
        return latest["time_ms"] > newest + 2000 and latest["severity"] == 0

    await city.until(goes_on)


def serves(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
