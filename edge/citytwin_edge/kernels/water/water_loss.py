"""Water loss: what a district loses in a day, what it must lose, and the ratio of the two.

    UARL = (18 · Lm + 0.8 · Nc + 25 · Lp) · P                                          in L/d
    background = ICF · (9.6 · Lm + 0.6 · Nc + 16 · Lp) · 50 · (P / 50)^1.5             in L/d
    CARL = inflow − authorised consumption − apparent losses            ILI = CARL / UARL

Lm is the length of mains in km, Nc the number of connections, Lp the length of private pipes
between the edge of the street and the meters in km, P the mean pressure in m of water.

Source: UARL, unavoidable annual real losses, and ILI, infrastructure leakage index: A. Lambert et
al., AQUA 48 (1999), pages 227-237, the IWA method, here by the day. Background leakage is the part
of the same table that cannot be found by listening (BABE: bursts and background estimates), with
the exponent 1.5 for its dependence on pressure, and ICF, the infrastructure condition factor, 1 for
pipes in good condition. The paper was not read in print; its worked example is a test.

For small or low systems (Nc + 20 · Lm below 3,000, P below 25 m) the formula was not proven: UARL
and ILI are ``uncertain: range``. So are a CARL and an ILI below zero: a meter is wrong, or one is
missing. The ILI of a single day says little; look at the mean of weeks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.errors import ConfigError
from citytwin.point import Label, Point
from citytwin.quality import Quality
from citytwin_edge.kernels.formula import Builtin, Gives, Reads
from citytwin_edge.kernels.water.periods import (
    DAY_MIN,
    LocalDays,
    Periods,
    Result,
    Shape,
    Zone,
    mean,
    seen,
)

UARL: Final = (18.0, 0.8, 25.0)
BACKGROUND: Final = (9.6, 0.6, 16.0)
"""L/d for each m of pressure: for a km of mains, for a connection, for a km of private pipe."""
PRESSURE_M: Final = 50.0
"""At which the coefficients of background leakage were found."""
EXPONENT: Final = 1.5
SIZE_MIN: Final = 3000.0
PRESSURE_M_MIN: Final = 25.0
DOUBT: Final = int(Quality.UNCERTAIN_RANGE)

READS: Final = (
    Reads("inflow", "m3/d"),
    Reads("mean pressure", "m[H2O]"),
    Reads("authorised consumption", "m3/d"),
)
"""The third may be left out; then ``authorised_m3_d`` counts."""
GIVES: Final = (
    Gives(
        "inflow-day", "m3/d", Label(kk="Тәуліктік су беру", ru="Подача за сутки", en="Daily inflow")
    ),
    Gives(
        "losses",
        "m3/d",
        Label(kk="Нақты су шығыны", ru="Реальные потери воды", en="Real losses (CARL)"),
    ),
    Gives(
        "unavoidable-losses",
        "m3/d",
        Label(
            kk="Болмай қоймайтын шығын", ru="Неизбежные потери воды", en="Unavoidable losses (UARL)"
        ),
    ),
    Gives(
        "leakage-index",
        "1",
        Label(
            kk="Инфрақұрылымдық ағу индексі (ILI)",
            ru="Индекс утечек инфраструктуры (ILI)",
            en="Infrastructure leakage index (ILI)",
        ),
    ),
    Gives(
        "background-leakage",
        "m3/d",
        Label(kk="Фондық ағулар", ru="Фоновые утечки", en="Background leakage"),
    ),
)


class LossSettings(LocalDays, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network of the district.

    Attributes:
        mains_km: length of the mains, in km.
        connections: number of connections.
        private_km: length of private pipes from the edge of the street to the meters, in km.
        authorised_m3_d: what is used and known, billed or not, in m³/d; not where it is read.
        apparent_m3_d: what is used and not known: meters that are slow, theft; in m³/d.
        condition: infrastructure condition factor, 1 for pipes in good condition.
    """

    mains_km: Annotated[float, Meta(gt=0, le=100_000)]
    connections: Annotated[int, Meta(ge=0, le=10_000_000)]
    private_km: Annotated[float, Meta(ge=0, le=100_000)] = 0.0
    authorised_m3_d: Annotated[float, Meta(ge=0, le=1e8)] | None = None
    apparent_m3_d: Annotated[float, Meta(ge=0, le=1e8)] = 0.0
    condition: Annotated[float, Meta(gt=0, le=100)] = 1.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        LocalDays.__post_init__(self)
        if DAY_MIN % self.step_min:
            raise ValueError("step_min must divide a day")

    def litres(self, coefficients: tuple[float, float, float]) -> float:
        """Return the sum over mains, connections and private pipes."""
        mains, connection, private = coefficients
        return (
            mains * self.mains_km + connection * self.connections + private * self.private_km
        )  # fmt: skip


class WaterLoss(Periods):
    """Gives losses once a local day."""

    def __init__(self, settings: LossSettings, inputs: Sequence[Point]) -> None:
        """Check the inputs (ConfigError)."""
        read = len(inputs) == len(READS)
        if read == (settings.authorised_m3_d is not None):
            raise ConfigError(
                "write authorised_m3_d, or the authorised consumption as the third input; not both"
            )
        shape = Shape(DAY_MIN, 0, DAY_MIN, settings.step_min)
        reads = READS if read else READS[:2]
        super().__init__("water-loss", inputs, reads, GIVES, Zone(settings.zone), shape)
        self._settings = settings

    def _over(self, means: Float64) -> Iterator[Result]:
        settings = self._settings
        _, quality = seen(means, settings.part_percent_min)
        inflow, pressure, *used = mean(means).tolist()
        known = used[0] if used else settings.authorised_m3_d
        losses = inflow - known - settings.apparent_m3_d
        uarl = settings.litres(UARL) * pressure / 1000
        background = settings.condition * settings.litres(BACKGROUND) * PRESSURE_M / 1000
        background *= (max(pressure, 0.0) / PRESSURE_M) ** EXPONENT
        flowed = int(np.delete(quality, 1).max())
        pressed = int(quality[1])
        negative = DOUBT if losses < 0 else 0
        small = settings.connections + 20 * settings.mains_km < SIZE_MIN
        unproven = DOUBT if small or pressure < PRESSURE_M_MIN else 0
        yield Result(0, inflow, int(quality[0]))
        yield Result(1, losses, flowed or negative)
        yield Result(2, uarl if pressure > 0 else np.nan, pressed or unproven)
        ratio = losses / uarl if pressure > 0 and uarl > 0 else np.nan
        yield Result(3, ratio, max(flowed, pressed) or negative or unproven)
        yield Result(4, background if pressure > 0 else np.nan, pressed)


WATER_LOSS: Final = Builtin(
    LossSettings,
    WaterLoss,
    READS,
    GIVES,
    "real and unavoidable losses of a district by the day, ILI, background leakage (IWA)",
)
