"""The demo city: ``python -m democity [--fault NAME]``; ``make demo`` calls it."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from democity.supervisor import HTTP_PORT, DemoError, Supervisor

FAULTS = ("burst", "silent-device", "broker-down", "hub-down")


def main() -> int:
    """Run the demo city until Ctrl-C; return the exit code."""
    parser = argparse.ArgumentParser(prog="democity", description="A demo city on this machine.")
    parser.add_argument("--fault", choices=FAULTS, default="", help="inject a trouble")
    parser.add_argument(
        "--state", type=Path, default=Path(os.environ.get("CITYTWIN_DEMO_STATE", ".demo"))
    )
    parser.add_argument("--port", type=int, default=HTTP_PORT, help="of the page")
    parser.add_argument("--port-offset", type=int, default=0, help="moves every other port")
    options = parser.parse_args()
    try:
        return asyncio.run(_run(options))
    except DemoError as error:
        print(f"democity: {error}", file=sys.stderr)
        return 1


async def _run(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    city = Supervisor(options.state.resolve(), http_port=options.port, offset=options.port_offset)
    try:
        starting = asyncio.ensure_future(city.start())
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            starting.cancel()
            return 0
        await starting
        print(f"{city.address}/#token={city.token}", flush=True)
        await city.run(options.fault, stop)
    finally:
        await city.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
