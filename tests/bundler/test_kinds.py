"""Kinds of machines: what pip looks for, and which requirements are theirs."""

from __future__ import annotations

import platform
import struct
import sys
from typing import Any

import pytest
from packaging.markers import Marker

from bundler import kinds
from bundler.kinds import Kind


def test_pip_looks_for_ready_made_files_of_debian_12_and_older() -> None:
    options = Kind("arm64", "3.13").pip_options
    assert options[:2] == ["--only-binary", ":all:"]
    assert {"manylinux_2_36_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(
        options
    )
    assert not [one for one in options if one.startswith("manylinux_2_37")]
    assert not [one for one in options if one.endswith("x86_64")]
    assert {"cp313", "abi3", "none", "3.13"} <= set(options)


@pytest.mark.parametrize(
    ("kind", "marker", "wanted"),
    [
        (Kind("arm64", "3.11"), "python_full_version < '3.12'", True),
        (Kind("arm64", "3.12"), "python_full_version < '3.12'", False),
        (Kind("amd64", "3.13"), "sys_platform == 'win32'", False),
        (Kind("armv7", "3.11"), "platform_machine == 'armv7l'", True),
        (Kind("amd64", "3.11"), "platform_python_implementation != 'PyPy'", True),
    ],
)
def test_whose_a_requirement_is(kind: Kind, marker: str, wanted: bool) -> None:
    """Whatever Python runs this."""
    assert kind.wants(Marker(marker)) is wanted
    assert kind.wants(None)


@pytest.mark.parametrize(
    ("machine", "pointer_bytes", "architecture"),
    [("x86_64", 8, "amd64"), ("aarch64", 8, "arm64"), ("aarch64", 4, "armv7"),
     ("armv7l", 4, "armv7"), ("riscv64", 8, "riscv64")],
)  # fmt: skip
def test_a_32_bit_system_on_a_64_bit_kernel_is_one(
    machine: str, pointer_bytes: int, architecture: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(struct, "calcsize", lambda _format: pointer_bytes)
    assert kinds.this_machine() == (architecture, "{}.{}".format(*sys.version_info[:2]))
