"""Orifice: mass and volume flow of a pipe, from the difference of pressure at a throttle in it.

    q_m = C / √(1 − β⁴) · ε · π/4 · d² · √(2 · Δp · ρ)     β = d/D     Re = 4 · q_m / (π · μ · D)

Source: ISO 5167-1 and, by ``element``: orifice plates, ISO 5167-2 (C by the Reader-Harris/Gallagher
equation, 5.3.2.1; ε by 5.3.2.2); nozzles, ISO 5167-3; classical Venturi tubes, ISO 5167-4. C
depends on the flow, so it is iterated to 1e-12 of it, in at most 50 rounds. A liquid has ε = 1. The
standards were not read in print; results agree with an independent library to 1e-9.

Outside the limits of the standard (:func:`limits`: D, d, β, Re, p₂/p₁) the result is ``uncertain:
range``. A difference below zero, beyond ``cutoff_pa``, is ``bad: out of range``: the pipes of the
transmitter are crossed, or it flows backwards. d and D are those at the temperature of the fluid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from citytwin.batch import Float64
from citytwin.errors import ConfigError
from citytwin.point import Label, Point
from citytwin_edge.kernels.formula import Ages, Builtin, Calculate, Gives, Limited, Reads
from citytwin_edge.kernels.water.flows import FLOW_LABEL, above

ROUNDS_MAX: Final = 50
EXACT: Final = 1e-12
INCH_M: Final = 0.0254
BAR_PA: Final = 1e5
SMALL_M: Final = 0.07112
"""Below this pipe diameter the equation has a term more."""
PRESSURE_PART_MIN: Final = 0.75
"""Of p₂/p₁, for ε."""

READS: Final = (
    Reads("differential pressure", "Pa"),
    Reads("pressure", "Pa"),
    Reads("density", "kg/m3"),
)
"""The first always; the others where ``also`` names them, in its order."""
GIVES: Final = (
    Gives("mass-flow", "kg/s", Label(kk="Массалық шығын", ru="Массовый расход", en="Mass flow")),
    Gives("flow", "m3/h", FLOW_LABEL, "flow"),
)
Element = Literal[
    "orifice", "isa-1932-nozzle", "long-radius-nozzle",
    "venturi-cast", "venturi-machined", "venturi-welded",
]  # fmt: skip
VENTURI_C: Final = {"venturi-cast": 0.984, "venturi-machined": 0.995, "venturi-welded": 0.985}


class Limit(NamedTuple):
    """Lowest and highest of D in mm, β and Re (of D) that the standard covers."""

    pipe_mm: tuple[float, float]
    beta: tuple[float, float]
    reynolds: tuple[float, float]


LIMITS: Final = {
    "orifice": Limit((50, 1000), (0.1, 0.75), (5e3, math.inf)),
    "isa-1932-nozzle": Limit((50, 500), (0.3, 0.8), (2e4, 1e7)),
    "long-radius-nozzle": Limit((50, 630), (0.2, 0.8), (1e4, 1e7)),
    "venturi-cast": Limit((100, 800), (0.3, 0.75), (2e5, 2e6)),
    "venturi-machined": Limit((50, 250), (0.4, 0.75), (2e5, 1e6)),
    "venturi-welded": Limit((200, 1200), (0.4, 0.7), (2e5, 2e6)),
}


class OrificeSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The throttle, and what flows.

    Attributes:
        pipe_mm: inner diameter D of the pipe, in mm.
        bore_mm: diameter d of the bore or throat, in mm.
        density_kg_m3: of the fluid upstream; not where it is read.
        viscosity_pa_s: dynamic viscosity: 0.001 for water at 20 °C.
        element: orifice, isa-1932-nozzle, long-radius-nozzle, venturi-cast, venturi-machined or
            venturi-welded.
        taps: of an orifice plate: corner, flange or d-d2 (D and D/2).
        isentropic_exponent: κ of a gas or of steam, such as 1.4 for air; 0: a liquid.
        pressure_bar: absolute pressure upstream of a gas, in bar; not where it is read.
        also: what is read behind the differential pressure, in this order: pressure, density.
        atmosphere_bar: added to the pressure that is read, in bar: 0 where the transmitter measures
            absolute pressure, the pressure of the air where it measures above that.
        cutoff_pa: a difference up to it, in Pa, counts as none.
    """

    pipe_mm: float
    bore_mm: float
    viscosity_pa_s: float
    density_kg_m3: float = 0.0
    element: Element = "orifice"
    taps: Literal["", "corner", "flange", "d-d2"] = ""
    isentropic_exponent: float = 0.0
    pressure_bar: float = 0.0
    also: tuple[Literal["pressure", "density"], ...] = ()
    atmosphere_bar: float = 0.0
    cutoff_pa: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        Ages.__post_init__(self)
        above(pipe_mm=self.pipe_mm, bore_mm=self.bore_mm, viscosity_pa_s=self.viscosity_pa_s)
        if self.bore_mm >= self.pipe_mm:
            raise ValueError("bore_mm must be below pipe_mm")
        if len(set(self.also)) < len(self.also):
            raise ValueError("also names something twice")
        if (self.element == "orifice") == (not self.taps):
            raise ValueError("taps must be written for an orifice, and for nothing else")
        for name in ("atmosphere_bar", "cutoff_pa"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must not be below 0")
        self._check_fluid()

    def _check_fluid(self) -> None:
        if ("density" in self.also) == bool(self.density_kg_m3):
            raise ValueError('write density_kg_m3 above 0, or "density" in also')
        if self.density_kg_m3:
            above(density_kg_m3=self.density_kg_m3)
        if self.isentropic_exponent:
            if not 1 < self.isentropic_exponent <= 2:
                raise ValueError("isentropic_exponent must be above 1 and at most 2")
            if ("pressure" in self.also) == bool(self.pressure_bar):
                raise ValueError('a gas needs pressure_bar, or "pressure" in also')
            if self.pressure_bar:
                above(pressure_bar=self.pressure_bar)
            if "pressure" in self.also and "density" not in self.also:
                raise ValueError('where the pressure of a gas is read, so must be its "density"')
        elif self.pressure_bar or "pressure" in self.also:
            raise ValueError("the pressure counts for a gas only, with isentropic_exponent")

    @property
    def beta(self) -> float:
        """The ratio d/D."""
        return self.bore_mm / self.pipe_mm


def discharge(settings: OrificeSettings, reynolds: Float64) -> Float64:
    """Return C at a Reynolds number of the pipe, shape (n,)."""
    beta, element = settings.beta, settings.element
    if element == "orifice":
        return _gallagher(beta, settings.pipe_mm / 1000, settings.taps, reynolds)
    turbulence = 1e6 / reynolds
    if element == "isa-1932-nozzle":
        return np.asarray(
            0.99 - 0.2262 * beta**4.1 - (0.00175 * beta**2 - 0.0033 * beta**4.15) * turbulence**1.15
        )
    if element == "long-radius-nozzle":
        return np.asarray(0.9965 - 0.00653 * (beta * turbulence) ** 0.5)
    return np.full(reynolds.shape, VENTURI_C[element])


def _gallagher(beta: float, pipe_m: float, taps: str, reynolds: Float64) -> Float64:
    up, down = {
        "corner": (0.0, 0.0), "flange": (INCH_M / pipe_m, INCH_M / pipe_m), "d-d2": (1.0, 0.47),
    }[taps]  # fmt: skip
    a = (19_000 * beta / reynolds) ** 0.8
    m = 2 * down / (1 - beta)
    c = 0.5961 + 0.0261 * beta**2 - 0.216 * beta**8 + 0.000521 * (1e6 * beta / reynolds) ** 0.7
    c = c + (0.0188 + 0.0063 * a) * beta**3.5 * (1e6 / reynolds) ** 0.3
    front = 0.043 + 0.080 * math.exp(-10 * up) - 0.123 * math.exp(-7 * up)
    c = c + front * (1 - 0.11 * a) * beta**4 / (1 - beta**4)
    c = c - 0.031 * (m - 0.8 * m**1.1) * beta**1.3
    if pipe_m < SMALL_M:
        c = c + 0.011 * (0.75 - beta) * (2.8 - pipe_m / INCH_M)
    return np.asarray(c)


def expansibility(settings: OrificeSettings, tau: Float64) -> Float64:
    """Return ε at a pressure ratio p₂/p₁, shape (n,)."""
    beta4, kappa = settings.beta**4, settings.isentropic_exponent
    if settings.element == "orifice":
        loss = 0.351 + 0.256 * beta4 + 0.93 * beta4**2
        return np.asarray(1 - loss * (1 - tau ** (1 / kappa)))
    flat = np.where(tau < 1, tau, 0.5)
    power = flat ** (2 / kappa)
    squared = kappa * power / (kappa - 1) * (1 - beta4) / (1 - beta4 * power)
    squared = squared * (1 - flat ** ((kappa - 1) / kappa)) / (1 - flat)
    return np.where(tau < 1, np.sqrt(squared), 1.0)


def limits(settings: OrificeSettings, reynolds: Float64, tau: Float64) -> Any:
    """Tell where the standard does not hold, shape (n,)."""
    limit, beta = LIMITS[settings.element], settings.beta
    (pipe_low, pipe_high), (beta_low, beta_high), (low, high) = limit
    wrong = not (pipe_low <= settings.pipe_mm <= pipe_high and beta_low <= beta <= beta_high)
    if settings.element == "orifice":
        wrong |= settings.bore_mm < 12.5
        if settings.taps == "flange":
            low = max(low, 170 * beta**2 * settings.pipe_mm)
        elif beta > 0.56:
            low = max(low, 16_000 * beta**2)
    elif settings.element == "isa-1932-nozzle" and beta < 0.44:
        low = 7e4
    return wrong | (reynolds < low) | (reynolds > high) | (tau < PRESSURE_PART_MIN)


def flow(settings: OrificeSettings) -> Calculate:
    """Return what makes of the readings kg/s, m³/h and whether it is outside the limits."""
    pipe, bore, beta = settings.pipe_mm / 1000, settings.bore_mm / 1000, settings.beta
    per_flow = 4 / (math.pi * settings.viscosity_pa_s * pipe)
    area = math.pi / 4 * bore**2 / math.sqrt(1 - beta**4)

    def calculate(values: Float64) -> Float64:
        read = dict(zip(settings.also, values[1:], strict=True))
        density = read.get("density", np.full(values.shape[1], settings.density_kg_m3))
        difference = np.where(np.abs(values[0]) <= settings.cutoff_pa, 0.0, values[0])
        tau = np.ones(values.shape[1])
        if settings.isentropic_exponent:
            pressure = settings.pressure_bar * BAR_PA
            if "pressure" in read:
                pressure = read["pressure"] + settings.atmosphere_bar * BAR_PA
            tau = 1 - difference / pressure
            tau = np.where((tau > 0) & (tau <= 1), tau, np.nan)
        ideal = area * np.sqrt(2 * difference * np.where(density > 0, density, np.nan))
        if settings.isentropic_exponent:
            ideal = ideal * expansibility(settings, tau)
        mass = _iterated(settings, ideal, per_flow)
        beyond = limits(settings, mass * per_flow, tau) & (difference > 0)
        return np.array([mass, mass / density * 3600, beyond])

    return calculate


def _iterated(settings: OrificeSettings, ideal: Float64, per_flow: float) -> Float64:
    """Return C times ``ideal``; each sample by itself, so that batches make no difference."""
    moving = ideal > 0
    mass = np.where(moving, 0.6 * ideal, ideal)
    open_ = moving.copy()
    for _ in range(ROUNDS_MAX):
        rows = np.flatnonzero(open_)
        if not len(rows):
            break
        found = discharge(settings, mass[rows] * per_flow) * ideal[rows]
        open_[rows] = np.abs(found - mass[rows]) > EXACT * found
        mass[rows] = found
    return np.where(open_, np.nan, mass)


def make(settings: OrificeSettings, inputs: Sequence[Point]) -> Limited:
    """Return the kernel.

    Raises:
        ConfigError: the inputs are not the differential pressure and what ``also`` names.
    """
    by_name = {one.name: one for one in READS}
    reads = (READS[0], *(by_name[name] for name in settings.also))
    if len(inputs) != len(reads):
        names = ", ".join(one.name for one in reads)
        raise ConfigError(f"it reads {len(reads)}, not {len(inputs)}: {names}; see also = [...]")
    return Limited(
        "orifice", inputs, reads, GIVES, flow(settings), age_s_max=settings.age_s_max
    )  # fmt: skip


ORIFICE: Final = Builtin(
    OrificeSettings,
    make,
    READS,
    GIVES,
    "flow of a pipe from the difference of pressure at an orifice, nozzle or Venturi (ISO 5167)",
)
