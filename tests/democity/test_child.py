"""Children: kept going, ended for certain, quoted, and with logs that stay small."""

import asyncio
import contextlib
import os
import signal
import sys

import psutil
import pytest

from democity import child as children
from democity.child import Child, DemoError, output_of
from tests.waiting import until


def child(tmp_path, code, **more):
    return Child("one", [sys.executable, "-u", "-c", code], tmp_path, **more)


def process_of(one):
    assert one.process is not None
    return one.process


async def test_it_ends_when_asked_and_when_it_will_not(tmp_path, monkeypatch):
    polite = child(tmp_path, "import time; time.sleep(600)")
    await polite.start()
    await polite.stop()
    assert process_of(polite).returncode == -signal.SIGTERM
    monkeypatch.setattr(children, "STOP_S_MAX", 0.2)
    stubborn = child(
        tmp_path,
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('deaf'); time.sleep(600)",
    )
    await stubborn.start()
    await until(lambda: stubborn.last_words() == "deaf", "it to be deaf")
    await stubborn.stop()
    assert process_of(stubborn).returncode == -signal.SIGKILL


async def test_it_is_kept_going_until_it_is_stopped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(children, "RESTART_S_MAX", 0.01)
    one = child(tmp_path, "import time; time.sleep(600)")
    await one.start()
    keeping = asyncio.ensure_future(one.keep())
    first = process_of(one).pid
    os.kill(first, signal.SIGKILL)

    def runs_again():
        return process_of(one).pid != first and process_of(one).returncode is None

    await until(runs_again, "it to run again")
    assert "one ended (-9)" in capsys.readouterr().out
    await one.stop()
    stopped = process_of(one).pid
    await one.start()
    assert process_of(one).pid != stopped, "a stop is not a death: it can be started again"
    keeping.cancel()
    await one.stop()
    assert "ended" not in capsys.readouterr().out


async def test_its_last_words_are_of_this_start(tmp_path):
    one = child(tmp_path, "print('gone wrong')")
    await one.start()
    await process_of(one).wait()
    assert one.last_words() == "gone wrong"
    two = child(tmp_path, "pass")
    await two.start()
    await process_of(two).wait()
    assert two.last_words() == "it said nothing"


async def test_a_long_log_is_moved_aside_while_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "LOG_BYTES_MAX", 1000)
    one = child(tmp_path, "import time\nfor n in range(10**9): print('line', n); time.sleep(.001)")
    await one.start()
    await until(lambda: one.log.stat().st_size > 1000, "lines")
    one.trim_log()
    await until(lambda: one.log.stat().st_size > 0, "a line")
    await one.stop()
    assert one.log.stat().st_size < one.log.with_suffix(".log.1").stat().st_size + 1000
    assert one.log.read_bytes()[:1] != b"\0", "it goes on at the start of the file"


async def test_the_output_of_a_command_or_why_there_is_none(tmp_path):
    assert await output_of([sys.executable, "-c", "print('x')"], "it", 20) == "x\n"
    with pytest.raises(DemoError, match="it: no such thing"):
        await output_of([sys.executable, "-c", "import sys; sys.exit('no such thing')"], "it", 20)
    with pytest.raises(DemoError, match="did not end within"):
        await output_of([sys.executable, "-c", "import time; time.sleep(600)"], "it", 0.2)


async def test_a_command_ends_with_whoever_waited_for_it():
    command = [sys.executable, "-c", "import time; time.sleep(601)"]
    waiting = asyncio.ensure_future(output_of(command, "it", 60))
    me = psutil.Process()
    await until(lambda: [one for one in me.children() if one.cmdline() == command], "the child")
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    assert [one for one in me.children() if one.cmdline() == command] == []


async def test_it_does_not_outlive_the_process_that_started_it(tmp_path):
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c",
        "import asyncio, pathlib, sys\n"
        "from democity.child import Child\n"
        "async def main():\n"
        "    one = Child('c', [sys.executable, '-c', 'import time; time.sleep(600)'],"
        " pathlib.Path(sys.argv[1]))\n"
        "    await one.start()\n"
        "    print(one.process.pid, flush=True)\n"
        "    await one.process.wait()\n"
        "asyncio.run(main())\n",
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": "deploy"},
    )  # fmt: skip
    assert parent.stdout is not None
    started = psutil.Process(int(await asyncio.wait_for(parent.stdout.readline(), 20)))
    parent.kill()
    await parent.wait()

    def ended():
        return not started.is_running() or started.status() == psutil.STATUS_ZOMBIE

    await until(ended, "the child to end")
