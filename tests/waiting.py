"""Waits for tests: ask again until something holds, and say what never did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

WAIT_S_MAX = 90.0
POLL_S = 0.05

Answer = TypeVar("Answer")


async def answered(
    ask: Callable[[], Awaitable[Answer]], what: str, timeout_s: float = WAIT_S_MAX
) -> Answer:
    """Ask until the answer is not empty; return it.

    Raises:
        TimeoutError: it never was; the text says what was waited for.
    """
    try:
        async with asyncio.timeout(timeout_s):
            while not (answer := await ask()):
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise TimeoutError(f"waited {timeout_s:g} s for nothing: {what}") from None
    return answer


async def until(holds: Callable[[], object], what: str, timeout_s: float = WAIT_S_MAX) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it never did; the text says what was waited for.
    """

    async def ask() -> object:
        return holds()

    await answered(ask, what, timeout_s)


async def cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks, and wait until they have ended.

    More than once: ``asyncio.wait_for`` of Python 3.11, on which libraries stand, forgets a
    cancellation that comes just when what it waits for is done.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=POLL_S)
