"""SI and NP of a pollutant at a post: how far, and how often, a single limit was exceeded.

    SI = highest mean / limit        NP = means above the limit / means, in percent

СИ (стандартный индекс) and НП (наибольшая повторяемость), as Kazhydromet's bulletins tell them of a
month; of a city they are the highest of its posts and pollutants. The limit is the single maximum
permissible concentration (ПДК максимальная разовая), in Kazakhstan after the order of the Minister
of Health of 2 August 2022, No. ҚР ДСМ-70. Neither its text nor the guide that the bulletins go by
could be read for this kernel: so no limit stands here, and ``limit_mg_m3`` must be written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from citytwin.errors import ConfigError
from citytwin.point import Label, Point
from citytwin_edge.kernels.air.tally import Limit, Tally, TallySettings
from citytwin_edge.kernels.formula import Builtin, Gives, Reads

READS: Final = (Reads("concentration", "mg/m3"),)
GIVES: Final = (
    Gives("si", "1", Label(kk="Стандартты индекс (СИ)", ru="Стандартный индекс (СИ)", en="SI")),
    Gives(
        "np",
        "%",
        Label(
            kk="Ең жоғары қайталанғыштық (НП)", ru="Наибольшая повторяемость (НП)", en="NP"
        ),
    ),
)  # fmt: skip


class ExceedanceSettings(TallySettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limit.

    Attributes:
        limit_mg_m3: single maximum permissible concentration, in mg/m³, from the order in force.
    """

    limit_mg_m3: Limit


class Exceedance(Tally):
    """Gives SI and NP of the period so far, at every local midnight."""

    def __init__(self, settings: ExceedanceSettings, inputs: Sequence[Point]) -> None:
        """Check the input (ConfigError)."""
        if len(inputs) != 1:
            raise ConfigError(f"it reads 1, not {len(inputs)}: a concentration (mg/m3)")
        super().__init__("exceedance", settings, inputs, GIVES, np.array([settings.limit_mg_m3]))

    def _told(self) -> Iterator[float]:
        state = self._columns
        seen = int(state["seen"][0])
        # In clean air an instrument's noise may lie below zero.
        yield max(float(state["highest"][0] / self._limits[0]), 0.0) if seen else float("nan")
        yield 100 * float(state["over"][0]) / seen if seen else float("nan")


EXCEEDANCE: Final = Builtin(
    ExceedanceSettings, Exceedance, READS, GIVES, "SI and NP of a pollutant against its limit"
)
