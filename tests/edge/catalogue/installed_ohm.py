"""A kernel that says its inputs and outputs, as if it were installed beside the gateway's own."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from citytwin_edge import plugins

SOURCE = '''"""Ohm: power of a voltage and a current.

Source: Ohm 1827, valid for ``direct`` current.

    P = U I

- one: a
  thing
"""
from typing import Annotated
import msgspec
from citytwin.point import Label
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Gives, Reads

class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be.

    Attributes:
        power_max: the largest power, in W.
    """

    power_max: float

class Settings(Ages, frozen=True, kw_only=True):
    """How it is calculated.

    Attributes:
        factor: how many there are.
        limits: what can be.
    """

    factor: Annotated[float, msgspec.Meta(gt=0, le=10)]
    limits: Limits | None = None

READS = (Reads("voltage", "V"), Reads("power | factor", "1"))
GIVES = (Gives("power", "W", Label(kk="Қуат", ru="Мощность", en="Power"), "activePower"),)

def make(settings, inputs):
    """Build it.

    Raises:
        ConfigError: the sun does not shine.
    """
    return Formula("ohm", inputs, READS, GIVES, lambda v: v[:1] * v[1:], age_s_max=1)

OHM = Builtin(Settings, make, READS, GIVES, "power of a voltage and a current, after Ohm (1827)")
'''


@contextlib.contextmanager
def ohm(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str = SOURCE) -> Iterator[None]:
    """Install the kernel, or another text of it, into a folder on the path."""
    (folder / "ohm_kernel.py").write_text(text)
    info = folder / "ohm_kernel-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ohm-kernel\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[citytwin.kernels]\nohm = ohm_kernel:OHM\n")
    monkeypatch.syspath_prepend(str(folder))
    plugins.installed.cache_clear()
    yield
    plugins.installed.cache_clear()
    sys.modules.pop("ohm_kernel", None)
