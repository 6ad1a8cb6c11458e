"""Laws: what physics says of the quantities of one reading; data of natures, judged here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

TOLERANCE: Final = 0.05
"""Part of a value by which instruments may differ from a law: their classes are 0.2 to 2 %, and the
values of one reading are not of one moment."""
_SIGNS: Final = {"+": 1.0, "-": -1.0}
_TERM: Final = re.compile(r" ([+-]) ")

Values = Mapping[str, float]
"""By quantity, of one phase, in the quantities' own units."""


class Law(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[law]]``: what must hold between quantities of one phase, in the quantities' own units.

    Attributes:
        of: the quantity.
        product: what it is compared with: the product of these, each a quantity or a sum or
            difference of some (``"supply_temperature - return_temperature"``).
        phases: instead: the sum of the same quantity of these phases.
        relation: ``about`` the product, ``at_most`` or ``at_least`` it, or of its ``sign``.
        signed: whether signs count; else magnitudes are compared.
        when: holds only while this quantity is above 0.
        factor: of the product: 1.732 for a line voltage, for example.
        tolerance: part of the value.
        slack: besides, in the unit of the quantity: what is rounded to whole degrees, say.
        text: the law for people.
    """

    of: str
    product: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    relation: Literal["about", "at_most", "at_least", "sign"] = "about"
    signed: bool = False
    when: str = ""
    factor: float = 1.0
    tolerance: Annotated[float, msgspec.Meta(gt=0, le=1)] = TOLERANCE
    slack: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    text: str

    def __post_init__(self) -> None:
        """Refuse what compares nothing, or two things (ValueError)."""
        if bool(self.product) is bool(self.phases):
            raise ValueError("a law has product or phases")

    @property
    def quantities(self) -> list[str]:
        """Return all that it speaks of."""
        terms = [name for term in self.product for name, _ in parts(term)]
        return [self.of, *terms, *([self.when] if self.when else [])]

    def broken(self, values: Values, others: Mapping[str, Values] | None = None) -> Broken | None:
        """Return how values break it; None where they do not, or it does not speak of them.

        Args:
            values: of one phase.
            others: those of all phases, by phase.
        """
        value = values.get(self.of, math.nan)
        expected = self._expected(values, others or {})
        if not (math.isfinite(value) and math.isfinite(expected)):
            return None
        if self.when and not values.get(self.when, 0) > 0:
            return None
        if self.relation == "sign":
            beyond = abs(value) > self.slack and value * expected < 0
            return Broken(self, value, expected) if beyond else None
        have, want = (value, expected) if self.signed else (abs(value), abs(expected))
        room = self.slack + self.tolerance * max(abs(value), abs(expected))
        over, under = have - want > room, want - have > room
        wrong = {"about": over or under, "at_most": over, "at_least": under}[self.relation]
        return Broken(self, value, expected) if wrong else None

    def _expected(self, values: Values, others: Mapping[str, Values]) -> float:
        """Return what it is compared with; NaN where something of it is not known."""
        if self.phases:
            of_phases = [others.get(phase, {}).get(self.of, math.nan) for phase in self.phases]
            # The sum is judged, not one of what it is the sum of.
            is_one = any(others.get(phase) is values for phase in self.phases)
            return math.nan if is_one else self.factor * math.fsum(of_phases)
        return self.factor * math.prod(
            math.fsum(sign * values.get(name, math.nan) for name, sign in parts(term))
            for term in self.product
        )


class Broken(NamedTuple):
    """A law that values break, with the value and what it is compared with."""

    law: Law
    value: float
    expected: float

    @property
    def words(self) -> str:
        """What is wrong, for people."""
        law, expected = self.law, f"{self.expected:.6g}"
        wanted = {
            "about": f"about {expected}", "at_most": f"at most {expected}",
            "at_least": f"at least {expected}", "sign": f"the sign of {expected}",
        }[law.relation]  # fmt: skip
        return f"{law.of} is {self.value:.6g}, {wanted} is expected"


def parts(term: str) -> Iterator[tuple[str, float]]:
    """Yield the quantities of a term with their signs: ``a - b`` is a and, negative, b."""
    name, *rest = _TERM.split(term)
    yield name, 1.0
    for sign, other in zip(rest[::2], rest[1::2], strict=True):
        yield other, _SIGNS[sign]
