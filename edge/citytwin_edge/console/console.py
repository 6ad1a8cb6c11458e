"""The console of one running agent: its operations, the socket where they are asked, the page."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from citytwin.clock import SystemClock
from citytwin_edge.console.lastlines import LastLines
from citytwin_edge.console.operations import Operations
from citytwin_edge.console.server import Server

if TYPE_CHECKING:
    from citytwin_edge.agent import Agent


@contextlib.asynccontextmanager
async def console_of(agent: Agent, logs: LastLines) -> AsyncIterator[Operations]:
    """Serve an agent's console for as long as the block lasts.

    Neither a socket nor a page that cannot be had keeps the agent from its work.
    """
    operations = Operations(agent, logs)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(Server(operations, agent.config.state).serving())
        if agent.config.page:
            await stack.enter_async_context(_page(agent, operations))
        yield operations


def _page(agent: Agent, operations: Operations) -> contextlib.AbstractAsyncContextManager[None]:
    """Return the page's server; what it needs is loaded only where there is a page."""
    from citytwin_edge.console.page.routes import Routes
    from citytwin_edge.console.page.server import PageServer, addresses_of
    from citytwin_edge.console.page.unlocking import Unlocking

    listen = agent.config.page
    unlocking = Unlocking(agent.trust.monotonic_ns, lambda: addresses_of(listen))
    operations.unlocking = unlocking
    routes = Routes(operations, unlocking, lambda: agent.config, SystemClock())
    return PageServer(routes, listen).serving()
