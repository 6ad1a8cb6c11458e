"""The demo city: ``python -m democity [--fault NAME]``; ``make demo`` calls it."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from pathlib import Path

HTTP_PORT = 8080
FAULTS = ("burst", "silent-device", "broker-down", "hub-down")


def main() -> int:
    """Run the demo city until Ctrl-C; return the exit code."""
    signal.signal(signal.SIGINT, _leave)
    parser = argparse.ArgumentParser(prog="democity", description="A demo city on this machine.")
    parser.add_argument("--fault", choices=FAULTS, default="", help="inject a trouble")
    parser.add_argument(
        "--fault-after", type=float, metavar="S", help="seconds from the start to the trouble"
    )
    parser.add_argument("--fault-lasts", type=float, metavar="S", help="seconds that it lasts")
    parser.add_argument(
        "--state", type=Path, default=Path(os.environ.get("CITYTWIN_DEMO_STATE", ".demo"))
    )
    parser.add_argument("--port", type=int, default=HTTP_PORT, help="of the page")
    parser.add_argument("--port-offset", type=int, default=0, help="moves every other port")
    options = parser.parse_args()
    # Loading EPANET takes seconds: mistakes above are told without it, and Ctrl-C meanwhile does
    # not go into an event loop that cannot hear it.
    importlib.import_module("democity.faults")
    import asyncio

    return asyncio.run(_run(options))


def _leave(*_: object) -> None:
    """End while nothing has been started yet.

    Not by KeyboardInterrupt: where that falls into a class that is being made (dataclasses run
    text), Python ends as if killed by the signal, even when it is caught.
    """
    raise SystemExit(0)


async def _run(options: argparse.Namespace) -> int:
    import asyncio

    from democity.child import DemoError
    from democity.faults import AFTER_S, LASTS_S, inject
    from democity.supervisor import Supervisor

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    city = Supervisor(options.state.resolve(), http_port=options.port, offset=options.port_offset)
    troubles = []
    if options.fault:
        after_s = AFTER_S if options.fault_after is None else options.fault_after
        lasts_s = options.fault_lasts or LASTS_S[options.fault]
        troubles.append(lambda: inject(city, options.fault, after_s, lasts_s))
    try:
        if await city.start_unless(stop):
            print(city.url, flush=True)
            await city.run(stop, troubles)
    except DemoError as error:
        print(f"democity: {error}", file=sys.stderr)
        return 1
    finally:
        await city.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
