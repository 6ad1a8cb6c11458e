"""The bundle as the installer finds it: what it is, whether it fits this machine, its wheels."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import struct
import sys
from pathlib import Path
from typing import Final

from installer.errors import InstallError

MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armv7"}
NARROW: Final = {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}
"""What a 32-bit system on a 64-bit kernel is: Raspberry Pi OS of 32 bits has such a kernel."""
SUMS: Final = "SHA256SUMS"


def this_machine() -> tuple[str, str]:
    """Return this machine's processor as Debian calls it, and the Python that runs us."""
    machine = platform.machine()
    if struct.calcsize("P") == 4:
        machine = NARROW.get(machine, machine)
    return MACHINES.get(machine, machine), "{}.{}".format(*sys.version_info[:2])


class Bundle:
    """A folder made by deploy/bundle.sh; ``version`` has a part that every change of it changes."""

    def __init__(self, folder: Path) -> None:
        """Read what it says of itself.

        Raises:
            InstallError: it is none.
        """
        self.folder = folder
        try:
            contents = json.loads((folder / "contents.json").read_text(encoding="utf-8"))
            self.part = str(contents["part"])
            self.kinds = [(str(one), str(python)) for one, python in contents["kinds"]]
            version = str(contents["version"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InstallError(f"{folder} is no bundle: {error}") from None
        self.version = version
        if (folder / SUMS).exists():
            digest = hashlib.sha256((folder / SUMS).read_bytes()).hexdigest()
            self.version = f"{version}-{digest[:12]}"

    @property
    def wheels(self) -> list[Path]:
        """Every wheel in it."""
        return sorted((self.folder / "wheels").glob("*.whl"))

    def check(self, machine: tuple[str, str]) -> None:
        """See that it is for this machine, and that every wheel in it was summed up.

        Raises:
            InstallError: it is not.
        """
        if machine not in self.kinds:
            made = ", ".join(f"{one} with Python {python}" for one, python in self.kinds)
            raise InstallError(
                f"this machine is {machine[0]} with Python {machine[1]}; the bundle is for {made}. "
                "Make one that fits (deploy/bundle.sh --for … --python …), or name another Python "
                "of this machine: sudo PYTHON=/usr/bin/python3.N ./install.sh"
            )
        listed = (self.folder / SUMS).read_text(encoding="utf-8")
        for wheel in self.wheels:
            # As sha256sum writes them, for files named as "x" or "./x".
            if not re.search(rf" [ *](\./)?wheels/{re.escape(wheel.name)}$", listed, re.MULTILINE):
                raise InstallError(
                    f"wheels/{wheel.name} is not in {SUMS}; if you have put it there, in the "
                    f"bundle: sha256sum wheels/{wheel.name} >> {SUMS}"
                )

    def extra(self) -> list[str]:
        """Return name==version of the wheels that the list of requirements does not know.

        They are our own, and those that a vendor has put beside them.
        """
        text = (self.folder / "requirements.txt").read_text(encoding="utf-8")
        known = {_plain(line.partition("=")[0]) for line in text.splitlines()}
        found = {}
        for wheel in self.wheels:
            name, version = wheel.name.split("-")[:2]
            if _plain(name) not in known:
                found[_plain(name)] = f"{name}=={version}"
        return sorted(found.values())


def _plain(name: str) -> str:
    """Return a distribution's name as all its spellings have it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
