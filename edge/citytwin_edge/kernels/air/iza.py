"""IZA₅: the complex index of air pollution of the five pollutants that add most to it.

    Iᵢ = (mean / daily limit) ^ Cᵢ        IZA₅ = sum of the five highest Iᵢ

ИЗА₅ (индекс загрязнения атмосферы). Source: one textbook of Kazakhstan. The limit is the maximum
permissible concentration of a day (ПДК среднесуточная), in Kazakhstan after the order of the
Minister of Health of 2 August 2022, No. ҚР ДСМ-70. C follows the hazard class: one textbook has
1.7, 1.3, 1.0 and 0.9 for classes 1 to 4; guides of other years have others. Neither order nor guide
could be read for this kernel: so ``limit_mg_m3`` and ``exponent`` must be written, from those that
your city goes by.

Where one of the pollutants was not seen there is no index: ``bad: stale``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.errors import ConfigError
from citytwin.point import Label, Point
from citytwin_edge.kernels.air.tally import Limit, Tally, TallySettings
from citytwin_edge.kernels.formula import Builtin, Gives, Reads

HIGHEST: Final = 5
INPUTS_MAX: Final = 20
READS: Final = (Reads("concentration of each pollutant", "mg/m3"),)
GIVES: Final = (
    Gives(
        "iza5",
        "1",
        Label(
            kk="Атмосфераның ластану индексі (АЛИ₅)",
            ru="Индекс загрязнения атмосферы (ИЗА₅)",
            en="Index of air pollution (IZA₅)",
        ),
    ),
)


class IzaSettings(TallySettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits and exponents, in the order of the inputs.

    Attributes:
        limit_mg_m3: daily maximum permissible concentration of each, in mg/m³.
        exponent: C of each, by its hazard class.
    """

    limit_mg_m3: tuple[Limit, ...]
    exponent: tuple[Annotated[float, Meta(ge=0.5, le=2)], ...]


class Iza(Tally):
    """Gives IZA₅ of the period so far, at every local midnight."""

    def __init__(self, settings: IzaSettings, inputs: Sequence[Point]) -> None:
        """Check the inputs (ConfigError)."""
        counts = {len(inputs), len(settings.limit_mg_m3), len(settings.exponent)}
        if len(counts) > 1 or not 1 <= len(inputs) <= INPUTS_MAX:
            raise ConfigError(
                f"it reads 1 to {INPUTS_MAX} concentrations, with a limit_mg_m3 and an exponent "
                f"for each; there are {len(inputs)}, {len(settings.limit_mg_m3)} and "
                f"{len(settings.exponent)}"
            )
        super().__init__("iza5", settings, inputs, GIVES, np.array(settings.limit_mg_m3))
        self._exponent = np.array(settings.exponent)

    def _told(self) -> Iterator[float]:
        state = self._columns
        seen = np.where(state["seen"] > 0, state["seen"], np.nan)
        parts = (np.maximum(state["total"] / seen, 0.0) / self._limits) ** self._exponent
        yield float(np.sort(parts)[::-1][:HIGHEST].sum()) if np.isfinite(parts).all() else np.nan


IZA5: Final = Builtin(
    IzaSettings, Iza, READS, GIVES, "IZA5, the index of air pollution of five pollutants"
)
