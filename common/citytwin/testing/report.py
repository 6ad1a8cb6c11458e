"""Report: which promises of an adapter were proven, and the level that follows from them.

The level is worked out from what was proven, never claimed: bronze, silver or gold, each with all
that the one before it has (docs/specs/adapter.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from citytwin.batch import Batch


class Level(StrEnum):
    """How much is proven."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


class State(StrEnum):
    """What the check found of one property; one that is broken raises instead."""

    PROVEN = "proven"
    NOT_ASKED = "not asked"
    NOT_PROVEN = "not proven"
    NOT_APPLICABLE = "does not apply"


class Property(NamedTuple):
    """One promise.

    Attributes:
        name: by which tests and documents call it.
        level: the lowest level that needs it.
        promise: what is proven, a sentence.
        ask: what to give the check so that it asks.
    """

    name: str
    level: Level
    promise: str
    ask: str = ""


PROPERTIES: Final = (
    Property("samples", Level.BRONZE, "samples have known points, stamps, qualities and numbers"),
    Property("complete", Level.BRONZE, "every declared point is delivered, and no other"),
    Property("stamps", Level.BRONZE, "time stamps of a point never run backwards"),
    Property("reopen", Level.BRONZE, "open() and close() may be repeated, in any order"),
    Property("cancel", Level.BRONZE, "a cancelled call ends within a second and spoils nothing"),
    Property("leftovers", Level.BRONZE, "after close() no task, thread or open file is left"),
    Property(
        "silence", Level.SILVER, "a silent device is an error in time, never a value",
        "a bench with silent()",
    ),
    Property(
        "recovery", Level.SILVER, "unplugged is an error; plugged in again it answers again",
        "a bench with unplugged()",
    ),
    Property(
        "writes", Level.SILVER, "what was written is read back",
        "writes={point: value}, or {} if nothing can be written",
    ),
    Property(
        "mutation", Level.GOLD, "10,000 mutated frames never invent a value",
        "a bench with mutating(), or recorded=Recorded(…)",
    ),
    Property("probe", Level.GOLD, "probe() shows every point with its raw bytes",
             "probe() of the adapter"),
    Property("shown", Level.GOLD, "what goes over the line is shown to whoever looks",
             "site=, the site that build() lends"),
)  # fmt: skip
"""In the order in which they are asked."""
_SUFFICE: Final = (State.PROVEN, State.NOT_APPLICABLE)
_BY_NAME: Final = {one.name: one for one in PROPERTIES}


class BrokenPromise(AssertionError):
    """An adapter does not do what it must; ``property`` is the name of the promise."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text} ({_BY_NAME[name].promise})")
        self.property = name


class Finding(NamedTuple):
    """What was found of one property: its state, and figures or what would have to be given."""

    state: State
    note: str = ""


@dataclass(slots=True)
class Report:
    """What a check found.

    Attributes:
        batch: what was read or heard first.
        findings: by the property's name.
    """

    batch: Batch = field(default_factory=Batch.empty)
    findings: dict[str, Finding] = field(default_factory=dict)

    def found(self, name: str, state: State, note: str = "") -> None:
        """Note what was found."""
        if name not in _BY_NAME:
            raise KeyError(name)
        self.findings[name] = Finding(state, note)

    def state(self, name: str) -> State:
        """Return what was found of a property."""
        return self.findings[name].state if name in self.findings else State.NOT_ASKED

    @property
    def level(self) -> Level | None:
        """The highest level whose properties, and those of the levels below, are all proven.

        A property that does not apply stands in nobody's way; one that was not asked, does.
        """
        reached = None
        for level in Level:
            if any(self.state(one.name) not in _SUFFICE for one in _of(level)):
                return reached
            reached = level
        return reached

    @property
    def badge(self) -> str:
        """One line for a README; a test should compare it with what the README says."""
        count = sum(self.state(one.name) is State.PROVEN for one in PROPERTIES)
        return (
            f"CityTwin adapter check: {self.level or 'none'} "
            f"({count} of {len(PROPERTIES)} properties proven)"
        )

    def __str__(self) -> str:
        return "\n".join([self.badge, *self._lines()])

    def _lines(self) -> Iterator[str]:
        for one in PROPERTIES:
            finding = self.findings.get(one.name, Finding(State.NOT_ASKED))
            note = finding.note
            if finding.state is State.NOT_ASKED and not note:
                note = f"give {one.ask}"
            tail = f" ({note})" if note else ""
            yield f"  {one.level:7}{finding.state:15}{one.name:10} {one.promise}{tail}"


def _of(level: Level) -> Iterator[Property]:
    return (one for one in PROPERTIES if one.level is level)
