"""Kinds of machines: which ready-made files fit a processor, a Python version and a Debian."""

from __future__ import annotations

from typing import Final, NamedTuple

from packaging.markers import Marker

from installer import bundle

ARCHITECTURES: Final = {debian: python for python, debian in bundle.MACHINES.items()}
"""Debian's names of processors, with Python's."""
PYTHONS: Final = ("3.11", "3.12", "3.13")
"""Of Debian 12 and Raspberry Pi OS of 2023, Ubuntu 24.04, Debian 13 and Raspberry Pi OS of 2025."""
GLIBC_MINOR: Final = 36
"""Debian 12's C library, the oldest that is served: a file for a newer one would not load there."""
GLIBC_MINOR_MIN: Final = 5


class Kind(NamedTuple):
    """One kind of machine: ``architecture`` of ARCHITECTURES, ``python`` as "3.11"."""

    architecture: str
    python: str

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"{self.architecture} with Python {self.python}"

    @property
    def pip_options(self) -> list[str]:
        """What makes pip look for files that fit it, and for ready-made ones only."""
        machine = ARCHITECTURES[self.architecture]
        tags = [f"manylinux_2_{n}_{machine}" for n in range(GLIBC_MINOR, GLIBC_MINOR_MIN - 1, -1)]
        # Older names of the same, and the one without a promise, which 32-bit ARM has.
        tags += [f"{name}_{machine}" for name in ("manylinux2014", "manylinux2010", "linux")]
        version = self.python.replace(".", "")
        words = [
            "--only-binary",
            ":all:",
            "--implementation",
            "cp",
            "--python-version",
            self.python,
        ]
        for abi in (f"cp{version}", "abi3", "none"):
            words += ["--abi", abi]
        for tag in tags:
            words += ["--platform", tag]
        return words

    def wants(self, marker: Marker | None) -> bool:
        """Tell whether a requirement with this marker is one there.

        pip asks its own Python instead when it downloads for another.
        """
        if marker is None:
            return True
        machine = {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": ARCHITECTURES.get(self.architecture, self.architecture),
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }
        return marker.evaluate(machine)


def this_machine() -> Kind:
    """Return the kind of the machine and the Python that run this."""
    return Kind(*bundle.this_machine())
