"""Scope queries: which scopes an entity must have.

ETSI GS CIM 009, clause 4.19: ``/Almaty/Medeu`` is that scope, ``+`` any one level, ``#`` at the
end that scope and all below it, ``/#`` any scope at all; ``,`` and ``|`` are or, ``;`` is and.

>>> parse("/Almaty/+/Water;/Utility/#").matches(["/Almaty/Medeu/Water", "/Utility"])
True
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.expressions import Expression

LEVELS_MAX: Final = 50
"""Levels of one scope."""


@dataclass(frozen=True, slots=True)
class ScopePattern:
    """One scope of a query: its levels, and whether it goes on below them."""

    levels: tuple[str, ...]
    below: bool

    def matches(self, scope: Sequence[str]) -> bool:
        """Tell whether a scope, by its levels, is meant."""
        length = len(self.levels)
        if len(scope) < length or (len(scope) > length and not self.below):
            return False
        return all(level in ("+", there) for level, there in zip(self.levels, scope, strict=False))


@dataclass(frozen=True, slots=True)
class ScopeQuery:
    """A scope query (immutable)."""

    expression: Expression[ScopePattern]

    def matches(self, scopes: Collection[str]) -> bool:
        """Tell whether an entity with some scopes matches."""
        split = [levels(scope) for scope in scopes]
        return self.expression.holds(lambda pattern: any(map(pattern.matches, split)))


def levels(scope: str) -> tuple[str, ...]:
    """Return the levels of a scope; whether it begins with ``/`` makes no difference."""
    return tuple(scope.strip("/").split("/"))


def parse(text: str, what: str = "scopeQ") -> ScopeQuery:
    """Return what a scope query means.

    Raises:
        BadRequestData: it is none; the text says where.
        TooComplexQuery: it is over a limit.
    """

    def pattern(word: str) -> ScopePattern:
        parts = list(levels(word))
        below = parts[-1] == "#"
        if below:
            parts.pop()
        if len(parts) > LEVELS_MAX:
            raise BadRequestData(f"{what}: {word[:40]!r} has more than {LEVELS_MAX} levels")
        if not all(parts) or "#" in parts:
            raise BadRequestData(
                f"{what}: {word!r} is not a scope such as /Almaty/Medeu, /Almaty/+ or /Almaty/#"
            )
        return ScopePattern(tuple(parts), below)

    return ScopeQuery(Expression.parse(text, pattern, what))
