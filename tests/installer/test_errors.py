"""Errors say one thing to people and another to scripts."""

from __future__ import annotations

from installer.errors import FAILED, SAMPLES_WAIT, USAGE, WENT_BACK, InstallError


def test_people_get_the_text_and_scripts_the_code() -> None:
    assert str(InstallError("the disk is full")) == "the disk is full"
    assert InstallError("the disk is full").code == FAILED
    assert InstallError("7 samples wait", SAMPLES_WAIT).code == SAMPLES_WAIT


def test_no_two_outcomes_have_one_code() -> None:
    assert len({0, FAILED, USAGE, SAMPLES_WAIT, WENT_BACK}) == 5
