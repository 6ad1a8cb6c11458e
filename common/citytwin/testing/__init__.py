"""The conformance kit: what every adapter, kernel, model or store must pass; virtual time."""

from citytwin.testing.adapters import check_adapter
from citytwin.testing.bench import (
    Bench,
    Mutates,
    PtyBench,
    Silences,
    TcpBench,
    Unplugs,
    forwarded,
)
from citytwin.testing.checks import check_history, check_kernel, check_model
from citytwin.testing.clock import VirtualClock, VirtualLoop
from citytwin.testing.disturbance import Recorded
from citytwin.testing.line import Faults, FaultyLink, NullLine
from citytwin.testing.mutation import Mutator
from citytwin.testing.report import BrokenPromise, Level, Report, State

__all__ = [
    "Bench",
    "BrokenPromise",
    "Faults",
    "FaultyLink",
    "Level",
    "Mutates",
    "Mutator",
    "NullLine",
    "PtyBench",
    "Recorded",
    "Report",
    "Silences",
    "State",
    "TcpBench",
    "Unplugs",
    "VirtualClock",
    "VirtualLoop",
    "check_adapter",
    "check_history",
    "check_kernel",
    "check_model",
    "forwarded",
]
