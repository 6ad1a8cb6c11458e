"""Mass balance: what went into a district, came out, was stored and used in an interval.

    supply = Σ inflows − Σ outflows − change of the volumes stored / time
    unaccounted = supply − Σ consumption                      in percent: of Σ inflows

Source: conservation of mass, with constant density; the water balance of the IWA (Lambert and
Hirner, 2000) calls the unaccounted part water losses; it was not read in
print.

Flows are means over the interval. A volume is taken as its mean over the last ``step_min`` of this
interval less that of the one before. What was not seen is said by the quality: an input of which
less than nine tenths were seen makes the result ``uncertain: stale``, one of which less than
``part_percent_min`` were seen, or a volume without a value at either end, ``bad: stale``. How much
was seen of the input that was seen least is a point too. In the first interval there is no change
of volumes, so no result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.errors import ConfigError
from citytwin.point import Label, Point
from citytwin_edge.kernels.formula import Builtin, Gives, Reads
from citytwin_edge.kernels.water.periods import (
    DAY_MIN,
    MISSING,
    LocalDays,
    Periods,
    Result,
    Shape,
    Zone,
    mean,
    seen,
)

Role = Literal["inflow", "outflow", "volume", "consumption"]
INPUTS_MAX: Final = 100
READS: Final = (
    Reads("inflow", "m3/h"),
    Reads("outflow", "m3/h"),
    Reads("volume", "m3"),
    Reads("consumption", "m3/h"),
)
"""Any number of each, in the order of ``roles``."""
GIVES: Final = (
    Gives("supply", "m3/h", Label(kk="Ауданға су беру", ru="Подача в район", en="Net supply")),
    Gives("balance-seen", "%", Label(kk="Деректер толықтығы", ru="Полнота данных", en="Data seen")),
    Gives(
        "unaccounted",
        "m3/h",
        Label(kk="Есепке алынбаған су", ru="Неучтённый расход воды", en="Unaccounted water"),
    ),
    Gives(
        "unaccounted-percent",
        "%",
        Label(
            kk="Есепке алынбаған су үлесі",
            ru="Доля неучтённой воды",
            en="Share of unaccounted water",
        ),
    ),
)
"""The last two where there is consumption."""


class BalanceSettings(LocalDays, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the inputs are, and over which time.

    Attributes:
        roles: what each input is, in their order: inflow, outflow, volume or consumption.
        interval_min: length of an interval, in minutes; it divides a day, and begins at
            midnight of standard time.
    """

    roles: tuple[Role, ...]
    interval_min: Annotated[int, Meta(ge=1, le=DAY_MIN)] = 60

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        LocalDays.__post_init__(self)
        if DAY_MIN % self.interval_min or self.interval_min % self.step_min:
            raise ValueError("interval_min must divide a day, and step_min interval_min")
        if "inflow" not in self.roles or len(self.roles) > INPUTS_MAX:
            raise ValueError(f"roles must hold an inflow and at most {INPUTS_MAX} inputs")


class MassBalance(Periods):
    """Gives the balance of each interval."""

    def __init__(self, settings: BalanceSettings, inputs: Sequence[Point]) -> None:
        """Check the inputs (ConfigError)."""
        if len(inputs) != len(settings.roles):
            raise ConfigError(f"there are {len(inputs)} inputs and {len(settings.roles)} roles")
        by_name = {one.name: one for one in READS}
        used = "consumption" in settings.roles
        shape = Shape(settings.interval_min, 0, settings.interval_min, settings.step_min)
        super().__init__(
            "mass-balance",
            inputs,
            [by_name[role] for role in settings.roles],
            GIVES if used else GIVES[:2],
            Zone(settings.zone, standard=True),
            shape,
        )
        self._settings, self._used = settings, used
        self._is = {one.name: np.array(settings.roles) == one.name for one in READS}
        self._columns["before"] = np.full(len(inputs), np.nan)

    def _begin(self, number: int) -> None:
        if number != self._columns["number"][0] + 1:
            self._columns["before"][...] = np.nan
        super()._begin(number)

    def _over(self, means: Float64) -> Iterator[Result]:
        settings, volume = self._settings, self._is["volume"]
        percent, quality = seen(means, settings.part_percent_min)
        change = (means[:, -1] - self._columns["before"])[volume]
        self._columns["before"][...] = means[:, -1]
        # Of a volume only the ends count.
        worst = int(quality[~volume].max())
        if not np.isfinite(change).all():
            worst = MISSING
        flows = mean(means)
        inflow, outflow, used = (
            float(flows[self._is[name]].sum()) for name in ("inflow", "outflow", "consumption")
        )
        supply = inflow - outflow - float(change.sum()) * 60 / settings.interval_min
        yield Result(0, supply, worst)
        yield Result(1, float(percent[~volume].min()), 0)
        if self._used:
            rest = supply - used
            yield Result(2, rest, worst)
            yield Result(3, 100 * rest / inflow if inflow > 0 else np.nan, worst)


MASS_BALANCE: Final = Builtin(
    BalanceSettings,
    MassBalance,
    READS,
    GIVES,
    "balance of a district: inflows, outflows, volumes stored and consumption of an interval",
)
