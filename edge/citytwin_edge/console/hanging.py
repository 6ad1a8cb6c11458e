"""Hanging up: work for somebody at the other end of a connection ends when he goes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def while_there(reader: asyncio.StreamReader, work: Coroutine[Any, Any, None]) -> None:
    """Do the work; give it up as soon as the other end closes, or says more than it may."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)
