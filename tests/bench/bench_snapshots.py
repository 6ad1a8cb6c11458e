"""Branches of a city of 100,000 objects: what one costs, beside a copy of everything.

Each object has ten attributes. Processor time of this process; a dictionary of all objects is
copied with `copy.deepcopy`, as a program without a branch would do for a what-if. *File* is what
`VACUUM INTO` takes: a second database. Changes of the city are single updates, each durable, of
objects that no branch has kept yet; on the disk are also logs of up to 16 MiB.
"""

from __future__ import annotations

import copy
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psutil

from citytwin.testing import VirtualClock
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.fragment import Fragment
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.snapshots import SNAPSHOTS_MAX, Snapshot, Snapshots
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Hints

OBJECTS: Final = 100_000
ATTRIBUTES: Final = 10
CHANGES: Final = 1_000
AT_ONCE: Final = 5_000
BASE: Final = "https://uri.etsi.org/ngsi-ld/default-context/"
HEAD: Final = ["what", "branch", "dictionary copied", "file copied", "the city itself"]
MIB: Final = 2**20


def prop(value: float) -> tuple[Attribute, ...]:
    """Return a Property."""
    return (Attribute(kind=AttributeKind.PROPERTY, value=value),)


def thing(number: int) -> Entity:
    """Return an object; one of a hundred is a tank."""
    kind = "Tank" if number % 100 == 0 else "Pipe"
    return Entity(
        id=f"urn:ngsi-ld:{kind}:{number}",
        types=(BASE + kind,),
        attributes={f"{BASE}a{one}": prop(number + one) for one in range(ATTRIBUTES)},
    )


def cpu_ms(act: Callable[[], Any]) -> float:
    """Return how long something takes the processor."""
    gc.collect()
    begun = time.process_time()
    act()
    return (time.process_time() - begun) * 1000


def resident() -> int:
    """Return the bytes that this process has in memory."""
    return psutil.Process().memory_info().rss


def size(folder: Path) -> int:
    """Return the bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class City:
    """A store with the objects, and what makes branches of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SqliteEntities(folder / "entities.db")
        self.entities = Entities(self.store, VirtualClock(10**18))
        for start in range(0, OBJECTS, AT_ONCE):
            with self.entities.batch() as batch:
                for number in range(start, start + AT_ONCE):
                    batch.create(thing(number))
        self.snapshots = Snapshots(folder / "snapshots", self.entities, VirtualClock(10**18), None)

    def branch(self) -> str:
        """Make a branch of everything; return its identifier."""
        return self.snapshots.create(Snapshot(id=""), lambda _: None).id

    def change(self, first: int) -> None:
        """Change objects one by one."""
        for number in range(first, first + CHANGES):
            fragment = Fragment(attributes={f"{BASE}a0": prop(-number)})
            self.entities.update(thing(number).id, fragment)


def read(entities: Entities) -> float:
    """Return µs for reading one object."""
    ids = [thing(number).id for number in range(0, OBJECTS, OBJECTS // CHANGES)]
    took = cpu_ms(lambda: [entities.get(one) for one in ids])
    return took * 1000 / len(ids)


def ask(entities: Entities) -> float:
    """Return ms for the tanks."""
    hints = Hints(types=[f"{BASE}Tank"])
    return statistics.median(cpu_ms(lambda: list(entities.select(hints))) for _ in range(5))


def run() -> list[list[str]]:
    """Measure; return the table's rows."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        city = City(Path(name))
        plain = {one: thing(one) for one in range(OBJECTS)}
        before = resident()
        copies: list[dict[int, Entity]] = []
        copied = cpu_ms(lambda: copies.append(copy.deepcopy(plain)))
        copied_mib = (resident() - before) / MIB
        copies.clear()
        file_ms = cpu_ms(lambda: city.store.database.copy_to(Path(name) / "copy.db"))
        file_mib = (Path(name) / "copy.db").stat().st_size / MIB
        alone = cpu_ms(lambda: city.change(0))
        before = resident()
        made = cpu_ms(city.branch)
        made_mib = (resident() - before) / MIB
        disk_mib = size(city.folder / "snapshots") / MIB
        one = city.snapshots.all()[0].id
        with_one = cpu_ms(lambda: city.change(CHANGES))
        changed_mib = size(city.folder / "snapshots") / MIB
        cloned = cpu_ms(lambda: city.snapshots.clone(one, Snapshot(id="")))
        for _ in range(SNAPSHOTS_MAX - 2):
            city.branch()
        with_all = cpu_ms(lambda: city.change(2 * CHANGES))
        branch, per = city.snapshots.use(one), 1000 / CHANGES
        rows = [
            ["made, ms", f"{made:.0f}", f"{copied:,.0f}", f"{file_ms:,.0f}", "–"],
            ["memory, MiB", f"{made_mib:.1f}", f"{copied_mib:.0f}", "0", "–"],
            ["on disk, MiB", f"{disk_mib:.2f}", "–", f"{file_mib:.0f}", "–"],
            [
                f"on disk after {CHANGES:,} changes of the city, MiB",
                f"{changed_mib:.2f}", "–", f"{file_mib:.0f}", "–",
            ],
            ["cloned with these, ms", f"{cloned:.0f}", f"{copied:,.0f}", f"{file_ms:,.0f}", "–"],
            ["an object read, µs", f"{read(branch):.0f}", "–", "–", f"{read(city.entities):.0f}"],
            ["1,000 of a type, ms", f"{ask(branch):.0f}", "–", "–", f"{ask(city.entities):.0f}"],
            ["a change of the city with one branch, µs", f"{with_one * per:.0f}", "–", "–",
             f"{alone * per:.0f}"],
            [f"… with {SNAPSHOTS_MAX}, each keeping it, µs", f"{with_all * per:.0f}", "–", "–",
             f"{alone * per:.0f}"],
        ]  # fmt: skip
        city.snapshots.close()
        city.store.close()
        return [HEAD, *rows]
