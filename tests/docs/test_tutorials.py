"""The vendor's tutorials, done from their text only, with real commands and devices."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clean_gateway import ROOT, make_bundle
from tests.docs.tutorial import Block, Reader, agrees, blocks, changed, steps
from tests.vendor import Vendor

GUIDES = ROOT / "docs/guides"


def checkout(vendor: Vendor) -> None:
    """Give the reader a checkout of his own, without what it takes to install one."""
    place = vendor.home / "citytwin"
    source = ["git", "-c", "safe.directory=*", "clone", "--quiet", "--depth", "1", f"file://{ROOT}"]
    subprocess.run([*source, str(place)], check=True, timeout=120)
    for name, value in (("user.name", "A. Seitova"), ("user.email", "a.seitova@example.com")):
        subprocess.run(["git", "config", name, value], cwd=place, check=True, timeout=30)


def bundle(vendor: Vendor) -> None:
    """Give the reader what `make bundle` leaves in his checkout."""
    (vendor.home / "citytwin/dist").mkdir(parents=True)
    make_bundle(vendor.home / "citytwin/dist")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "prepare"), [("tutorial-profile", checkout), ("tutorial-adapter", bundle)]
)
def test_a_reader_gets_there(name: str, prepare: Callable[[Vendor], None], tmp_path: Path) -> None:
    vendor = Vendor(tmp_path)
    prepare(vendor)
    done = 0
    with Reader(vendor) as reader:
        for block in blocks((GUIDES / f"{name}.md").read_text(encoding="utf-8")):
            reader.does(block)
            done += 1
    assert done > 8, "the blocks were not found"


def test_what_is_shown_must_be_what_is_printed() -> None:
    assert agrees("a …c", "x\na b\nc")
    assert agrees("", "anything")
    assert not agrees("a … d", "a b c")
    assert not agrees("1.5", "1x5")


def test_a_console_has_commands_and_what_they_print() -> None:
    (block,) = blocks("It fails (exit code 2):\n\n```console\n$ a b\nsaid\n\n$ c\n```\n")
    assert [tuple(step) for step in steps(block)] == [("a b", "said", 0), ("c", "", 2)]


def test_a_change_must_fit() -> None:
    assert changed("a\nb\nc\n", " a\n-b\n+x\n") == "a\nx\nc\n"
    assert changed("a\nb\nc\n", "-a\n+x\n@@\n-c\n") == "x\nb\n"
    with pytest.raises(AssertionError, match="not there once"):
        changed("a\n", "-b\n+c\n")


def test_a_reader_meets_what_is_wrong(tmp_path: Path) -> None:
    wrong = {
        "```console\n$ false\n```\n": "line 1: false",
        "```console\n$ echo a\nb\n```\n": "shows\nb\nand not\na",
        "Write `x.txt`:\n\n```text2 file=y.txt\na\n```\n": "name the file to the reader",
        "```console\n$ echo a &\nb\n```\n": "has ended",
    }
    with Reader(Vendor(tmp_path)) as reader:
        for text, words in wrong.items():
            (block,) = blocks(text)
            assert isinstance(block, Block)
            with pytest.raises(AssertionError) as found:
                reader.does(block)
            assert words in str(found.value)
