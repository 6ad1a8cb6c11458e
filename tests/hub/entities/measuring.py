"""A city whose points give attributes, for tests: registry, twin, history, and a tenant on them."""

from contextlib import contextmanager
from typing import Any

from citytwin import Batch, Point
from citytwin.history import Block
from citytwin.point import Source
from citytwin_hub.entities.bindings import Bindings
from citytwin_hub.entities.measured import Points
from citytwin_hub.history.parquet import ParquetHistory
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin
from tests.hub.entities.samples import name


def point(number, *, feeds, attribute="level", source=Source.MEASURED):
    """Return a point that gives an entity's attribute."""
    return Point(
        id=f"g-1/d/p{number}", unit="m", feeds=feeds, attribute=attribute, source=source
    )  # fmt: skip


class Measuring:
    """Points that give something; ``give`` is what a gateway sends."""

    def __init__(self, folder):
        self.registry = Registry(folder / "registry.db")
        self.twin, self.history = Twin(), ParquetHistory(folder / "history")
        self.bindings = Bindings(self.registry, self.twin, name)
        self.points = Points(self.bindings, self.twin, self.history)
        self._number = 0
        self.of: Any = None
        """What a test keeps with it."""

    def bind(self, *points):
        """Return the rows of points."""
        return [int(row) for row in self.registry.rows(list(points))]

    def give(self, row, time_ns, value, quality=0, *, received_ns=None):
        """Let a point give a sample."""
        received_ns = time_ns if received_ns is None else received_ns
        batch = Batch.of([row], time_ns, [value], quality)
        self._number += 1
        self.history.append([Block(b"measuring-points", self._number, received_ns, batch)])
        self.twin.apply(batch, received_ns)


@contextmanager
def measuring(folder):
    """Give a city's points."""
    opened = Measuring(folder)
    try:
        yield opened
    finally:
        opened.history.close()
        opened.registry.close()
