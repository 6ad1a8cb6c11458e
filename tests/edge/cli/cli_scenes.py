"""What the tests of the commands share: a configuration file, and running a command."""

import asyncio
import sys

from citytwin_edge.cli import main

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
