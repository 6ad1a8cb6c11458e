"""Settings of the kernels, as they stand in ``[[device.point]]`` tables."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from citytwin.errors import UnitError
from citytwin.kernel import Kernel, KernelType
from citytwin.point import Point
from citytwin.units import unit
from citytwin_edge.foreign import built

DURATION_S_MAX: Final = 366 * 86_400.0
"""A year: a longer time is a mistake, and nanoseconds must fit into 64 bits."""


class CounterSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``counter = { … }``: a totaliser that shall give a flow.

    Attributes:
        modulus: the count at which it rolls over to 0, in the point's unit (after scale); 0: never.
        flow_unit: UCUM code of the flow, for example m3/h for a counter in m3.
        factor: flow in flow_unit = count per second * factor (3600 for m3 to m3/h).
        flow_max: the most that can flow, in flow_unit; a larger step is a reset or an exchange.
        pulse: what one pulse adds, in the point's unit (after scale), where the count goes in
            steps: the flow is then that between pulses, and sinks while none comes; 0: of readings.
        window_s: with ``pulse``: how long pulses may be held back and come in a burst, in seconds;
            a flow is taken over no shorter time.
    """

    flow_unit: str
    factor: float
    flow_max: float
    modulus: float = 0.0
    pulse: float = 0.0
    window_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        try:
            unit(self.flow_unit)
        except UnitError as error:
            raise ValueError(str(error)) from None
        finite = math.isfinite(self.factor + self.flow_max + self.modulus)
        if not finite or self.factor <= 0 or self.flow_max <= 0 or self.modulus < 0:
            raise ValueError("factor and flow_max must be above 0, modulus not below; all finite")
        if not 0 <= self.pulse < math.inf:
            raise ValueError("pulse must not be below 0")
        if not 0 <= self.window_s <= DURATION_S_MAX or (self.window_s and not self.pulse):
            raise ValueError("window_s must be from 0 to a year, and needs pulse")


class PointRules(msgspec.Struct, frozen=True, kw_only=True):
    """What kernels do with one point; a field that is left out does nothing.

    Attributes:
        rate_per_s_max: largest credible change, in units per second.
        flatline_s_max: longest credible time without any change.
        alarm_delay_s: how long a value must be outside ``normal`` before an alarm.
        deadband: changes smaller than this are not sent.
        swinging_door: samples within this of the line between their neighbours are not sent.
        silence_s_max: with either of these, a value is sent at least so often.
        counter: derive a flow.
    """

    rate_per_s_max: float | None = None
    flatline_s_max: float | None = None
    alarm_delay_s: float = 0.0
    deadband: float | None = None
    swinging_door: float | None = None
    silence_s_max: float = 600.0
    counter: CounterSettings | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        for name in ("rate_per_s_max", "flatline_s_max", "deadband", "swinging_door"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be above 0 and finite")
        for name in ("flatline_s_max", "silence_s_max", "alarm_delay_s"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 <= seconds <= DURATION_S_MAX:
                raise ValueError(f"{name} must not be below 0 or above a year")
        if not self.silence_s_max > 0:
            raise ValueError("silence_s_max must be above 0")
        if self.deadband is not None and self.swinging_door is not None:
            raise ValueError("deadband and swinging_door exclude each other; choose one")


class AddedKernel(msgspec.Struct, frozen=True):
    """One ``[[kernel]]``, checked: a kernel that a vendor's distribution brings.

    Attributes:
        name: what it is called on this gateway; its state is kept by it.
        kernel: the entry point.
        kind: what stands behind it.
        settings: of the kind's own struct.
        inputs: the points that it is given, in the order of the file.
    """

    name: str
    kernel: str
    kind: KernelType
    settings: Any
    inputs: tuple[Point, ...]

    @property
    def key(self) -> str:
        """Its name among all kernels; ours have no colon."""
        return f"kernel:{self.name}"

    def build(self) -> Kernel:
        """Return the kernel.

        Raises:
            ConfigError: settings and inputs do not fit together, or its code has a mistake.
        """
        return built(f'kernel "{self.kernel}"', lambda: self.kind.build(self.settings, self.inputs))
