"""Commands that show what happens now: watch, frames."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from citytwin_edge.cli import options as common
from citytwin_edge.cli import output
from citytwin_edge.cli.screen import Screen

DRAW_S: Final = 0.25
ONCE_S_MAX: Final = 15.0
"""So long ``watch --once`` waits, where no agent runs, until every point has been heard of."""
JOIN_S: Final = 0.05
SILENT: Final = 2
"""Exit code of ``watch --once`` when a point has no value."""


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "show values as they come: a live table, or one line of JSON for each sample"
    command = commands.add_parser("watch", help=words, description=words)
    common.devices(command)
    command.add_argument("--point", action="append", default=[], metavar="NAME",
                         help="only this: name, or device/name")  # fmt: skip
    command.add_argument("--once", action="store_true", help="show what there is, and end")
    command.add_argument("--json", action="store_true")
    common.common(command, watch)
    words = "show the bytes that go over the lines, as they go"
    command = commands.add_parser("frames", help=words, description=words)
    common.devices(command)
    command.add_argument("--line", default="", metavar="PORT", help="only this port or host:port")
    command.add_argument("--json", action="store_true", help="one line of JSON each")
    common.common(command, frames)


def _say_alone(words: str) -> None:
    print(f"citytwin-edge: {words}", file=sys.stderr)


async def looked_at(
    options: Any, do: str, *, tell: Callable[[str], None] = _say_alone, **about: Any
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what the running agent shows; where none runs, tell so and read the devices here."""
    import msgspec

    from citytwin.clock import SystemClock
    from citytwin_edge.console import client
    from citytwin_edge.console.alone import Alone
    from citytwin_edge.console.looking import Chosen, Looking

    state = common.state_folder(options)
    with contextlib.suppress(client.NoAgent):
        async with aclosing(client.items(state, do, **about)) as items:
            async for item in items:
                yield item
        return
    config = common.load(options)
    alone = Alone(config, common.chosen(config, options.device), SystemClock())
    tell(f"no agent runs with {state}: the devices are read from here")
    looking = Looking(alone)
    chosen = msgspec.convert(about, Chosen)
    running = asyncio.ensure_future(alone.run())
    shown: Any = looking.watch(chosen) if do == "watch" else looking.frames(chosen)
    try:
        async with aclosing(shown) as items:
            async for item in items:
                yield item
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


# ---- values


def watch(options: Any) -> int:
    """Show values as they come."""
    about = {"devices": options.device, "points": options.point}
    if options.once:
        return asyncio.run(_watch_once(options, about))
    if options.json or not sys.stdout.isatty():
        asyncio.run(_print_samples(options, about))
    else:
        asyncio.run(_draw(options, about))
    return 0


async def _watch_once(options: Any, about: Mapping[str, Any]) -> int:
    from citytwin.clock import SystemClock
    from citytwin_edge.console import client
    from citytwin_edge.console.live import Live

    live = Live()
    try:
        live.take(await client.ask(common.state_folder(options), "values", **about))
    except client.NoAgent:
        with contextlib.suppress(TimeoutError):
            async with (
                asyncio.timeout(ONCE_S_MAX),
                aclosing(looked_at(options, "watch", **about)) as items,
            ):
                async for item in items:
                    live.take(item)
                    if live.is_complete:
                        break
    rows = live.rows(SystemClock().now_ns())
    output.show(rows, as_json=options.json)
    return SILENT if any(row["value"] is None for row in rows) else 0


async def _print_samples(options: Any, about: Mapping[str, Any]) -> None:
    points: dict[int, Mapping[str, Any]] = {}
    async with aclosing(looked_at(options, "watch", **about)) as items:
        async for item in items:
            points |= {one["number"]: one for one in item.get("points", ())}
            if item.get("dropped"):
                _say_dropped(options, item["dropped"])
            for number, time_ns, value, quality in item.get("samples", ()):
                print(_sample(options, points[number], time_ns, value, quality), flush=True)


def _say_dropped(options: Any, count: int) -> None:
    text = json.dumps({"dropped": count}) if options.json else f"({count} came too fast: left out)"
    print(text, flush=True)


def _sample(options: Any, point: Mapping[str, Any], time_ns: int, value: Any, quality: str) -> str:
    from citytwin_edge.console.hexlines import clock_of

    about = {"device": point["device"], "point": point["point"]}
    row = {"time_ns": time_ns, **about, "value": value, "unit": point["unit"], "quality": quality}
    if options.json:
        return json.dumps(row, ensure_ascii=False)
    shown = "" if value is None else f"{value} {point['unit']}".strip()
    words = (clock_of(time_ns), f"{point['device']}/{point['point']}", shown, quality)
    return "  ".join(word for word in words if word)


async def _draw(options: Any, about: Mapping[str, Any]) -> None:
    """Redraw the table a few times a second until somebody types q."""
    from citytwin.clock import SystemClock
    from citytwin_edge.console.live import Live

    live, clock = Live(), SystemClock()
    alone: list[str] = []

    async def listen() -> None:
        shown = looked_at(options, "watch", tell=alone.append, **about)
        async with aclosing(shown) as items:
            async for item in items:
                live.take(item)

    listening = asyncio.ensure_future(listen())
    try:
        with Screen() as screen:
            while not screen.is_left and not listening.done():
                rows = live.rows(clock.now_ns())
                head = f"{len(rows)} points" + (", read from here: no agent runs" if alone else "")
                if live.dropped:
                    head += f", {live.dropped} came too fast to be shown"
                screen.draw(head, output.table(rows) if rows else ["(none yet)"])
                await screen.moved(DRAW_S)
        if listening.done():
            await listening
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


# ---- frames


def frames(options: Any) -> int:
    """Show the bytes that go over the lines."""
    asyncio.run(_frames(options))
    return 0


async def _frames(options: Any) -> None:
    from citytwin.clock import SystemClock
    from citytwin_edge.console.hexlines import Joining

    joining, clock = Joining(), SystemClock()

    async def show_the_rest() -> None:
        while True:
            await asyncio.sleep(JOIN_S)
            for frame in joining.due(clock.now_ns()):
                print(_frame(frame), flush=True)

    rest = asyncio.ensure_future(show_the_rest())
    about = {"devices": options.device, "line": options.line}
    try:
        async with aclosing(looked_at(options, "frames", **about)) as items:
            async for item in items:
                if item["dropped"]:
                    _say_dropped(options, item["dropped"])
                for one in item["frames"]:
                    if options.json:
                        print(json.dumps(one, ensure_ascii=False), flush=True)
                        continue
                    for frame in joining.take(one):
                        print(_frame(frame), flush=True)
    finally:
        rest.cancel()
        await asyncio.gather(rest, return_exceptions=True)


def _frame(frame: Mapping[str, Any]) -> str:
    from citytwin_edge.console.hexlines import clock_of, text_of

    sent = frame["direction"] == "tx"
    way = output.paint("TX" if sent else "RX", "yellow" if sent else "green")
    text, note = text_of(frame), frame["note"]
    # A message of a broker is a topic and a text; of a line it is bytes.
    shown = text if note and text else frame["data"] + (f"  {text}" if text else "")
    words = (clock_of(frame["time_ns"]), frame["line"], frame["device"] or "-", way, note, shown)
    return "  ".join(word for word in words if word)
