"""Versions: each in a folder of its own; ``current`` is in use, ``previous`` was before it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from installer.bundle import Bundle
from installer.errors import InstallError
from installer.layout import Layout
from installer.running import WORK_S_MAX, call, must

CURRENT: Final = "current"
PREVIOUS: Final = "previous"
COMPLETE: Final = "complete"
"""A file that the installer makes last: a folder without it was not finished."""
SETUP: Final = "setup"
"""The folder of a version with the installer, the service and the example."""
SCRIPT: Final = "install.sh"
COMPILED: Final = "citytwin_edge.kernels.anomaly.compiled"
"""The module of an agent that compiles itself for this machine when it is run."""
DROP_IN: Final = "compiled.conf"
"""What the service needs besides where a version has machine code of its own."""
CARRIED: Final = (SCRIPT, "python.sh", "contents.json")


class Versions:
    """The versions of one part on this machine."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.home = layout, layout.home

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second installer away.

        Raises:
            InstallError: one is at work.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.home, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InstallError(f"another installer is at work in {self.home}") from None
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    self.home.rmdir()  # if nothing came into being
        finally:
            os.close(folder)

    def named(self, link: str) -> Path | None:
        """Return the folder at which a link points; None where there is none."""
        try:
            folder = self.home / (self.home / link).readlink()
        except OSError:
            return None
        return folder if self.is_version(folder) else None

    @property
    def current(self) -> Path | None:
        """The version in use."""
        return self.named(CURRENT)

    @property
    def previous(self) -> Path | None:
        """The one that was in use before it."""
        return self.named(PREVIOUS)

    def is_version(self, folder: Path) -> bool:
        """Tell whether a folder is a version, finished or not, of this part."""
        return (folder / "pyvenv.cfg").is_file() and folder.parent == self.home

    def works(self, folder: Path) -> bool:
        """Tell whether a version is complete and starts: its Python may have gone."""
        if not (folder / COMPLETE).exists():
            return False
        try:
            return call(folder / "bin" / self.layout.name, "--help").returncode == 0
        except InstallError:
            return False

    def build(self, bundle: Bundle, python: str) -> Path:
        """Bring a bundle's version into being beside the others; return its folder.

        Raises:
            InstallError: it could not be made; nothing of it is left.
        """
        folder = self.home / bundle.version
        if self.works(folder):
            return folder
        try:
            self._build(bundle, python, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder

    def _build(self, bundle: Bundle, python: str, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        must(python, "-m", "venv", "--without-pip", folder, wait_s_max=WORK_S_MAX)
        wheels = bundle.folder / "wheels"
        (pip,) = wheels.glob("pip-*.whl")
        # Exactly what was bundled: nothing is looked up, nothing else is taken.
        must(
            folder / "bin/python", pip / "pip", "install", "--quiet", "--disable-pip-version-check",
            "--no-input", "--isolated", "--no-cache-dir", "--no-index", "--no-deps",
            "--only-binary", ":all:", "--no-warn-script-location", "--find-links", wheels,
            "-r", bundle.folder / "requirements.txt", *bundle.extra(), wait_s_max=WORK_S_MAX,
        )  # fmt: skip
        if self.layout.part == "edge":
            # For its service, which may write nothing here and runs without docstrings.
            must(folder / "bin/python", "-m", "compileall", "-q", "-o", "2", folder / "lib",
                 wait_s_max=WORK_S_MAX)  # fmt: skip
        is_compiled = self.layout.part == "edge" and self._compile(folder)
        must(folder / "bin" / self.layout.name, "--help")
        setup = folder / SETUP
        setup.mkdir()
        for name in (*CARRIED, f"{self.layout.name}.service", f"{self.layout.part}.toml"):
            shutil.copy(bundle.folder / name, setup / name)
        shutil.copytree(bundle.folder / "installer", setup / "installer",
                        ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
        shutil.copytree(bundle.folder / "guides", folder / "guides")
        if is_compiled:
            shutil.copy(bundle.folder / DROP_IN, setup / DROP_IN)
        (setup / SCRIPT).chmod(0o755)
        (folder / COMPLETE).touch()

    @staticmethod
    def _compile(folder: Path) -> bool:
        """Make the machine code of kernels and keep it in the version, if its bundle has numba.

        So no start of the agent compiles. What cannot be compiled runs with numpy; tell which.
        """
        python = folder / "bin/python"
        if call(python, "-c", "import numba", wait_s_max=WORK_S_MAX).returncode:
            return False
        return call(python, "-OO", "-m", COMPILED, wait_s_max=WORK_S_MAX).returncode == 0

    def use(self, folder: Path) -> None:
        """Let ``current`` point at a version, in one step that is whole or not at all."""
        os.sync()  # a power cut must not leave a link to files that were never written
        self._point(CURRENT, folder.name)
        # From a version that came before this installer there may be none.
        if (folder / SETUP / SCRIPT).exists():
            self._point(SCRIPT, f"{CURRENT}/{SETUP}/{SCRIPT}")

    def keep(self, folder: Path | None) -> None:
        """Keep a version to go back to, and none but that and the one in use."""
        if folder is None:
            with contextlib.suppress(FileNotFoundError):
                (self.home / PREVIOUS).unlink()
        else:
            self._point(PREVIOUS, folder.name)
        kept = {self.current, self.previous}
        for other in self.all():
            if other not in kept:
                shutil.rmtree(other)

    def all(self) -> list[Path]:
        """Return the folders of all versions."""
        found = self.home.iterdir() if self.home.is_dir() else ()
        return sorted(one for one in found if not one.is_symlink() and self.is_version(one))

    def remove(self) -> None:
        """Remove every version, the links, and their folder if nothing else is in it."""
        for folder in self.all():
            shutil.rmtree(folder)
        for link in (CURRENT, PREVIOUS, SCRIPT):
            with contextlib.suppress(FileNotFoundError):
                (self.home / link).unlink()
        with contextlib.suppress(OSError):
            self.home.rmdir()

    def _point(self, link: str, at: str) -> None:
        new = self.home / f".{link}.new"
        new.unlink(missing_ok=True)
        new.symlink_to(at)
        new.replace(self.home / link)
        # A power cut after this finds the new one.
        folder = os.open(self.home, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
