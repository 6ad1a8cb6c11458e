"""Operations: what a person beside a running agent may ask of it, by name.

Each is an asynchronous iterator of plain values; who asks for one answer takes the first.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from citytwin.batch import SECOND_NS, Batch
from citytwin.command import Command, OutcomeState, Readback
from citytwin.kernel import MATURITY
from citytwin.quality import Quality, Severity
from citytwin_edge.console.backlog import Backlog
from citytwin_edge.console.lastlines import LINES_MAX, LastLines, Line, is_about
from citytwin_edge.console.looking import BATCHES_MAX, Chosen, Looking
from citytwin_edge.console.protocol import ConsoleError
from citytwin_edge.console.status import StatusOf
from citytwin_edge.probing import shown

if TYPE_CHECKING:
    from citytwin.point import Point
    from citytwin_edge.agent import Agent
    from citytwin_edge.console.page.unlocking import Unlocking

COMMAND_S: Final = 60.0
"""So long a command given here may wait for those before it."""
READBACK_S_MAX: Final = 30.0
TOLERANCE: Final = 1e-6
"""Part of the value by which what is read back may differ, where nothing else is said."""

Items = AsyncGenerator[Any, None]


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """Of an operation that needs no word more."""


class LogWish(msgspec.Struct, forbid_unknown_fields=True):
    """``logs``: of which device, how many, and whether those to come are wanted too."""

    device: str = ""
    lines: int = 100
    follow: bool = False


class WriteWish(msgspec.Struct, forbid_unknown_fields=True):
    """``write``: which point (device/point, or its id), what, and how it is confirmed.

    ``tolerance`` is in the point's unit, ``within_s`` how long the read-back may take.
    """

    point: str
    value: float
    tolerance: float | None = None
    within_s: float = 10.0
    by: str = ""

    def __post_init__(self) -> None:
        """Refuse what no read-back could show (ValueError)."""
        if not (math.isfinite(self.value) and 0 <= (self.tolerance or 0) < math.inf):
            raise ValueError("value and tolerance must be finite, the tolerance not below 0")
        if not 0 < self.within_s <= READBACK_S_MAX:
            raise ValueError(f"within_s is above 0 and at most {READBACK_S_MAX:g}")


class UnlockWish(msgspec.Struct, forbid_unknown_fields=True):
    """``page-unlock``: for how many minutes."""

    minutes: float = 15.0


class Operations:
    """What a running agent does for people beside it; belongs to its event loop.

    Attributes:
        unlocking: of the local page; None where there is none.
    """

    def __init__(self, agent: Agent, logs: LastLines) -> None:
        """Serve ``agent``, whose log's last lines are in ``logs``."""
        self._agent, self._logs = agent, logs
        self.looking = Looking(agent)
        self._status = StatusOf(agent)
        self.unlocking: Unlocking | None = None
        looking = self.looking
        self._by_name: dict[str, tuple[type[Any], Callable[[Any], Items]]] = {
            "status": (Nothing, self.status),
            "values": (Chosen, looking.values),
            "watch": (Chosen, looking.watch),
            "frames": (Chosen, looking.frames),
            "probe": (Chosen, looking.probe),
            "logs": (LogWish, self.logs),
            "write": (WriteWish, self.write),
            "page-unlock": (UnlockWish, self.page_unlock),
            "page-lock": (Nothing, self.page_lock),
        }

    def start(self, name: str, about: dict[str, Any], by: str) -> Items:
        """Begin an operation; ``by`` says who wants it.

        Raises:
            ConsoleError: there is none of that name, or it cannot be done so.
        """
        if name not in self._by_name:
            known = ", ".join(self._by_name)
            raise ConsoleError(f"this agent cannot do {name!r}; it can do {known}")
        kind, do = self._by_name[name]
        if kind is WriteWish:
            about = {**about, "by": f"{about['by']} ({by})" if about.get("by") else by}
        try:
            wish = msgspec.convert(about, kind)
        except msgspec.ValidationError as error:
            raise ConsoleError(f"{name}: {error}") from None
        return do(wish)

    async def ask(self, name: str, about: dict[str, Any], by: str) -> Any:
        """Do it and return the first item.

        Raises:
            CityTwinError: it cannot be done; the text says why.
        """
        async with aclosing(self.start(name, about, by)) as items:
            return await anext(items)

    async def status(self, _wish: Nothing) -> Items:
        """Yield how the agent is, once."""
        yield await self._status.status()

    async def logs(self, wish: LogWish) -> Items:
        """Yield the last lines of the log as one item, then, when asked for, each that comes."""
        loop = asyncio.get_running_loop()
        backlog: Backlog[Line] = Backlog(LINES_MAX)

        def take(line: Line) -> None:
            if is_about(line, wish.device):
                loop.call_soon_threadsafe(backlog.put, line)

        self._logs.watchers.append(take)
        try:
            yield {"lines": self._logs.lines(wish.device, max(wish.lines, 0)), "dropped": 0}
            while wish.follow:
                lines, dropped = await backlog.take()
                yield {"lines": lines, "dropped": dropped}
        finally:
            self._logs.watchers.remove(take)

    async def write(self, wish: WriteWish) -> Items:
        """Have a point set by the commander, under its limits; yield the outcome and the read-back.

        ``state`` is the outcome's; ``confirmed`` whether the value was read back in time.
        """
        agent = self._agent
        number, point = self._point(wish.point)
        usual = point.tolerance or abs(wish.value) * TOLERANCE
        tolerance = usual if wish.tolerance is None else wish.tolerance
        now_ns = agent.trust.hub_now_ns()
        readback = Readback(point.id, wish.value, tolerance, int(wish.within_s * SECOND_NS))
        command = Command(
            id=uuid.uuid4().hex,
            point=point.id,
            value=wish.value,
            issued_by=wish.by,
            issued_ns=now_ns,
            expires_ns=now_ns + int(COMMAND_S * SECOND_NS),
            readback=readback,
        )
        backlog: Backlog[Batch] = Backlog(BATCHES_MAX)
        before = self.looking.point_rows(Chosen(points=(point.id,)))[0]
        agent.latest.watchers.append(backlog.put)
        begun_ns = agent.trust.now_ns()
        try:
            outcome = await agent.commander.ask(command)
            done: dict[str, Any] = {
                "command": command.id,
                "point": point.id,
                "value": wish.value,
                "before": before["value"],
                "state": outcome.state.value,
                "reason": outcome.reason,
                "confirmed": False,
                "read": None,
            }
            if outcome.state == OutcomeState.EXECUTED:
                done |= await _read_back(backlog, number, readback, begun_ns)
            yield done
        finally:
            agent.latest.watchers.remove(backlog.put)

    def _point(self, name: str) -> tuple[int, Point]:
        found = [
            (number, point)
            for number, point in self._agent.points()
            if name in {point.id, f"{point.device}/{point.name}"}
        ]
        if not found:
            if name.endswith(MATURITY):
                watched = name.removesuffix(MATURITY)
                raise ConsoleError(
                    f"{watched!r} is not watched for anomalies, so nothing is learnt"
                )
            raise ConsoleError(f"there is no point {name!r}; write device/point")
        return found[0]

    async def page_unlock(self, wish: UnlockWish) -> Items:
        """Yield the PIN with which the local page can be unlocked, and until when."""
        if self.unlocking is None:
            if self._agent.config.page:
                raise ConsoleError(
                    "[page] is taken at a restart: sudo systemctl restart citytwin-edge"
                )
            raise ConsoleError('this gateway has no page; write [page] and listen = "…:8080"')
        yield self.unlocking.offer(wish.minutes)

    async def page_lock(self, _wish: Nothing) -> Items:
        """Lock the page again, for everybody, at once."""
        if self.unlocking is not None:
            self.unlocking.lock()
        yield {"locked": True}


async def _read_back(
    backlog: Backlog[Batch], number: int, wanted: Readback, after_ns: int
) -> dict[str, Any]:
    """Wait for a sample that shows the value; else return the last that did not."""
    read: dict[str, Any] = {"confirmed": False, "read": None}
    try:
        async with asyncio.timeout(wanted.within_ns / SECOND_NS):
            while not read["confirmed"]:
                for batch in (await backlog.take())[0]:
                    mine = batch.select(batch.point == number)
                    for time_ns, value, code in zip(
                        mine.time_ns.tolist(), mine.value.tolist(), mine.quality.tolist(),
                        strict=True,
                    ):  # fmt: skip
                        if time_ns < after_ns or code >> 6 == Severity.BAD:
                            continue
                        is_it = abs(value - wanted.value) <= wanted.tolerance
                        quality = Quality(code).words
                        read = {"confirmed": is_it, "read": shown(value), "quality": quality}
    except TimeoutError:
        pass
    return read
