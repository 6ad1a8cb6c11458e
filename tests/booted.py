"""A machine with a systemd of its own: this Debian's programs, its own /etc, /var, /opt and /run.

Made with systemd-nspawn in seconds. The network is that of the tests, so that a machine meets the
devices and hubs of a test on the loopback.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.waiting import until

COPIED = ("alternatives", "dbus-1", "debian_version", "default", "group", "gshadow", "hosts",
          "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "login.defs", "nsswitch.conf", "pam.conf",
          "pam.d", "passwd", "profile", "security", "shadow", "shells")  # fmt: skip
FOLDERS = ("dev", "etc/systemd/system", "home", "mnt", "opt", "proc", "root", "run", "srv", "sys",
           "tmp", "usr", "usr-local/bin", "var/lib", "var/log/journal", "var/tmp")  # fmt: skip
CALL_S_MAX = 240.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Written by useradd and systemd for themselves, whatever is installed.
NOISE = ("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid", "etc/subgid",
         "etc/.pwd.lock", "etc/machine-id", "etc/.updated", "var/.updated", "var/lib/systemd",
         "var/log", "var/tmp", "var/lib/private", "var/cache/private")  # fmt: skip


def why_not() -> str:
    """Return why no machine can be booted here; empty when one can."""
    if os.geteuid() != 0:
        return "only root can boot a machine"
    if shutil.which("systemd-nspawn") is None:
        return "there is no systemd-nspawn here (Debian: systemd-container)"
    asked = ["/usr/bin/python3", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if not Path(asked[0]).exists() or subprocess.run(asked, check=False, timeout=60).returncode:
        return "/usr/bin/python3 is older than 3.11"
    return ""


class Machine:
    """One machine; ``folder`` becomes its root."""

    def __init__(self, folder: Path, stick: Path) -> None:
        """Make its files; what lies in ``stick`` is seen, unchangeable, in /mnt."""
        self.root, self._stick = folder / "root", stick
        for name in FOLDERS:
            (self.root / name).mkdir(parents=True)
        (self.root / "tmp").chmod(0o1777)
        for name in ("bin", "sbin", "lib", "lib64"):
            (self.root / name).symlink_to(f"usr/{name}")
        (self.root / "var/run").symlink_to("/run")
        for name in COPIED:
            source = Path("/etc") / name
            if source.is_dir():
                shutil.copytree(source, self.root / "etc" / name, symlinks=True)
            elif source.exists():
                shutil.copy2(source, self.root / "etc" / name)
        shutil.copy("/usr/lib/os-release", self.root / "etc/os-release")
        (self.root / "etc/machine-id").write_text("")
        # The test itself is what goes on there.
        for unit in ("getty.target", "systemd-networkd.service", "systemd-resolved.service",
                     "systemd-timesyncd.service", "console-getty.service"):  # fmt: skip
            (self.root / "etc/systemd/system" / unit).symlink_to("/dev/null")
        self._process: asyncio.subprocess.Process | None = None
        self._init = 0

    async def boot(self) -> None:
        """Start it; returns when systemd is up."""
        log = (self.root.parent / "boot.log").open("wb")
        with log:
            self._process = await asyncio.create_subprocess_exec(
                "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
                # Otherwise no program there may even ask for the state of the clock.
                "--capability=CAP_SYS_TIME", "--console=pipe", "--link-journal=no",
                "--resolv-conf=off", "--timezone=off",
                f"--directory={self.root}", "--bind-ro=/usr",
                f"--bind={self.root}/usr-local:/usr/local", f"--bind-ro={self._stick}:/mnt",
                "systemd.unit=multi-user.target", "systemd.default_timeout_start_sec=60",
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        await until(self._find_init, "the machine's systemd")
        await until(lambda: self._state() in {"running", "degraded"}, "the machine to be up")

    def _find_init(self) -> bool:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        found = [int(text) for text in children.read_text().split()]
        inside = [one for one in found if Path(f"/proc/{one}/comm").read_text() == "systemd\n"]
        self._init = inside[0] if inside else 0
        return bool(self._init)

    def _state(self) -> str:
        return self.call("systemctl", "is-system-running").stdout.strip()

    def call(self, *command: str, wait_s: float = CALL_S_MAX) -> subprocess.CompletedProcess[str]:
        """Run a command there as root; return how it ended."""
        inside = ["nsenter", f"--target={self._init}", "--mount", "--uts", "--ipc", "--pid",
                  "--cgroup", "--root", "--wd", "env", "-i", f"PATH={PATH}", *command]  # fmt: skip
        return subprocess.run(
            inside, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=wait_s,
            check=False,
        )  # fmt: skip

    async def run(self, *command: str, wait_s: float = CALL_S_MAX) -> Any:
        """Run a command there without holding up what the test serves."""
        return await asyncio.to_thread(self.call, *command, wait_s=wait_s)

    def shown(self, unit: str, *properties: str) -> dict[str, str]:
        """Return what its systemd says of a unit."""
        text = self.call("systemctl", "show", unit, f"--property={','.join(properties)}").stdout
        return {
            name: value for name, _, value in (line.partition("=") for line in text.splitlines())
        }

    def files(self) -> set[str]:
        """Return everything that lies there, but what every machine writes for itself."""
        found = set()
        for name in ("etc", "opt", "root", "usr-local", "var", "home", "srv"):
            for path in (self.root / name).rglob("*"):
                place = str(path.relative_to(self.root))
                if not place.startswith(NOISE):
                    found.add(place)
        return found

    def accounts(self) -> str:
        """Return users and groups."""
        return "".join((self.root / "etc" / name).read_text() for name in ("passwd", "group"))

    async def end(self) -> None:
        """Switch it off, however the test went."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(30):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
