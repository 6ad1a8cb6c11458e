"""CityTwin's SDK: the nouns and contracts that devices, kernels, models and stores meet."""

from citytwin.adapter import (
    Adapter,
    AdapterType,
    Binding,
    Confirms,
    Decodes,
    Exchange,
    Found,
    Listens,
    Locates,
    Parts,
    Picks,
    Probed,
    Probes,
    Reads,
    Scans,
    Site,
    Writes,
)
from citytwin.batch import Batch
from citytwin.clock import Clock, SystemClock
from citytwin.command import Command, Outcome, OutcomeState, Readback
from citytwin.errors import CityTwinError
from citytwin.history import Aggregates, Block, HistoryStore
from citytwin.kernel import Holds, Kernel, KernelType
from citytwin.model import Attribute, Model
from citytwin.point import Kind, Label, Place, Point, Source, Span
from citytwin.quality import Quality, Severity
from citytwin.units import Unit

__all__ = [
    "Adapter",
    "AdapterType",
    "Aggregates",
    "Attribute",
    "Batch",
    "Binding",
    "Block",
    "CityTwinError",
    "Clock",
    "Command",
    "Confirms",
    "Decodes",
    "Exchange",
    "Found",
    "HistoryStore",
    "Holds",
    "Kernel",
    "KernelType",
    "Kind",
    "Label",
    "Listens",
    "Locates",
    "Model",
    "Outcome",
    "OutcomeState",
    "Parts",
    "Picks",
    "Place",
    "Point",
    "Probed",
    "Probes",
    "Quality",
    "Readback",
    "Reads",
    "Scans",
    "Severity",
    "Site",
    "Source",
    "Span",
    "SystemClock",
    "Unit",
    "Writes",
]
