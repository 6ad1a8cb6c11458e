"""Crew: the pollers' tasks, which come and go while the agent runs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog

from citytwin_edge.poller import Poller

_log = structlog.get_logger(__name__)


class Crew:
    """Runs pollers within the agent's group of tasks. Belongs to the event loop."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        """Begin with none; a poller that ends by itself ends the group."""
        self._group = group
        self._tasks: dict[Poller, asyncio.Task[None]] = {}

    def engage(self, pollers: Iterable[Poller]) -> None:
        """Let pollers run."""
        for poller in pollers:
            work = part(poller.spec.name, poller.run())
            self._tasks[poller] = self._group.create_task(work)

    async def dismiss(self, pollers: Iterable[Poller]) -> None:
        """End pollers when what they have asked their devices for is there; see ``Poller.rest``."""
        leaving = [poller for poller in pollers if poller in self._tasks]
        await asyncio.gather(*(poller.rest() for poller in leaving))
        tasks = [self._tasks.pop(poller) for poller in leaving]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def end(self) -> None:
        """Cancel whoever runs."""
        for task in self._tasks.values():
            task.cancel()


async def part(name: str, work: Coroutine[Any, Any, None]) -> None:
    """Run a part of the agent that goes on until it is cancelled; tell if it does not."""
    try:
        await work
        raise RuntimeError(f"{name} has ended by itself")
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        _log.critical("agent.part_failed", part=name, exc_info=error)
        raise
