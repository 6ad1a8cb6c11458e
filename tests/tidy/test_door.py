"""The Makefile and the scripts behind it: what they say on a machine that lacks something."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tidy.sources import ROOT

# A test as root would install what is missing; there is always somebody who may not.
NOBODY = 65534
WITHOUT_RIGHTS: dict[str, Any] = (
    {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
)
TOOLS = (
    "awk",
    "cat",
    "chmod",
    "dirname",
    "env",
    "grep",
    "id",
    "mkdir",
    "mktemp",
    "rm",
    "sh",
    "tail",
)


class Machine:
    """A PATH with a shell and little else, and the scripts of deploy/."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        (folder / "deploy").mkdir()
        for script in (ROOT / "deploy").glob("*.sh"):
            shutil.copy2(script, folder / "deploy")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (self.programs / tool).symlink_to(found)

    def has(self, name: str, script: str) -> None:
        """Put a program there."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command there, as somebody who is not root."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env={"PATH": str(self.programs)},
            **WITHOUT_RIGHTS,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine() -> Iterator[Machine]:
    # Not tmp_path: a folder of root's, closed to the user that the scripts run as.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield Machine(folder)


def python_that(answers: str) -> str:
    """Return a program that is asked for its version and its modules like a Python is."""
    return f'case "$*" in {answers} *) exit 1 ;; esac'


def test_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"^\.PHONY: (\w+)$", text, re.MULTILINE))
    shown = subprocess.run(
        ["make"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert set(re.findall(r"^make (\w+) ", shown, re.MULTILINE)) == named
    assert named >= {"help", "demo", "test", "check", "bench", "docs", "proto", "lock", "clean"}


def test_without_python_there_is_one_sentence(machine: Machine) -> None:
    answer = machine.run("deploy/make-venv.sh", "venv")
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert "needs Python 3.11 or newer; this machine has no python3" in answer.stderr


def test_an_old_python_is_named(machine: Machine) -> None:
    machine.has("python3", python_that("--version) echo Python 3.9.2 ;;"))
    answer = machine.run("deploy/make-venv.sh", "venv")
    assert answer.returncode == 1
    assert "this machine has Python 3.9.2" in answer.stderr


def test_without_venv_the_command_to_type_is_named(machine: Machine) -> None:
    machine.has("apt-get", "exit 1")
    machine.has(
        "python3.12",
        python_that('*version_info*"(3, 13)"*) exit 0 ;; *version_info*) echo 3.12 ;;'),
    )
    answer = machine.run("deploy/make-venv.sh", "venv")
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.endswith("sudo apt-get install python3.12-venv\n")


def test_missing_packages_are_named_in_one_command(machine: Machine) -> None:
    machine.has("apt-get", "exit 1")
    machine.has("socat", "")
    listed = machine.run("deploy/debian-packages.sh", "--list", "test")
    # What is in /usr/sbin or among the fonts here is not missing there either.
    assert {"mosquitto-clients"} <= set(listed.stdout.split())
    assert "socat" not in listed.stdout.split()
    answer = machine.run("deploy/debian-packages.sh", "test")
    assert answer.returncode == 1
    assert "sudo apt-get install " + " ".join(listed.stdout.split()) in answer.stderr


def test_apt_is_left_alone_when_nothing_is_missing(machine: Machine) -> None:
    machine.has("apt-get", "echo called >&2; exit 1")
    machine.has("python3", "exit 0")
    answer = machine.run("deploy/debian-packages.sh", "venv", "python3")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_an_unknown_set_is_refused(machine: Machine) -> None:
    answer = machine.run("deploy/debian-packages.sh", "everything")
    assert answer.returncode == 2
    assert "usage:" in answer.stderr


def test_a_good_node_of_the_machine_is_taken(machine: Machine) -> None:
    machine.has("node", "exit 0")
    machine.has("npm", 'echo "npm of the machine $*"')
    answer = machine.run("deploy/with-node.sh", "venv", "npm", "ci")
    assert answer.stdout == "npm of the machine ci\n", answer.stderr


def test_an_old_node_gives_way_to_the_wheel(machine: Machine) -> None:
    machine.has("node", "exit 1")
    machine.has("npm", "echo wrong")
    (machine.folder / "venv/bin").mkdir(parents=True)
    (machine.folder / "venv").chmod(0o777)
    wheel = machine.folder / "wheel"
    (wheel / "bin").mkdir(parents=True)
    for path, text in (
        (machine.folder / "venv/bin/python", f'echo "{wheel}"'),
        (wheel / "bin/node", 'echo "node of the wheel ${1##*/} $2"'),
    ):
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
    answer = machine.run("deploy/with-node.sh", "venv", "npm", "ci")
    assert answer.stdout == "node of the wheel npm-cli.js ci\n", answer.stderr
