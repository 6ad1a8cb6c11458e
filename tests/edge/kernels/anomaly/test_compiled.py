"""The compiled path: bit by bit what numpy gives, on samples as rough as the field's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import citytwin_edge
from citytwin.point import Point
from citytwin_edge.kernels.anomaly import paths
from citytwin_edge.kernels.anomaly.compiled import CompiledPath
from citytwin_edge.kernels.anomaly.kernel import Anomaly
from citytwin_edge.kernels.anomaly.settings import AnomalySettings
from tests.edge.kernels.anomaly.days import days, samples
from tests.edge.kernels.anomaly.roughness import rough

COMPILED = "citytwin_edge.kernels.anomaly.compiled"

SETTINGS = (
    AnomalySettings(budget=1000.0, trace=True, every_s=1.0),
    AnomalySettings(budget=4.0, neighbours=True),
    AnomalySettings(every_s=5.0, time_zone="UTC", holidays="none"),
)


def both(batch):
    points = [Point(id=f"g/d/p{number}") for number in range(len(SETTINGS))]
    for make_path in (CompiledPath, paths.NumpyPath):
        kernel = Anomaly(points, SETTINGS, make_path)
        yield kernel.step(batch), kernel.snapshot()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), step_s=st.sampled_from([0.5, 20.0, 300.0, 7200.0]))
def test_samples_of_all_kinds_give_the_same_alarms_and_the_same_state(seed, step_s):
    (compiled, one), (numpy, other) = both(rough(seed, 400, len(SETTINGS), step_s))
    assert compiled == numpy
    assert one == other


def test_weeks_give_the_same_scores_to_the_last_bit():
    values = days(21)
    values[3000:3100] += 15
    own = np.full(2, 60.0), np.full(2, 2.0), np.array([False, True])
    made = [kind(2, *own) for kind in (CompiledPath, paths.NumpyPath)]
    told = [path.run(samples(values, 2)) for path in made]
    assert (told[0] == told[1]).all()
    assert told[0][:, paths.EVENT].max() > 0, "otherwise nothing is proven"
    assert (made[0].state == made[1].state).all()
    assert (made[0].counts == made[1].counts).all()
    alone, near = (told[0][samples(values, 2).channel == number] for number in (0, 1))
    assert (alone[:, paths.SCORE] != near[:, paths.SCORE]).any(), "the second asks for neighbours"


CODE = """
import os, sys
if "--read-only" in sys.argv:
    os.access = lambda *_: False
import numpy as np
from citytwin_edge.kernels.anomaly import compiled
compiled.CompiledPath(1, np.ones(1), np.ones(1))
stats = compiled._run.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def ran(site, *words):
    return subprocess.run(
        [sys.executable, *words], check=True, capture_output=True, text=True,
        timeout=110, env={"PYTHONPATH": str(site), "HOME": "/nowhere"},
    ).stdout  # fmt: skip


def hits(site, *options):
    """Start it; return how much of the code was there, and check that the rest was compiled."""
    found, missed = map(int, ran(site, "-c", CODE, *options).split())
    assert found + missed == 1
    return found


def version(site):
    """Put the kernels where only they are, as an installed version has them; without their code."""
    package = Path(citytwin_edge.__file__).parent
    for part in ("__init__.py", "foreign.py", "kernels"):
        source, target = package / part, site / "citytwin_edge" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def changed(site):
    budget = site / "citytwin_edge/kernels/anomaly/budget.py"
    budget.write_text(budget.read_text().replace("LIFT: Final = ", "LIFT: Final = 2 * "))


def test_code_is_kept_beside_the_sources_and_found_where_nothing_can_be_written(tmp_path):
    version(tmp_path)
    assert hits(tmp_path) == 0, "nothing is there yet"
    assert hits(tmp_path, "--read-only") == 1
    changed(tmp_path)
    assert hits(tmp_path) == 0, "what was made of other sources is not used"


def test_no_start_compiles_after_an_upgrade_or_a_way_back(tmp_path):
    old, new = tmp_path / "1", tmp_path / "2"
    for site in (old, new):
        version(site)
    changed(new)
    for site in (old, new):
        ran(site, "-OO", "-m", COMPILED)  # as the installer does, before the version has its turn
    for site in (old, new, new, old):
        assert hits(site, "--read-only") == 1


DENIED = """
import ctypes
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0):
    print("older kernel")
    raise SystemExit
import numpy as np
from citytwin_edge.kernels.anomaly.kernel import path_of
print(type(path_of(1, np.ones(1), np.ones(1), np.zeros(1, bool))).__name__)
try:
    from citytwin_edge.kernels.anomaly import compiled
except OSError as error:
    print(error.strerror)
"""


def test_where_memory_may_not_become_executable_kept_code_is_of_no_use(tmp_path):
    """What MemoryDenyWriteExecute=yes of the service means, asked of the kernel itself."""
    version(tmp_path)
    assert hits(tmp_path) == 0
    told = ran(tmp_path, "-c", DENIED).splitlines()
    if told == ["older kernel"]:
        pytest.skip("this kernel is older than Linux 6.3")
    assert told[0] == "NumpyPath"
    assert "cannot allocate executable memory" in told[1], "loading it makes memory executable"
