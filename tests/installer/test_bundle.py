"""What a bundle says of itself, and whether it fits."""

from __future__ import annotations

import json
import platform
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from installer import bundle as bundles
from installer.bundle import Bundle
from installer.errors import InstallError

KINDS = [["amd64", "3.11"], ["arm64", "3.13"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    contents = {"part": "edge", "version": "0.2.0", "kinds": KINDS}
    (tmp_path / "contents.json").write_text(json.dumps(contents))
    (tmp_path / "requirements.txt").write_text("typing-extensions==4.1\nNumPy==2.0\n")
    (tmp_path / "wheels").mkdir()
    names = ["citytwin_edge-0.2.0", "typing_extensions-4.1", "numpy-2.0", "acme_gauge-1.5"]
    for name in names:
        (tmp_path / f"wheels/{name}-py3-none-any.whl").touch()
    sums = [f"{'0' * 64}  ./wheels/{name}-py3-none-any.whl\n" for name in names[:3]]
    # As a vendor adds one.
    sums += [f"{'0' * 64}  wheels/{names[3]}-py3-none-any.whl\n"]
    (tmp_path / "SHA256SUMS").write_text("".join(sums))
    return tmp_path


def test_what_fits_is_taken_and_every_change_is_another_version(folder: Path) -> None:
    one = Bundle(folder)
    one.check(("arm64", "3.13"))
    assert one.version.startswith("0.2.0-")
    with (folder / "SHA256SUMS").open("a") as sums:
        sums.write(f"{'1' * 64}  ./more\n")
    assert Bundle(folder).version != one.version


def test_ours_and_a_vendors_are_installed_beside_the_list(folder: Path) -> None:
    assert Bundle(folder).extra() == ["acme_gauge==1.5", "citytwin_edge==0.2.0"]


@pytest.mark.parametrize("machine", [("amd64", "3.13"), ("armv7", "3.11")])
def test_what_does_not_fit_is_said(folder: Path, machine: tuple[str, str]) -> None:
    with pytest.raises(
        InstallError, match=r"the bundle is for amd64 with Python 3\.11, arm64 with"
    ):
        Bundle(folder).check(machine)


def test_a_wheel_that_nobody_summed_up_is_not_trusted(folder: Path) -> None:
    (folder / "wheels/evil-1-py3-none-any.whl").touch()
    with pytest.raises(InstallError, match=r"sha256sum wheels/evil-1-py3-none-any\.whl >> SHA256"):
        Bundle(folder).check(("arm64", "3.13"))


@pytest.mark.parametrize("text", ["", "{}", '{"part": "edge", "version": "1", "kinds": 3}'])
def test_what_is_no_bundle_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(InstallError, match="is no bundle"):
        Bundle(tmp_path)
    (tmp_path / "contents.json").write_text(text)
    with pytest.raises(InstallError, match="is no bundle"):
        Bundle(tmp_path)


def test_a_32_bit_system_on_a_64_bit_kernel_is_one(monkeypatch: Any) -> None:
    version = "{}.{}".format(*sys.version_info[:2])
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert bundles.this_machine() == ("arm64", version)
    monkeypatch.setattr(struct, "calcsize", lambda _format: 4)
    assert bundles.this_machine() == ("armv7", version)
