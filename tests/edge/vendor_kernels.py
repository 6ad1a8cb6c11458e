"""What tests of vendors' kernels share: a distribution with some, as if installed."""

import sys

import pytest

from citytwin_edge import plugins

SOURCE = '''
import msgspec
import numpy as np
from citytwin import Batch, Point, Source
from citytwin.errors import ConfigError


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    factor: float = 1.0
    broken: str = ""


class Total:
    """Adds up the good samples of its first input."""

    replaces = False

    def __init__(self, settings, inputs):
        self.inputs = tuple(point.id for point in inputs)
        suffix = ".total" if settings.broken != "flow" else ".flow"
        origin = self.inputs[0] if settings.broken != "name" else "g/other/x"
        source = Source.MEASURED if settings.broken == "source" else Source.DERIVED
        self.outputs = (Point(id=origin + suffix, unit=inputs[0].unit, source=source),)
        if settings.broken == "inputs":
            self.inputs = self.inputs[:0]
        self.settings, self.total = settings, 0.0

    def step(self, batch):
        broken = self.settings.broken
        if broken == "raises" and batch.value.max() > 5:
            raise ZeroDivisionError("five")
        if broken == "index":
            return Batch.of([0], batch.time_ns[:1], [1.0])
        if broken == "beyond":
            return Batch.of([2], batch.time_ns[:1], [1.0])
        if broken == "list":
            return [1.0]
        if broken in ("early", "late"):
            return Batch.of([1], batch.time_ns[:1] * 2 if broken == "late" else 0, [1.0])
        if broken in ("infinite", "void", "quality"):
            value = {"infinite": np.inf, "void": np.nan, "quality": 1.0}[broken]
            return Batch.of([1], batch.time_ns[:1], [value], 13 if broken == "quality" else 0)
        mine = batch.select(batch.point == 0)
        totals = self.total + np.cumsum(mine.value) * self.settings.factor
        if len(mine):
            self.total = float(totals[-1])
        return Batch.of(np.full(len(mine), len(self.inputs)), mine.time_ns, totals)

    def snapshot(self):
        if self.settings.broken == "snapshot":
            raise OSError("no paper")
        return msgspec.json.encode(self.total) * (1 if self.settings.broken != "large" else 1 << 21)

    def restore(self, state):
        self.total = msgspec.json.decode(state)


class Kind:
    settings = Settings

    def build(self, settings, inputs):
        if settings.broken == "build":
            raise ConfigError("it wants two inputs")
        if settings.broken == "mistake":
            return Total(settings)
        return Total(settings, inputs)


TOTAL = Kind()
NONE = object()
'''


@pytest.fixture
def vendor(tmp_path, monkeypatch):
    """Install a vendor's distribution: kernels "total" and "none"."""
    site = tmp_path / "vendor"
    info = site / "acme_kernels-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "acme_kernels.py").write_text(SOURCE)
    (info / "entry_points.txt").write_text(
        "[citytwin.kernels]\ntotal = acme_kernels:TOTAL\nnone = acme_kernels:NONE\n"
    )
    monkeypatch.syspath_prepend(str(site))
    plugins.installed.cache_clear()
    yield
    plugins.installed.cache_clear()
    sys.modules.pop("acme_kernels", None)
