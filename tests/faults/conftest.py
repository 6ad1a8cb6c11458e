"""Runs the faults that were chosen side by side, and prints one table of what they did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.books import Account
from tests.faults.meters import Meter
from tests.relay import Relay
from tests.site import Gateway, Site

STARTS_AT_ONCE = 2
"""Programs that may be on their way up at the same time: more would only wait for a processor."""
HEAD = ("fault", "tried", "samples", "lost", "repeated", "remark")
ACCOUNTS = pytest.StashKey[list[Account]]()

Scenario = Callable[["Ground"], Awaitable[Account]]


class Ground:
    """What a scenario stands on: a folder of its own, sites, and the town that many share."""

    def __init__(self, folder: Path, grounds: Grounds) -> None:
        """Belong to one scenario."""
        self.folder, self._grounds = folder, grounds

    async def site(
        self, state: Path | None = None, environment: dict[str, str] | None = None
    ) -> Site:
        """Return a site of its own with a running hub."""
        site = Site(self.folder / "site", state=state)
        site.hub.environment.update(environment or {})
        self._grounds.sites.append(site)
        async with self._grounds.starting:
            await site.start_hub()
        return site

    async def town(self) -> Site:
        """Return the site whose hub serves the gateways of many scenarios."""
        return await self._grounds.town()

    async def gateway(
        self, site: Site, name: str, *meters: Meter, devices: str = "", relay: Relay | None = None,
        state: Path | None = None, **outbox: int,
    ) -> Gateway:  # fmt: skip
        """Return a gateway that is configured and enrolled, before its agent's first start."""
        gateway = site.gateway(name, state)
        tables = "".join(meter.table() for meter in meters) + devices
        gateway.configure(relay.port if relay else site.link, tables, **outbox)
        async with self._grounds.starting:
            await site.admit(gateway)
        return gateway


class Grounds:
    """Gives every scenario its ground; runs them, and ends what they leave."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        """Make folders with ``folders``."""
        self._folders = folders
        self._town: asyncio.Task[Site] | None = None
        self._running: dict[Scenario, asyncio.Task[Account]] = {}
        self.sites: list[Site] = []
        self.starting = asyncio.Semaphore(STARTS_AT_ONCE)

    def begin(self, scenarios: list[Scenario]) -> None:
        """Start scenarios side by side."""
        for scenario in scenarios:
            ground = Ground(self._folders.mktemp(scenario.__name__), self)
            self._running[scenario] = asyncio.ensure_future(scenario(ground))

    async def account(self, scenario: Scenario) -> Account:
        """Return what a scenario has to tell, when it is over."""
        return await self._running[scenario]

    async def others(self) -> None:
        """Wait until everything that runs side by side is over, well or not."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def alone(self) -> Ground:
        """Return the ground for a scenario that takes the whole machine."""
        return Ground(self._folders.mktemp("alone"), self)

    async def town(self) -> Site:
        """Return the shared site, started by whoever asks first."""
        if self._town is None:
            ground = Ground(self._folders.mktemp("town"), self)
            self._town = asyncio.ensure_future(ground.site())
        return await self._town

    async def end(self) -> None:
        """End every scenario and every program."""
        for task in self._running.values():
            task.cancel()
        await self.others()
        for site in self.sites:
            await site.end()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def grounds(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Grounds]:
    """Start the scenarios of all chosen tests at once; each test waits for its own."""
    grounds = Grounds(tmp_path_factory)
    mine = [item for item in request.session.items if item.path.parent == Path(__file__).parent]
    calls = [getattr(item, "callspec", None) for item in mine]
    grounds.begin([call.params["scenario"] for call in calls if call and "scenario" in call.params])
    yield grounds
    await grounds.end()


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Callable[[Account], None]:
    """Return what writes an account into the table and refuses a loss or a repeat."""

    def tell(account: Account) -> None:
        request.config.stash.setdefault(ACCOUNTS, []).append(account)
        assert account.samples > 0, account
        assert (account.lost, account.repeated) == (0, 0), account

    return tell


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table."""
    accounts = config.stash.get(ACCOUNTS, [])
    if not accounts:
        return
    rows = [HEAD, *(tuple(map(str, account)) for account in accounts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    terminalreporter.section("faults")
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        terminalreporter.line("  ".join(cells).rstrip())
    tried, samples = sum(one.tried for one in accounts), sum(one.samples for one in accounts)
    lost, repeated = sum(one.lost for one in accounts), sum(one.repeated for one in accounts)
    terminalreporter.line(
        f"faults tried {tried}, samples {samples}, lost {lost}, repeated {repeated}"
    )
