"""Children: the processes of the demo city; each is kept going, and none outlives the demo."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

STOP_S_MAX: Final = 8.0
RESTART_S_MAX: Final = 30.0
SETTLED_S: Final = 60.0
"""A child that has lived so long is started again at once when it ends."""
LOG_BYTES_MAX: Final = 16 * 1024 * 1024
WORDS_BYTES_MAX: Final = 4096
_PR_SET_PDEATHSIG: Final = 1


class DemoError(Exception):
    """The demo city cannot go on; the text is one sentence for a person."""


class Child:
    """One process that is started again when it ends by itself."""

    def __init__(self, name: str, command: list[str], logs: Path, *, piped: bool = False) -> None:
        """Describe it; ``piped`` keeps its standard input and output for the supervisor."""
        self.name, self.log = name, logs / f"{name}.log"
        self._command, self._piped = command, piped
        self.process: asyncio.subprocess.Process | None = None
        self._wanted = asyncio.Event()
        self._log_from = 0

    async def start(self) -> None:
        """Start it."""
        self.trim_log()
        log: IO[bytes] = self.log.open("ab")
        try:
            self._log_from = log.tell()
            self.process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE if self._piped else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self._piped else log,
                stderr=log,
                preexec_fn=_with_parent(),
                start_new_session=True,
            )
        finally:
            log.close()
        self._wanted.set()

    async def stop(self) -> None:
        """End it: politely, then not."""
        self._wanted.clear()
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def keep(self) -> None:
        """Start it again whenever it ends without being told to, a little later each time."""
        loop = asyncio.get_running_loop()
        pause_s = 1.0
        while True:
            await self._wanted.wait()
            process, since_s = self.process, loop.time()
            assert process is not None
            code = await process.wait()
            if not self._wanted.is_set() or process is not self.process:
                continue
            if loop.time() - since_s > SETTLED_S:
                pause_s = 1.0
            print(
                f"democity: {self.name} ended ({code}), see {self.log}; starting it again",
                flush=True,
            )
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RESTART_S_MAX)
            if self._wanted.is_set():
                await self.start()

    def last_words(self) -> str:
        """Return the last line that it has logged since it was started."""
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_from, size - WORDS_BYTES_MAX))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def trim_log(self) -> None:
        """Move a log that has grown too long aside; the one before it goes."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            # The process holds the file open for appending, so it is emptied, not renamed.
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)
            self._log_from = 0


async def output_of(command: list[str], name: str, wait_s_max: float) -> str:
    """Run a command to its end and return what it printed; it ends when the caller is cancelled.

    Raises:
        DemoError: it failed, with what it said.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=_with_parent(),
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(wait_s_max):
            out, err = await process.communicate()
    except TimeoutError:
        raise DemoError(f"{name} did not end within {wait_s_max:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise DemoError(f"{name}: {err.decode(errors='replace').strip()}")
    return out.decode()


def python(module: str) -> list[str]:
    """Return the command that runs a module of ours, or its ``main()`` where it is a ``cli``."""
    if module.endswith(".cli"):
        return [sys.executable, "-c", f"import sys; from {module} import main; sys.exit(main())"]
    return [sys.executable, "-m", module]


def _with_parent() -> Callable[[], None]:
    """Return what lets the kernel end a child when this process is gone, however it went."""
    # Made before the fork: between fork and exec there is one C call, no locks, no import.
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return die_with_parent
