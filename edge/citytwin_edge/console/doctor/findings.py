"""Findings: one line of the doctor each: what was looked at, how it is, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, NamedTuple

from citytwin.reasons import Language
from citytwin_edge.console.sentences import translated


class Result(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    """It works, but will not for ever, or not as well as it could."""
    FAILED = "failed"


EXIT_CODES: Final = {Result.OK: 0, Result.WARNING: 1, Result.FAILED: 2}


class Finding(NamedTuple):
    """One line: ``check`` names what was looked at, ``remedy`` says what to do, empty when nothing.

    ``found`` and ``remedy`` are sentences of citytwin_edge.console.sentences, in English.
    """

    check: str
    result: Result
    found: str
    remedy: str = ""

    def row(self, language: Language = "en") -> dict[str, Any]:
        """Return it as a row of a table, its sentences in a language."""
        return {
            "check": self.check,
            "result": self.result.value,
            "found": translated(self.found, language),
            "remedy": translated(self.remedy, language),
        }


def worst(findings: Iterable[Finding]) -> Result:
    """Return the worst result; OK when there is none."""
    return max((one.result for one in findings), key=lambda one: EXIT_CODES[one], default=Result.OK)
