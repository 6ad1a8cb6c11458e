"""SI and NP of pollutants at posts: how far, and how often, a single limit was exceeded.

    SI = highest mean / limit        NP = means above the limit / means, in percent

СИ (стандартный индекс) and НП (наибольшая повторяемость), as Kazhydromet's bulletins tell them of a
month. Of several posts and pollutants they are the highest of any: of a post give its pollutants,
of a city the pollutants of all posts that this gateway has, with a limit for each. A pollutant that
was not seen leaves its place to the others, and doubt on the result.

Source: Kazhydromet's bulletins, in what they say of themselves. The limit is the single
maximum permissible concentration (ПДК максимальная разовая), in Kazakhstan after the order of the
Minister of Health of 2 August 2022, No. ҚР ДСМ-70. Neither its text nor the guide that the
bulletins go by could be read for this kernel: so no limit stands here, and ``limit_mg_m3`` must be
written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from citytwin.errors import ConfigError
from citytwin.point import Label, Point
from citytwin_edge.kernels.air.tally import Limit, Tally, TallySettings
from citytwin_edge.kernels.formula import Builtin, Gives, Reads

INPUTS_MAX: Final = 200
READS: Final = (Reads("concentration of each pollutant at each post", "mg/m3"),)
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
    """The limits.

    Attributes:
        limit_mg_m3: single maximum permissible concentration, in mg/m³, from the order in force; of
            several inputs a list, one for each.
    """

    limit_mg_m3: Limit | tuple[Limit, ...]


class Exceedance(Tally):
    """Gives the highest SI and NP of the period so far, at every local midnight."""

    def __init__(self, settings: ExceedanceSettings, inputs: Sequence[Point]) -> None:
        """Check the inputs (ConfigError)."""
        written = settings.limit_mg_m3
        limits = written if isinstance(written, tuple) else (written,)
        if len(limits) != len(inputs) or not 1 <= len(inputs) <= INPUTS_MAX:
            raise ConfigError(
                f"it reads 1 to {INPUTS_MAX} concentrations, with a limit_mg_m3 for each; there "
                f"are {len(inputs)} and {len(limits)}"
            )
        super().__init__("exceedance", settings, inputs, GIVES, np.array(limits))

    def _told(self) -> Iterator[float]:
        state = self._columns
        seen = state["seen"] > 0
        if not seen.any():
            yield from (float("nan"), float("nan"))
            return
        # In clean air an instrument's noise may lie below zero.
        yield max(float((state["highest"] / self._limits)[seen].max()), 0.0)
        yield 100 * float((state["over"][seen] / state["seen"][seen]).max())


EXCEEDANCE: Final = Builtin(
    ExceedanceSettings,
    Exceedance,
    READS,
    GIVES,
    "SI and NP of pollutants at posts against their limits",
)
