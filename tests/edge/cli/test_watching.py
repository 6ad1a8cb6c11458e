"""watch and frames without an agent; the live table in a terminal. With an agent: console/."""

import asyncio
import contextlib
import json
import os
import pty
import re
import sys

from citytwin_edge.cli import watching
from tests.edge.cli.cli_scenes import COMMAND, ran, written
from tests.edge.modbus_devices import device, tcp_server
from tests.waiting import until

METER = device(1, [(0, [123, 0x4142, 0x4300])])


async def test_what_there_is_once(tmp_path, capsys):
    async with tcp_server(METER) as port:
        path = written(tmp_path, port)
        assert await ran("watch", "--once", "--config", path) == 0
        said = capsys.readouterr()
        assert "no agent runs with" in said.err
        header, flow, name = said.out.splitlines()
        assert header.split() == [
            "device", "point", "value", "unit", "quality", "age", "rate", "last",
        ]  # fmt: skip
        assert flow.split()[:5] == ["meter", "flow", "12.3", "m³/h", "good"]
        assert name.split()[:3] == ["meter", "name", "ABC"]
        assert await ran("watch", "--once", "--json", "--point", "flow", "--config", path) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["value"], row["quality"]) == (12.3, "good")
        assert await ran("watch", "--once", "--device", "x", "--config", path) == 1
        assert "there is no device 'x'" in capsys.readouterr().err


async def test_a_silent_device_has_no_value(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(watching, "ONCE_S_MAX", 3.0)
    assert await ran("watch", "--once", "--config", written(tmp_path, 1)) == watching.SILENT
    assert "bad: silent" in capsys.readouterr().out


def test_a_sample_as_a_line():
    class Options:
        json = False

    point = {"device": "d", "point": "p", "unit": "m"}
    at = 1_767_268_800_500_000_000
    line = watching._sample(Options, point, at, 1.5, "good")
    assert line == "12:00:00.500  d/p  1.5 m  good"
    empty = watching._sample(Options, point | {"unit": ""}, at, None, "bad: silent")
    assert empty == "12:00:00.500  d/p  bad: silent"


def test_a_frame_as_a_line():
    about = {"time_ns": 0, "line": "/dev/a", "device": "d", "direction": "tx", "note": ""}
    assert watching._frame({**about, "data": "01 03"}) == "00:00:00.000  /dev/a  d  TX  01 03"
    text = watching._frame({**about, "device": "", "direction": "rx", "data": "31 32 0d"})
    assert text == r"00:00:00.000  /dev/a  -  RX  31 32 0d  12\r"
    message = watching._frame({**about, "note": "a/topic", "data": "31 32"})
    assert message.endswith("TX  a/topic  12")


class Terminal:
    """A terminal in which a command runs."""

    def __init__(self, *words, folder):
        self.master, slave = pty.openpty()
        os.set_blocking(self.master, False)
        self.seen, self._words, self._slave, self._folder = b"", words, slave, folder

    @contextlib.asynccontextmanager
    async def running(self):
        loop = asyncio.get_running_loop()
        loop.add_reader(self.master, self._read)
        environment = {**os.environ, "TERM": "xterm", "LINES": "24", "COLUMNS": "120"}
        environment.pop("NO_COLOR", None)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", COMMAND, *self._words, cwd=self._folder, env=environment,
            stdin=self._slave, stdout=self._slave, stderr=self._slave,
        )  # fmt: skip
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            loop.remove_reader(self.master)
            os.close(self._slave)
            os.close(self.master)

    def _read(self):
        with contextlib.suppress(OSError):
            self.seen += os.read(self.master, 65536)

    def types(self, keys):
        os.write(self.master, keys)

    @property
    def text(self):
        return self.seen.decode(errors="replace")


async def test_the_live_table_redraws_and_gives_the_terminal_back(tmp_path):
    async with tcp_server(METER) as port:
        terminal = Terminal("watch", "--config", written(tmp_path, port), folder=tmp_path)
        async with terminal.running() as process:
            await until(lambda: re.search("[▁▂▃▄▅▆▇█]{4}", terminal.text), "sparks")
            assert "\x1b[?1049h" in terminal.text, "a screen of its own"
            assert "\x1b[32mgood" in terminal.text
            assert "2 points, read from here: no agent runs - q ends" in terminal.text
            terminal.types(b"q")
            async with asyncio.timeout(20):
                assert await process.wait() == 0
            await until(lambda: "\x1b[?1049l" in terminal.text, "the terminal to be given back")


async def test_ctrl_c_gives_the_terminal_back_too(tmp_path):
    async with tcp_server(METER) as port:
        terminal = Terminal("watch", "--config", written(tmp_path, port), folder=tmp_path)
        async with terminal.running() as process:
            await until(lambda: "good" in terminal.text, "the table")
            process.send_signal(2)
            async with asyncio.timeout(20):
                assert await process.wait() == 130
            await until(lambda: "\x1b[?1049l" in terminal.text, "the terminal to be given back")
