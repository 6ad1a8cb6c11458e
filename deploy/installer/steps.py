"""The steps: install or upgrade, go back, uninstall; each leaves what it cannot do as it was."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Final

from installer import account
from installer.bundle import Bundle, this_machine
from installer.errors import SAMPLES_WAIT, WENT_BACK, InstallError
from installer.layout import ACCOUNT, Layout
from installer.running import NOT_STARTED, call
from installer.service import Service
from installer.versions import DROP_IN, SETUP, Versions
from installer.waiting import waiting

DELIVER_S_MAX: Final = 10.0
LOOK_S: Final = 0.1
HUB_CHECK: Final = (
    "import sys; from pathlib import Path; from citytwin_hub.config import load; "
    "load(Path(sys.argv[1]))"
)


class Steps:
    """What is done with one part of one machine; ``tell`` gets a line for people at a time."""

    def __init__(self, layout: Layout, tell: Callable[[str], None], settle_s: float) -> None:
        """Prepare; changes nothing.

        Args:
            layout: where everything is.
            tell: shows a line.
            settle_s: how long a version that says that it runs must go on to be believed.
        """
        self.layout, self.tell, self._settle_s = layout, tell, settle_s
        self.versions, self.service = Versions(layout), Service(layout)

    # ---- install or upgrade
    def install(self, bundle: Bundle, python: str) -> None:
        """Install a bundle's version, or let it take the place of an older one.

        Raises:
            InstallError: it cannot be installed, and nothing has changed; or (WENT_BACK) it did not
                run, and the one before it runs again.
        """
        bundle.check(this_machine())
        with self.versions.locked():
            before = self.versions.current
            self.tell(f"{self.layout.name} {bundle.version} goes to {self.layout.home}")
            after = self.versions.build(bundle, python)
            try:
                self._prepare(after)
                self._check(after)
                self._switch(before, after)
            except BaseException:
                if after not in {self.versions.current, self.versions.previous}:
                    shutil.rmtree(after)  # the bundle has it all
                raise
            if before != after:
                self.versions.keep(before or self.versions.previous)
        self._tell_installed(before, after)

    def _prepare(self, after: Path) -> None:
        """Bring into being what all versions share: account, folders, example."""
        if not self.layout.is_service:
            return
        account.make()
        account.make_folders(self.layout)
        if not self.layout.config.exists():
            shutil.copyfile(after / SETUP / self.layout.config.name, self.layout.config)
            self.layout.config.chmod(0o644)

    def _check(self, version: Path) -> None:
        """Let a version look at the configuration before it gets its turn.

        Raises:
            InstallError: it cannot run with it.
        """
        if not self.layout.is_service:
            return
        config = self.layout.config
        if self.layout.part == "edge":
            done = call(version / "bin/citytwin-edge", "check", "--config", config, user=ACCOUNT)
        else:
            done = call(version / "bin/python", "-c", HUB_CHECK, config, user=ACCOUNT)
        if done.returncode == NOT_STARTED:
            raise InstallError(
                f"the user {ACCOUNT} cannot run {version}/bin/{self.layout.name}: {done.stderr}"
            )
        if done.returncode:
            said = done.stderr.strip().rpartition("\n")[2]
            raise InstallError(
                f"version {version.name} cannot run with {config}: {said}; nothing was changed"
            )

    def _switch(self, before: Path | None, after: Path) -> None:
        """Let a version take over; when it does not run, the one before it does again.

        Raises:
            InstallError: it did not.
        """
        if not self.layout.is_service:
            self.versions.use(after)
            return
        was = self.service.shown()
        if before is not None and not self._unit_of(before).exists() and self.layout.unit.exists():
            # A version from before this installer: its unit goes back with it.
            (before / SETUP).mkdir(exist_ok=True)
            shutil.copyfile(self.layout.unit, self._unit_of(before))
        reason = "it was interrupted"
        try:
            self._take_over(after)
            reason = self.service.run(self._settle_s) if was.is_wanted else ""
        finally:
            if reason and before not in {None, after}:
                self._go_back(before, after, reason)
        if reason:
            raise InstallError(f"version {after.name} does not run: {reason}", WENT_BACK)

    def _unit_of(self, version: Path) -> Path:
        return version / SETUP / self.service.name

    def _take_over(self, version: Path) -> None:
        self.versions.use(version)
        self.layout.command.parent.mkdir(parents=True, exist_ok=True)
        new = self.layout.command.with_name(f".{self.layout.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(self.layout.home / "current/bin" / self.layout.name)
        new.replace(self.layout.command)
        self.service.put(self._unit_of(version), version / SETUP / DROP_IN)

    def _go_back(self, before: Path | None, after: Path, reason: str) -> None:
        assert before is not None
        self._take_over(before)
        again = self.service.run(self._settle_s)
        how = f"does not run either: {again}" if again else "runs again"
        raise InstallError(
            f"version {after.name} did not run: {reason}\nversion {before.name} {how}", WENT_BACK
        )

    def _tell_installed(self, before: Path | None, after: Path) -> None:
        name, config = self.layout.name, self.layout.config
        if not self.layout.is_service:
            self.tell(f"{self.layout.home}/current/bin/{name} is ready.")
            return
        if not self.service.has_manager:
            self.tell(f"There is no systemd here, so nothing was started: {name} is run by you.")
        elif self.service.shown().is_wanted:
            self.tell(f"{name} {after.name} runs.")
            return
        self.tell(f"{name} is installed. Its configuration is {config}; when that is right:")
        if self.layout.part == "edge" and before is None:
            self.tell("  sudo citytwin-edge scan … and add … find devices and write them there")
            self.tell("  sudo citytwin-edge probe")
            self.tell("  sudo citytwin-edge enrol HUB TOKEN")
        if self.service.has_manager:
            self.tell(f"  sudo systemctl enable --now {name}")
        else:
            run = "run --config" if self.layout.part == "edge" else "--config"
            end = "" if self.layout.part == "edge" else " run"
            self.tell(f"  {name} {run} {config}{end}")

    # ---- back
    def rollback(self) -> None:
        """Let the version that was before take over again.

        Raises:
            InstallError: there is none, it cannot run with the configuration, or it did not run.
        """
        with self.versions.locked():
            now, then = self.versions.current, self.versions.previous
            if then is None or now is None:
                raise InstallError(f"there is no older version in {self.layout.home} to go back to")
            if not self.versions.works(then):
                raise InstallError(f"{then} does not start; install a bundle instead")
            self._check(then)
            self._switch(now, then)
            self.versions.keep(now)
        self.tell(f"{self.layout.name} is back at {then.name}; {now.name} is kept beside it.")

    # ---- away
    def uninstall(self, *, purge: bool, yes: bool) -> None:
        """Remove what was installed; with ``purge`` also what it has kept, and its account.

        Raises:
            InstallError: (SAMPLES_WAIT) there is what the hub has not, and ``yes`` was not said.
        """
        with self.versions.locked():
            wanted = self.service.shown().is_wanted if self.layout.is_service else False
            if purge and self.layout.is_service and not yes:
                self._refuse_to_lose(runs=wanted)
            if self.layout.is_service:
                self.service.remove()
                if self.layout.command.is_symlink():
                    self.layout.command.unlink()
            self.versions.remove()
            if purge and self.layout.is_service:
                self._purge()
        if purge or not self.layout.is_service:
            self.tell(f"{self.layout.name} is gone.")
            return
        self.tell(f"{self.layout.name} is gone; {self._kept()} stay, and so does the user "
                  f"{ACCOUNT}. ./install.sh continues with them, "
                  "./install.sh --uninstall --purge removes them.")  # fmt: skip

    def _kept(self) -> str:
        kept = [str(self.layout.config), str(self.layout.state)]
        if self.layout.part == "edge":
            with contextlib.suppress(InstallError):
                kept[1] += f" ({waiting(self.layout.outbox).words} wait in its outbox)"
        return " and ".join(kept)

    def _refuse_to_lose(self, *, runs: bool) -> None:
        """Stop it, unless the hub has not got all; then it goes on as before.

        Raises:
            InstallError: the hub has not.
        """
        if self.layout.part == "hub":
            raise InstallError(
                f"{self.layout.state} has the city's history, users and the authority of all "
                "gateways; --purge --yes removes them",
                SAMPLES_WAIT,
            )
        outbox = self.layout.outbox
        for _ in range(round(DELIVER_S_MAX / LOOK_S) if runs else 1):
            # While it runs, what was just read is always on its way.
            if not waiting(outbox).entries:
                break
            Event().wait(LOOK_S)
        else:
            raise InstallError(
                f"{waiting(outbox).words} wait in {outbox} for the hub; let it have them, or say "
                "--purge --yes to lose them",
                SAMPLES_WAIT,
            )
        self.service.stop()
        if last := waiting(outbox).samples:
            self.tell(f"{last} samples that were read while it stopped go with it.")

    def _purge(self) -> None:
        account.remove_folder(self.layout.state)
        self.layout.config.unlink(missing_ok=True)
        if self.layout.others():
            return
        # Profiles and passwords that lie beside the configuration are of no use to anybody else.
        account.remove_folder(self.layout.config_folder)
        account.remove()
