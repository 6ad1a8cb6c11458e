"""Point: one quantity at one place, the noun that everything else refers to.

>>> flow = Point(id="medeu-1/ps-03/flow", unit="m3/h", valid=Span(0.0, 500.0))
>>> flow.device
'ps-03'
>>> flow.writable is None
True
"""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from citytwin.errors import IdentityError
from citytwin.identity import split_point_id, urn
from citytwin.units import unit

LABEL_CHARS_MAX = 120
STEP_PART_MAX = 1e-6


class Kind(StrEnum):
    """What the numbers of a point mean."""

    ANALOG = "analog"
    """A quantity that varies: pressure, flow, temperature."""
    COUNTER = "counter"
    """A totaliser that only grows, rolls over or is reset."""
    STATE = "state"
    """A small whole number: on/off, a mode, a bit field."""
    TEXT = "text"
    """The value is the number of a text in the gateway's dictionary (docs/specs/link.md)."""
    ALARM = "alarm"
    """1 raised, 0 returned; a sample is a transition, and is never thinned or dropped."""


class Source(StrEnum):
    """Where the numbers of a point come from; a simulated value is never shown as measured."""

    MEASURED = "measured"
    DERIVED = "derived"
    HEALTH = "health"
    FORECAST = "forecast"
    SIMULATED = "simulated"


class Span(msgspec.Struct, frozen=True, array_like=True):
    """A closed interval [low, high] in the point's unit; either end may be infinite.

    Attributes:
        low: the lowest value that belongs to it.
        high: the highest value that belongs to it.
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        """Refuse NaN and an empty interval (ValueError)."""
        if not self.low <= self.high:
            raise ValueError(f"low {self.low} must not be above high {self.high}")

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A position on Earth: WGS 84 longitude and latitude in degrees, elevation in metres.

    Attributes:
        lon: longitude in degrees, east positive.
        lat: latitude in degrees, north positive.
        elevation_m: height above sea level; None where it is not known.
    """

    lon: float
    lat: float
    elevation_m: float | None = None

    def __post_init__(self) -> None:
        """Refuse positions off the globe (ValueError)."""
        if not (-180.0 <= self.lon <= 180.0 and -90.0 <= self.lat <= 90.0):
            raise ValueError(f"[{self.lon}, {self.lat}] is not [longitude, latitude] in degrees")


class Label(msgspec.Struct, frozen=True, omit_defaults=True):
    """What people read, in Kazakh, Russian and English; an empty one falls back to another.

    Attributes:
        kk: in Kazakh.
        ru: in Russian.
        en: in English.
    """

    kk: str = ""
    ru: str = ""
    en: str = ""

    def __post_init__(self) -> None:
        """Refuse labels longer than 120 characters (ValueError)."""
        if max(len(self.kk), len(self.ru), len(self.en)) > LABEL_CHARS_MAX:
            raise ValueError(f"a label has at most {LABEL_CHARS_MAX} characters")


class Point(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One quantity at one place (immutable).

    Attributes:
        id: ``gateway/device/point``, see :mod:`citytwin.identity`.
        unit: UCUM code, see :mod:`citytwin.units`.
        kind: what the numbers mean.
        source: where they come from.
        label: the point's name for people; ``device_label`` that of its device.
        valid: what the instrument can measure; outside it a sample is uncertain.
        normal: what the operator calls normal; outside it an alarm is raised.
        writable: what may be commanded; None when nothing may.
        step: a command sets a multiple of it, counted from the low end of ``writable``; 0: any.
        tolerance: how far a read-back may be from what was commanded; 0: as the hub thinks fit.
        place: where it is; None when unknown.
        feeds: URN of the city object that it belongs to; empty when not bound.
        attribute: the attribute of that object which it gives.

    Raises:
        IdentityError, UnitError: the id, unit or URN breaks its rules.
    """

    id: str
    unit: str = "1"
    kind: Kind = Kind.ANALOG
    source: Source = Source.MEASURED
    label: Label = Label()
    device_label: Label = Label()
    valid: Span | None = None
    normal: Span | None = None
    writable: Span | None = None
    step: float = 0.0
    tolerance: float = 0.0
    place: Place | None = None
    feeds: str = ""
    attribute: str = ""

    def __post_init__(self) -> None:
        """Check id, unit and URN."""
        split_point_id(self.id)
        unit(self.unit)
        if self.feeds:
            urn(self.feeds)
        if not (0 <= self.step < math.inf and 0 <= self.tolerance < math.inf):
            raise IdentityError(f"step and tolerance of {self.id} are numbers from 0")
        if len(self.attribute) > LABEL_CHARS_MAX:
            raise IdentityError(f"attribute of {self.id} has over {LABEL_CHARS_MAX} characters")

    def on_step(self, value: float) -> bool:
        """Tell whether a value is one that ``step`` allows, but for what floating point adds."""
        if not self.step or self.writable is None:
            return True
        steps = (value - self.writable.low) / self.step
        return abs(steps - round(steps)) <= STEP_PART_MAX

    @property
    def gateway(self) -> str:
        """First segment of the id."""
        return self.id.split("/", 2)[0]

    @property
    def device(self) -> str:
        """Second segment of the id."""
        return self.id.split("/", 2)[1]

    @property
    def name(self) -> str:
        """Third segment of the id."""
        return self.id.split("/", 2)[2]
