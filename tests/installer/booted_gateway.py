"""A gateway on a booted machine: its devices and hub are beside the test, on the loopback."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from citytwin import SystemClock
from citytwin_hub.authority import Authority
from tests.booted import Machine
from tests.edge.small_hub import SmallHub, identity_of
from tests.servers import free_port
from tests.waiting import until

EDGE = """
[gateway]
name = "g"
hub = "{hub}"

[outbox]
flush_ms = 100

[[device]]
name = "meter"
adapter = "modbus"
host = "127.0.0.1"
port = {modbus}
period_s = 0.2
[[device.point]]
name = "level"
unit = "m"
table = "holding"
address = 0

[[device]]
name = "line"
adapter = "serial"
serial = "/run/line"
baud = 9600
line = {{ terminator = '\\n' }}
[[device.point]]
name = "count"
unit = "1"
pattern = 'T=(\\d+)'
"""
# A serial instrument behind a port that belongs to root and dialout, as a USB adapter's does. It
# counts, so that a line that came twice, or was made up, would show.
COUNTING = "i=0; while :; do i=$((i+1)); echo T=$i; sleep 0.1; done"
INSTRUMENT = (
    "systemd-run", "--unit=instrument", "socat", "PTY,link=/run/line,rawer,mode=660,group=dialout",
    f'SYSTEM:"{COUNTING}"',
)  # fmt: skip
UNIT = "citytwin-edge.service"
INSTALLED = "/opt/citytwin-edge/install.sh"


class Gateway:
    """The machine as a gateway, with its device and its hub."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.clock = SystemClock()
        self.hub = SmallHub(self.clock)
        self.authority = Authority(folder / "authority", self.clock.now_ns())
        self.port = free_port()
        self.state = machine.root / "var/lib/citytwin-edge"

    async def installer(self, *words: str, code: int = 0) -> str:
        """Run an installer there; return what it said."""
        done = await self.machine.run(*words, "--settle", "2")
        assert done.returncode == code, done.stdout + done.stderr
        return str(done.stdout + done.stderr)

    def enrol(self, modbus: int) -> None:
        """Give it a configuration, and what enrolment gives."""
        where = f"127.0.0.1:{self.port}"
        config = self.machine.root / "etc/citytwin/edge.toml"
        config.write_text(EDGE.format(hub=where, modbus=modbus))
        identity_of(self.authority, "g", self.state, where)
        for path in self.state.iterdir():
            os.chown(path, self.state.stat().st_uid, self.state.stat().st_gid)

    async def systemctl(self, *words: str) -> None:
        done = await self.machine.run("systemctl", *words)
        assert done.returncode == 0, done.stderr + self.log()

    def log(self) -> str:
        """What the agent has said, in all its lives."""
        return self.machine.call("journalctl", f"--unit={UNIT}", "--output=cat").stdout

    def life(self) -> dict[str, str]:
        return self.machine.shown(UNIT, "ActiveState", "InvocationID", "MainPID", "NRestarts")

    def optimised(self) -> int:
        """How far the running agent's Python goes: 2 is without docstrings and assertions."""
        pid = self.life()["MainPID"]
        said = self.machine.call("cat", f"/proc/{pid}/environ").stdout.split("\0")
        return int(dict(one.split("=", 1) for one in said if one)["PYTHONOPTIMIZE"])

    def version(self) -> str:
        """The folder of the version in use."""
        return str((self.machine.root / "opt/citytwin-edge/current").readlink())

    def versions(self) -> int:
        folder = self.machine.root / "opt/citytwin-edge"
        return sum(not path.is_symlink() for path in folder.iterdir())

    def numbers(self) -> tuple[int, int, int]:
        """The outbox: schema, how many entries wait, the last number that was given."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.state}/outbox.db?mode=ro", uri=True)
        ) as db:
            (schema,) = db.execute("PRAGMA user_version").fetchone()
            (entries,) = db.execute("SELECT count(*) FROM entries").fetchone()
            (last,) = db.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'entries'"
                                 ).fetchone()  # fmt: skip
        return schema, entries, last or 0

    async def until_more_waits(self) -> None:
        """Wait until it has read and kept more."""
        _, entries, _ = self.numbers()
        await until(lambda: self.numbers()[1] > entries + 3, "more to wait in the outbox")
