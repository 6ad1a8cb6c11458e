"""Commands that run the agent, and look at what it keeps: run, reload, outbox."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

from citytwin.errors import CityTwinError
from citytwin_edge.cli import options as common
from citytwin_edge.cli import output

if TYPE_CHECKING:
    from citytwin_edge.gateway import GatewayConfig

STOP_S_MAX: Final = 5.0
"""A stopping agent that is not done by then ends at once; what it has accepted is on the disk."""
FAILED: Final = 70
"""Exit code of an agent of which a part failed (EX_SOFTWARE); systemd starts it again."""
RELOAD_S: Final = 30.0
"""``reload`` waits so long for the agent's answer, unless it is told otherwise."""
ANSWER_POLL_S: Final = 0.05
UNANSWERED: Final = 3
"""Exit code of ``reload`` when the agent did not answer in time."""
EXPIRY_DAYS: Final = 30
"""So long before its certificate ends, an agent that starts says so."""


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "read the devices and send to the hub"
    common.common(commands.add_parser("run", help=words, description=words), run)
    words = "let the running agent take the changed configuration; it says what has changed"
    command = commands.add_parser("reload", help=words, description=words)
    command.add_argument(
        "--wait",
        type=float,
        default=RELOAD_S,
        metavar="SECONDS",
        help=f"for its answer ({RELOAD_S:g})",
    )
    command.add_argument("--json", action="store_true")
    common.common(command, reload)
    words = "show what waits for the hub"
    command = commands.add_parser("outbox", help=words, description=words)
    command.add_argument("--refused", action="store_true", help="what the hub will never take")
    command.add_argument("--json", action="store_true")
    common.common(command, outbox)


def run(options: Any) -> int:
    """Run the agent until it is told to stop."""
    from citytwin_edge import enrol
    from citytwin_edge.push_store import state_of

    # What gRPC says by itself is no line of our log; the uplink tells what is lost and why.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    path = common.config_path(options)
    state = state_of(path)
    if not state.is_dir():
        enrol.load(state, common.load(options).name)  # says what is to be done
    # Before anything is put right there: another agent may be in the midst of it.
    with locked(state) as lock:
        return _run_alone(path, lock, options.log)


def _run_alone(path: Path, lock: TextIO, form: Literal["text", "json"]) -> int:
    from random import Random

    from citytwin import logs
    from citytwin.clock import SystemClock
    from citytwin_edge import enrol
    from citytwin_edge.agent import Agent
    from citytwin_edge.console.console import console_of
    from citytwin_edge.console.lastlines import LastLines
    from citytwin_edge.dial import Dialler
    from citytwin_edge.notify import Manager
    from citytwin_edge.push_store import recovered

    now_ns = SystemClock().now_ns()
    last_lines = LastLines()
    logs.configure(form, "info", last_lines.keep)
    config = recovered(path, now_ns)
    identity = enrol.load(config.state, config.name)
    days = identity.days_left(now_ns)
    if days < EXPIRY_DAYS:
        _log_expiry(days)
    connect = Dialler(config.hub or identity.hub, identity, config.state)

    def redial(config: GatewayConfig) -> None:
        connect.address = config.hub or identity.hub

    async def serve() -> None:
        # Jitter is no secret.
        agent = Agent(config, SystemClock(), connect, Random(), redial)  # noqa: S311
        loop = asyncio.get_running_loop()

        def stop() -> None:
            agent.stop()
            loop.call_later(STOP_S_MAX, os._exit, 1)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        loop.add_signal_handler(signal.SIGHUP, agent.reloader.request)
        # Not before: a signal that nobody takes would end the agent.
        lock.write(str(os.getpid()))
        lock.flush()
        async with console_of(agent, last_lines):
            _settle()
            # What it reads reaches the disk: only then does it run.
            async with Manager(os.environ).told(agent.flush):
                await agent.run()

    try:
        asyncio.run(serve())
    except BaseExceptionGroup:
        print("citytwin-edge: a part of the agent failed, see the log above; it must be started "
              "again (systemd does)", file=sys.stderr)  # fmt: skip
        return FAILED
    return 0


def _settle() -> None:
    """Give back what starting took, and spare the collector what stays until the end."""
    import ctypes
    import gc

    gc.collect()
    gc.freeze()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc's; others give back by themselves
        libc.malloc_trim(0)


def locked(state: Path) -> TextIO:
    """Return the open lock file of a state folder; the system lets go of it when we end."""
    import fcntl

    lock = (state / "agent.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise CityTwinError(
            f"another agent runs with {state}; stop that one first (systemctl stop citytwin-edge)"
        ) from None
    lock.truncate(0)
    return lock


def running_pid(state: Path) -> int:
    """Return the process of the agent that runs with a state folder.

    Raises:
        CityTwinError: none does.
    """
    import fcntl

    try:
        with (state / "agent.lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read())
    except (FileNotFoundError, ValueError):
        pass
    raise CityTwinError(
        f"no agent runs with {state}; start it (sudo systemctl start citytwin-edge)"
    )


def reload(options: Any) -> int:
    """Check the configuration, let the running agent take it, and say what it answers."""
    from citytwin_edge.reload import read_answer

    config = common.load(options)
    before = read_answer(config.state)
    pid = running_pid(config.state)
    try:
        os.kill(pid, signal.SIGHUP)
    except PermissionError:
        raise CityTwinError("the agent belongs to another user; type sudo before it") from None

    def answered() -> Any:
        answer = read_answer(config.state)
        if answer is None or (before is not None and answer.number <= before.number):
            return None
        return answer if answer.digest == config.digest else None

    answer = asyncio.run(_until(answered, options.wait))
    if answer is None:
        print(f"citytwin-edge: the agent (process {pid}) gave no answer within {options.wait:g} s; "
              "its log says what it does", file=sys.stderr)  # fmt: skip
        return UNANSWERED
    if answer.result != "applied":
        raise CityTwinError(f"refused, the old one goes on: {answer.text}")
    if options.json:
        row = {"file": str(config.path), "result": answer.result, "changed": answer.text}
        output.show([row], as_json=True)
    else:
        print(f"{config.path}: applied; {answer.text}")
    return 0


async def _until(answered: Callable[[], Any], wait_s_max: float) -> Any:
    """Return the answer when it is there; None when it is not in time."""
    for _ in range(max(1, round(wait_s_max / ANSWER_POLL_S))):
        if answer := answered():
            return answer
        await asyncio.sleep(ANSWER_POLL_S)
    return None


def _log_expiry(days: float) -> None:
    import structlog

    remedy = "get a token with `citytwin-hub enrol-token --replace` and enrol again"
    structlog.get_logger(__name__).warning(
        "certificate.expires", days_left=round(days, 1), remedy=remedy
    )


def outbox(options: Any) -> int:
    """Show what waits for the hub, or what it will never take."""
    from citytwin_edge.outbox import Outbox

    config = common.load(options)
    path = config.state / "outbox.db"
    if not path.exists():
        raise CityTwinError(f"there is no outbox at {path}; has the agent run?")
    store = Outbox(path, size_bytes_max=config.outbox_bytes_max)
    try:
        rows = store.inspect("refused" if options.refused else "entries")
        output.show(rows, as_json=options.json)
        if not options.json:
            stats = store.stats()
            print(
                f"{stats.entries} entries, {stats.samples} samples, {stats.bytes} bytes wait; "
                f"{stats.thinned_samples} samples thinned, {stats.refused_entries} entries refused"
            )
    finally:
        store.close()
    return 0
