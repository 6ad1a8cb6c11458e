"""Natures: what kinds of devices there are, and what their quantities mean: unit, sign, counting.

A nature is data, ``citytwin_edge/natures/<nature>.toml``. Every profile of a nature is held to it,
so that a positive power means the same of every meter in the city.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from citytwin.config import Document
from citytwin.conversion import between
from citytwin.errors import ConfigError
from citytwin.point import Kind, Label, Span
from citytwin_edge.catalogue.laws import Broken, Law, Values

FOLDER: Final = Path(__file__).parents[1] / "natures"


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

    def broken(self, values: Values, others: Mapping[str, Values] | None = None) -> list[Broken]:
        """Return how values break the laws.

        Args:
            values: by quantity, of one phase, in the quantities' own units.
            others: those of all phases, by phase.
        """
        found = [law.broken(values, others) for law in self.laws]
        return [one for one in found if one is not None]


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
        for other in law.quantities:
            if other not in quantities:
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
