"""The service of systemd: its unit, whether it runs, and why it does not."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from threading import Event
from typing import Final, NamedTuple

from installer.errors import InstallError
from installer.layout import Layout
from installer.running import call, must

START_S_MAX: Final = 180.0
"""systemd itself gives up before: after TimeoutStopSec and TimeoutStartSec of the unit."""
LOOK_S: Final = 0.5
LINES_MAX: Final = 12
LIVELY: Final = ("active", "activating", "reloading", "deactivating")


class Shown(NamedTuple):
    """What systemd says of a service: its state, and which of its lives it is in."""

    active: str
    life: str
    enabled: str

    @property
    def is_wanted(self) -> bool:
        """Whether somebody has started it and not stopped it, even if it fails again and again."""
        return self.active in LIVELY


class Service:
    """The service of one part."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.name = layout, f"{layout.name}.service"

    @property
    def has_manager(self) -> bool:
        """Whether systemd runs this machine (sd_booted(3))."""
        return (self.layout.root / "run/systemd/system").is_dir()

    def shown(self) -> Shown:
        """Return how it is; without systemd nothing runs."""
        if not self.has_manager:
            return Shown("inactive", "", "")
        text = must("systemctl", "show", self.name,
                    "--property=ActiveState,InvocationID,UnitFileState")  # fmt: skip
        said = {
            name: value for name, _, value in (line.partition("=") for line in text.splitlines())
        }
        return Shown(said.get("ActiveState", "inactive"), said.get("InvocationID", ""),
                     said.get("UnitFileState", ""))  # fmt: skip

    def put(self, unit: Path, drop_in: Path) -> None:
        """Let a unit file take the place of the one that is there, and a version's drop-in too.

        Where ``drop_in`` is no file, the one that an older version had goes.
        """
        beside = self.layout.drop_ins / drop_in.name
        if drop_in.exists():
            beside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(drop_in, beside)
            beside.chmod(0o644)
        elif beside.exists():
            beside.unlink()
            with contextlib.suppress(OSError):
                beside.parent.rmdir()  # unless people have put something there, too
        there = self.layout.unit
        there.parent.mkdir(parents=True, exist_ok=True)
        new = there.with_name(f".{there.name}.new")
        shutil.copyfile(unit, new)
        new.chmod(0o644)
        new.replace(there)
        self._reload()

    def stop(self) -> None:
        """Stop it; returns when it has ended."""
        if self.has_manager:
            must("systemctl", "stop", self.name, wait_s_max=START_S_MAX)

    def start(self) -> None:
        """Start it."""
        if self.has_manager:
            must("systemctl", "start", self.name, wait_s_max=START_S_MAX)

    def run(self, settle_s: float) -> str:
        """Start it anew and wait until it says that it runs, and still does after ``settle_s``.

        Returns:
            why it does not; empty if it does.
        """
        try:
            done = call("systemctl", "restart", self.name, wait_s_max=START_S_MAX)
        except InstallError as error:
            return str(error)
        shown = self.shown()
        if done.returncode or shown.active != "active":
            return self._last_words(shown.life) or done.stderr.strip() or shown.active
        return self._settle(shown.life, settle_s)

    def _settle(self, life: str, settle_s: float) -> str:
        for _ in range(round(settle_s / LOOK_S)):
            Event().wait(LOOK_S)
            now = self.shown()
            if now.active != "active" or now.life != life:
                return self._last_words(life) or f"it did not stay up ({now.active})"
        return ""

    def _last_words(self, life: str) -> str:
        """Return the end of the log of one of its lives."""
        if not life:
            return ""
        with contextlib.suppress(InstallError):
            done = call("journalctl", "--no-pager", "--output=cat", f"--lines={LINES_MAX}",
                        f"--unit={self.name}", f"_SYSTEMD_INVOCATION_ID={life}")  # fmt: skip
            return done.stdout.strip()
        return ""

    def remove(self) -> None:
        """Stop and forget it; what people have changed in it goes too."""
        if self.has_manager and self.layout.unit.exists():
            must("systemctl", "disable", "--now", self.name, wait_s_max=START_S_MAX)
        self.layout.unit.unlink(missing_ok=True)
        shutil.rmtree(self.layout.drop_ins, ignore_errors=True)
        self._reload()
        if self.has_manager:
            call("systemctl", "reset-failed", self.name)

    def _reload(self) -> None:
        if self.has_manager:
            must("systemctl", "daemon-reload")
