"""Subscriptions benchmark: matching at 10,000 subscriptions, and the delay of notifications.

Matching: a change of one attribute among subscriptions of 100 types, each watching one of 100
attributes, or one entity, or with a query; and, as the limit of what an index can do, among
subscriptions that all watch the same type within an area each. Delay: attributes change ten
times a second in one batch, written durably; receivers are in the process, so that what is
measured is the hub. Goal: p99 of the delay at most 500 ms at 10,000 changes a second.

    python -m tests.bench.bench_subscriptions
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from citytwin import SystemClock
from citytwin_hub.entities import changes
from citytwin_hub.entities.fragment import Fragment
from citytwin_hub.entities.matching import Matcher
from citytwin_hub.entities.notices import Notice
from citytwin_hub.entities.store import Change
from citytwin_hub.entities.subscribers import watch_of
from citytwin_hub.entities.subscriptions import EntitySelector, Subscription
from tests.hub.entities.samples import LOCATION, entity, name, point, prop
from tests.hub.entities.subscribing import subscription, tenant

SUBSCRIPTIONS: Final = 10_000
KINDS: Final = 100
NAMES: Final = 100
CHANGES: Final = 10_000
ENTITIES: Final = 10_000
RATE: Final = 10_000
BATCHES_S: Final = 10
SECONDS: Final = 10
Table = list[list[str]]


def by_attribute(number: int) -> Subscription:
    """Return a subscription to an attribute of a type."""
    attribute = name(f"a{number // KINDS % NAMES}")
    return subscription(number, f"Kind{number % KINDS}", watched=(attribute,))


def by_entity(number: int) -> Subscription:
    """Return a subscription to one entity."""
    one = entity(number, f"Kind{number % KINDS}").id
    return subscription(number, selectors=(EntitySelector(ids=(one,)),))


def by_query(number: int) -> Subscription:
    """Return a subscription to an attribute of a type that is over a limit."""
    term = f"a{number // KINDS % NAMES}"
    more: dict[str, Any] = {"q": f"{term}>{number % 90}", "terms": {term: name(term)}}
    return subscription(number, f"Kind{number % KINDS}", watched=(name(term),), **more)


def by_area(number: int) -> Subscription:
    """Return a subscription to every entity of one type within 500 m of a place."""
    lon, lat = 76.8 + number % 100 / 500, 43.1 + number // 100 / 500
    geo = {
        "georel": "near;maxDistance==500",
        "geometry": "Point",
        "coordinates": [lon, lat],
        "geoproperty": LOCATION,
    }
    return subscription(number, "Kind1", geo=geo)


def matching(make: Callable[[int], Subscription], count: int, *, kinds: int = KINDS) -> list[str]:
    """Return a row: what a change costs among 10,000 subscriptions."""
    matcher, chance = Matcher(), random.Random(1)
    for number in range(SUBSCRIPTIONS):
        matcher.add(watch_of(make(number), lambda _: {}))
    made = []
    for _ in range(count):
        number = chance.randrange(SUBSCRIPTIONS)
        kind = f"Kind{number % kinds if kinds > 1 else 1}"
        term = f"a{chance.randrange(NAMES)}"
        here = point(76.8 + chance.random() / 5, 43.1 + chance.random() / 5)
        before = entity(number, kind, location=here, **{term: prop(1)})
        after = entity(number, kind, **{term: prop(chance.randrange(100))})
        kept = before.attributes | {name(term): after.attributes[name(term)]}
        made.append(Change(before, type(before)(id=before.id, types=before.types, attributes=kept)))
    began = time.perf_counter()
    hits = sum(len(matcher.match(one, 0)) for one in made)
    took = time.perf_counter() - began
    words = (make.__doc__ or "").removeprefix("Return a subscription to ").rstrip(".")
    return [words, f"{took / count * 1e6:.1f}", f"{hits / count:.2f}", f"{count / took:,.0f}"]


class Counting:
    """A receiver in this process."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.notices, self.changes = 0, 0

    async def deliver(self, _: Subscription, notice: Notice) -> None:
        """Count."""
        self.notices += 1
        self.changes += len(notice.changes)


async def delays(folder: Path) -> list[str]:
    """Return a row: how long after a change its subscribers know it."""
    receiver, chance = Counting(), random.Random(2)
    with tenant(folder, SystemClock(), receiver.deliver) as city:
        with city.entities.batch() as batch:
            for number in range(ENTITIES):
                batch.create(entity(number, f"Kind{number % KINDS}", a0=prop(0)))
        running = asyncio.create_task(city.notifier.run())
        for number in range(SUBSCRIPTIONS):
            one = by_entity(number) if number % 2 else by_attribute(number)
            city.subscribers.create(one)
        await asyncio.sleep(2)
        city.notifier.delays_ns.clear()
        receiver.notices = receiver.changes = 0
        began, written = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - began) < SECONDS:
            due = int(elapsed * RATE) - written
            if due < RATE // BATCHES_S:
                await asyncio.sleep(1 / BATCHES_S / 4)
                continue
            await asyncio.to_thread(_change, city, chance, RATE // BATCHES_S)
            written += RATE // BATCHES_S
        took = time.perf_counter() - began
        await asyncio.sleep(3)
        found = sorted(city.notifier.delays_ns)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    p50, p99 = (found[len(found) * part // 100] / 1e6 for part in (50, 99))
    return [
        f"{written / took:,.0f}",
        f"{receiver.changes / took:,.0f}",
        f"{receiver.notices / took:,.0f}",
        f"{p50:.0f}",
        f"{p99:.0f}",
    ]


def _change(city: Any, chance: random.Random, count: int) -> None:
    numbers = chance.sample(range(ENTITIES), count)
    with city.entities.batch() as batch:
        batch.look([entity(number, f"Kind{number % KINDS}").id for number in numbers])
        for number in numbers:
            given = {name("a0"): (prop(chance.random()),)}
            batch.change(
                entity(number, f"Kind{number % KINDS}").id,
                lambda one, now, given=given: _updated(one, given, now),
            )


def _updated(one: Any, given: Any, now_ns: int) -> Any:
    return changes.update(one, Fragment(attributes=given), now_ns)


def run() -> Table:
    """Measure matching."""
    head = ["10,000 subscriptions to", "µs/change", "matches/change", "changes/s"]
    return [
        head,
        *(matching(make, CHANGES) for make in (by_attribute, by_entity, by_query)),
        matching(by_area, 100, kinds=1),
    ]


def run_delays() -> Table:
    """Measure delays."""
    with tempfile.TemporaryDirectory() as folder:
        row = asyncio.run(delays(Path(folder)))
    head = ["changes/s written", "changes/s told", "notifications/s", "p50 ms", "p99 ms"]
    return [head, row]


def main() -> None:
    """Print what was measured."""
    for table in (run(), run_delays()):
        for row in table:
            sys.stdout.write("  ".join(f"{cell:>28}" for cell in row) + "\n")


if __name__ == "__main__":
    main()
