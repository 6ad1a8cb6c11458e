"""Findings: worst results and exit codes, rows in languages."""

import pytest

from citytwin_edge.console import sentences as say
from citytwin_edge.console.doctor.findings import EXIT_CODES, Finding, Result, worst


@pytest.mark.parametrize(
    ("results", "code"),
    [([], 0), (["ok"], 0), (["ok", "warning"], 1), (["failed", "ok", "warning"], 2)],
)
def test_the_worst_line_is_the_exit_code(results, code):
    findings = [Finding("x", Result(one), "") for one in results]
    assert EXIT_CODES[worst(findings)] == code


def test_a_row_in_a_language():
    finding = Finding("clock", Result.WARNING, say.CLOCK_FREE.said(time="t"), say.SET_CLOCK.said())
    assert finding.row() == {
        "check": "clock", "result": "warning", "found": "t UTC, but nothing holds it in step",
        "remedy": "let a time source hold it: sudo timedatectl set-ntp true",
    }  # fmt: skip
    assert finding.row("ru")["found"] == "t UTC, но с источником времени не сверяются"
