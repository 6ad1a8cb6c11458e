"""The conformance kit: what every adapter, kernel, model or store must pass; virtual time."""

from citytwin.testing.checks import check_adapter, check_history, check_kernel, check_model
from citytwin.testing.clock import VirtualClock, VirtualLoop
from citytwin.testing.line import Faults, FaultyLink, NullLine

__all__ = [
    "Faults",
    "FaultyLink",
    "NullLine",
    "VirtualClock",
    "VirtualLoop",
    "check_adapter",
    "check_history",
    "check_kernel",
    "check_model",
]
