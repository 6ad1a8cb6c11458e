"""What the tests of the commands share: a configuration file, and running a command."""

import asyncio
import os
import pty
import select
import sys

from citytwin_edge.cli import main

ANSWER_S_MAX = 30
COMMAND = "import sys; from citytwin_edge.cli import main; sys.exit(main())"


def written(folder, port=5, **more):
    path = folder / "edge.toml"
    head = '[gateway]\nname = "g"\nstate = "state"\n' + more.get("gateway", "")
    path.write_text(
        f'{head}[outbox]\nflush_ms = 100\n[[device]]\nname = "meter"\nadapter = "modbus"\n'
        f'host = "127.0.0.1"\nport = {port}\nperiod_s = 0.1\n'
        '[[device.point]]\nname = "flow"\nunit = "m3/h"\ntable = "holding"\naddress = 0\n'
        "scale = 0.1\nwritable = [0, 10]\n"
        '[[device.point]]\nname = "name"\nkind = "text"\ntable = "holding"\naddress = 1\n'
        'type = "string"\nlength = 2\n'
    )
    return str(path)


async def ran(*arguments):
    """Run a command beside the servers of this test."""
    return await asyncio.to_thread(main, arguments)


async def process(*arguments, folder):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", COMMAND, *arguments, cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


def dialogue(folder, answers, arguments):
    """Run a command in a terminal and answer its questions; returns what it printed."""
    child, terminal = pty.fork()
    if not child:
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-c", COMMAND, *arguments])
    said = ""
    try:
        while True:
            assert select.select([terminal], [], [], ANSWER_S_MAX)[0], f"it waits after {said!r}"
            try:
                said += os.read(terminal, 4096).decode(errors="replace")
            except OSError:  # it has ended
                return said
            if answers and said.replace("\r", "").endswith(answers[0][0]):
                os.write(terminal, f"{answers.pop(0)[1]}\n".encode())
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
