"""Natures: what kinds of devices there are, and what their quantities mean: unit, sign, counting.

A nature is data, ``citytwin_edge/natures/<nature>.toml``. Every profile of a nature is held to it,
so that a positive power means the same of every meter in the city.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

from citytwin.config import Document
from citytwin.conversion import between
from citytwin.errors import ConfigError
from citytwin.point import Kind, Label, Span

FOLDER: Final = Path(__file__).parents[1] / "natures"
TOLERANCE: Final = 0.05
"""Part of a value by which instruments may differ from a law: their classes are 0.2 to 2 %, and the
values of one reading are not of one moment."""


class Quantity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[quantity]]``: one thing that devices of a nature measure or are told.

    Attributes:
        name: as profiles call it.
        unit: any unit that measures the same is allowed; empty: any unit at all.
        kind: what the numbers mean; any kind if left out.
        range: what is possible at all, in ``unit``; [0, inf] fixes the sign.
        label: for people.
        attribute: of Smart Data Models, if there is one.
    """

    name: str
    unit: str = ""
    kind: Kind | None = None
    range: Span = Span()
    label: Label
    attribute: str = ""


class Law(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[law]]``: what must hold between quantities of one phase, in the quantities' own units.

    Attributes:
        of: the quantity.
        product: quantities whose product it is.
        at_most: quantity whose magnitude it cannot exceed.
        factor: of the product: 1.732 for a line voltage, for example.
        tolerance: part of the value.
        text: the law for people.
    """

    of: str
    product: tuple[str, ...] = ()
    at_most: str = ""
    factor: float = 1.0
    tolerance: Annotated[float, msgspec.Meta(gt=0, le=1)] = TOLERANCE
    text: str


class NatureFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A nature's file; ``extends`` names natures whose quantities and laws it has, too."""

    title: Label
    extends: tuple[str, ...] = ()
    quantity: tuple[Quantity, ...] = ()
    law: tuple[Law, ...] = ()


class Nature(msgspec.Struct, frozen=True):
    """A nature with everything that it extends."""

    name: str
    title: Label
    quantities: Mapping[str, Quantity]
    laws: tuple[Law, ...]

    def broken(self, values: Mapping[str, float]) -> Iterator[tuple[Law, float, float]]:
        """Yield each law that values break, with the value and what it should be at most or about.

        Args:
            values: by quantity, of one phase, in the quantities' own units.
        """
        for law in self.laws:
            if law.of not in values or not math.isfinite(value := values[law.of]):
                continue
            if law.at_most:
                bound = abs(values.get(law.at_most, math.nan))
                if abs(value) > bound * (1 + law.tolerance):
                    yield law, value, bound
            elif all(name in values for name in law.product):
                expected = law.factor * math.prod(values[name] for name in law.product)
                if abs(abs(value) - abs(expected)) > law.tolerance * max(abs(value), abs(expected)):
                    yield law, value, expected


def natures() -> list[str]:
    """Return the names of all natures."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@functools.cache
def nature(name: str) -> Nature:
    """Return a nature.

    Raises:
        ConfigError: there is none of that name, or its file is wrong.
    """
    if name not in natures():
        raise ConfigError(f'there is no nature "{name}"; there are {", ".join(natures())}')
    document = Document(FOLDER / f"{name}.toml")
    file = document.convert(NatureFile)
    quantities: dict[str, Quantity] = {}
    laws: list[Law] = []
    for base in map(nature, file.extends):
        quantities |= base.quantities
        laws += base.laws
    document.unique([one.name for one in file.quantity], ("quantity",))
    quantities |= {one.name: one for one in file.quantity}
    for index, law in enumerate(file.law):
        for other in (law.of, law.at_most, *law.product):
            if other and other not in quantities:
                raise document.error(f'there is no quantity "{other}"', ("law", index))
    return Nature(name, file.title, quantities, (*laws, *file.law))


def in_own_unit(quantity: Quantity, unit: str, value: float) -> float:
    """Return a value of some unit in the quantity's own; as it is where that has none.

    Raises:
        UnitError: the units do not measure the same.
    """
    if not quantity.unit:
        return value
    factor, zero = between(unit, quantity.unit)
    return value * factor + zero
