"""Plant options: as they stand in both command lines, and what is refused before a fit."""

import argparse
from pathlib import Path

import pytest

from citytwin.errors import CityTwinError, IdentityError
from citytwin.plant_options import add_to, check


def asked(*words):
    parser = argparse.ArgumentParser()
    add_to(parser)
    return parser.parse_args(words)


def test_what_is_left_out_and_what_is_said():
    left_out = asked()
    assert vars(left_out) == {"name": "plant", "step": None, "without": [], "output": None}
    said = asked("--without", "a/*", "--without", "b/x", "--step", "60", "-o", "k.toml")
    assert (said.without, said.step, said.output) == (["a/*", "b/x"], 60, Path("k.toml"))


def test_what_would_fail_after_a_long_fit_is_refused_before(tmp_path):
    check(asked("--output", str(tmp_path / "new.toml")))
    with pytest.raises(CityTwinError, match="is there already: give another name"):
        check(asked("--output", str(tmp_path)))
    with pytest.raises(IdentityError, match="--name"):
        check(asked("--name", "a b"))
