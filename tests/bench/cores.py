"""Which cores a benchmark's processes have."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def on(cores: set[int]) -> Iterator[None]:
    """Let this thread, and every process that it starts meanwhile, run on these cores only.

    A process must begin there: one that is moved later leaves its other threads behind.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
