"""A vendor's adapter as if it were installed beside the gateway's own adapters."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from citytwin_edge import plugins


@contextlib.contextmanager
def gauge(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str = "") -> Iterator[None]:
    """Install the gauge beside this, or another text of it, into a folder on the path."""
    example = Path(__file__).with_name("example_gauge.py")
    (folder / "example_gauge.py").write_text(text or example.read_text(encoding="utf-8"))
    info = folder / "example_gauge-1.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example-gauge\nVersion: 1.0.0\n")
    (info / "entry_points.txt").write_text("[citytwin.adapters]\ngauge = example_gauge:GAUGE\n")
    monkeypatch.syspath_prepend(str(folder))
    plugins.installed.cache_clear()
    yield
    plugins.installed.cache_clear()
    sys.modules.pop("example_gauge", None)
