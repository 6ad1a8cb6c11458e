"""Runs a tutorial as its reader would: types every command, writes every file, compares.

In a guide, what is fenced as ``console`` is typed: a line with ``$`` is a command, and the lines
below it are what it prints; ``…`` stands for anything. ``&`` at its end means a window of its own;
the same command again means that it was stopped before. ``exit code N`` in the sentence before a
block is what its last command ends with. What is fenced as ``LANGUAGE file=PATH`` is that file, and
``diff file=PATH`` a change of it. What is fenced as ``sh`` or ``text`` is not run.

The port of a new project's device is replaced, in the guide and in the project, by one of the
reader's own, so that two readers on one machine do not meet.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from tests.servers import free_port
from tests.vendor import Vendor

LINES_MAX = 10_000
PORT = "4001"
"""Of the device of a new project."""
WAIT_S_MAX = 240.0
_FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = ("sh", "text")


class Block(NamedTuple):
    """One fenced block: what it is, for which file, its text, and what is said before it."""

    kind: str
    file: str
    text: str
    before: str
    line: int


class Step(NamedTuple):
    """A command and what it prints."""

    command: str
    shown: str
    code: int


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a guide in order."""
    for found in _FENCE.finditer(text):
        before = text[: found.start()].rstrip().rpartition("\n\n")[2]
        line = text[: found.start()].count("\n") + 1
        yield Block(found[1], found[2] or "", found[3], before, line)


def steps(block: Block) -> Iterator[Step]:
    """Yield the commands of a console block."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert not parts[0].strip(), f"line {block.line}: a console block begins with a command"
    code = re.search(r"exit code (\d+)", block.before)
    for number, part in enumerate(parts[1:], 2):
        command, _, shown = part.partition("\n")
        last = number == len(parts)
        yield Step(command, shown.strip("\n"), int(code[1]) if code and last else 0)


def agrees(shown: str, said: str) -> bool:
    """Tell whether what is shown is in what was printed; ``…`` stands for anything."""
    pattern = ".*?".join(re.escape(part) for part in shown.split("…"))
    return re.search(pattern, said, re.DOTALL) is not None


def changed(text: str, diff: str) -> str:
    """Return a text after changes that are shown as in a diff, ``@@`` between them."""
    for hunk in re.split(r"^@@\n", diff, flags=re.MULTILINE):
        lines = hunk.splitlines()
        old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
        new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
        assert text.count(old) == 1, f"this is not there once:\n{old}"
        text = text.replace(old, new)
    return text


class Reader:
    """Somebody at a shell; what he starts in other windows ends with him."""

    def __init__(self, vendor: Vendor) -> None:
        self._port = str(free_port())
        self._windows: dict[str, tuple[subprocess.Popen[str], threading.Thread]] = {}
        self._vendor, self.folder = vendor, vendor.home

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        for command in tuple(self._windows):
            self._closes(command)

    def does(self, block: Block) -> None:
        """Do what a block says."""
        where = f"line {block.line}: "
        block = block._replace(text=block.text.replace(PORT, self._port))
        if block.kind == "console":
            for step in steps(block):
                self._types(step, where)
        elif block.kind not in _NOT_RUN:
            assert block.file, f"{where}say which file it is: ```{block.kind} file=…"
            assert f"`{block.file}`" in block.before, f"{where}name the file to the reader, too"
            path = self.folder / block.file
            if block.kind == "diff":
                path.write_text(changed(path.read_text(), block.text))
            else:
                assert path.parent.is_dir(), f"{where}there is no folder {path.parent}"
                path.write_text(block.text)

    def _types(self, step: Step, where: str) -> None:
        if step.command.endswith(" &"):
            self._opens(step, where)
            return
        # The shell ends with the command, so it says where it was at its end.
        line = f"trap 'pwd > {self._vendor.home}/.at' EXIT; {step.command}"
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=self._vendor.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=WAIT_S_MAX, check=False,
        )  # fmt: skip
        self.folder = Path((self._vendor.home / ".at").read_text().strip())
        assert done.returncode == step.code, f"{where}{step.command}\n{done.stdout}"
        assert agrees(step.shown, done.stdout), (
            f"{where}{step.command}\nshows\n{step.shown}\nand not\n{done.stdout}"
        )

        if step.command.startswith("citytwin-edge new adapter "):
            self._moves(self.folder / f"citytwin-{step.command.split()[3]}")

    def _moves(self, project: Path) -> None:
        """Give a new project's device the reader's own port."""
        for path in project.rglob("*"):
            if path.is_file() and path.suffix in (".py", ".toml", ".md"):
                text = path.read_text(encoding="utf-8")
                path.write_text(text.replace(PORT, self._port), encoding="utf-8")

    def _closes(self, command: str) -> None:
        window, ear = self._windows.pop(command)
        os.killpg(window.pid, signal.SIGKILL)
        window.wait(timeout=30)
        ear.join(timeout=30)

    def _opens(self, step: Step, where: str) -> None:
        if step.command in self._windows:
            self._closes(step.command)
        window = subprocess.Popen(
            ["bash", "-c", step.command.removesuffix(" &")], cwd=self.folder,
            env=self._vendor.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        lines: queue.Queue[str] = queue.Queue(maxsize=LINES_MAX)
        ear = threading.Thread(target=_listen, args=(window.stdout, lines), daemon=True)
        ear.start()
        self._windows[step.command] = (window, ear)
        said = ""
        while not agrees(step.shown, said):
            line = lines.get(timeout=WAIT_S_MAX)
            assert line, f"{where}{step.command} has ended:\n{said}"
            said += line


def _listen(stream: IO[str], lines: queue.Queue[str]) -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put("")
