"""At which speeds a scan looks: what devices of the shelf are delivered with, bounded."""

from types import SimpleNamespace
from typing import Any

from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.commissioning.speeds import LINES_MAX, quick, wide

SHELF = Shelf([OURS])


class Crowd:
    """Devices of a hundred speeds."""

    def names(self):
        return [str(number) for number in range(100)]

    def profile(self, name):
        fields = {"baud": 1200 + int(name), "parity": "odd"}
        return SimpleNamespace(adapter="modbus", file=SimpleNamespace(device=fields))


def test_the_quick_pass_is_how_nearly_every_line_is_set():
    assert quick() == [(9600, "none"), (9600, "even"), (19200, "none"), (19200, "even")]


def test_the_wide_pass_has_every_speed_of_the_shelf_and_nothing_twice():
    lines = wide(SHELF, "modbus")
    assert not set(lines) & set(quick())
    assert len(lines) == len(set(lines)) <= LINES_MAX
    assert {(2400, "none"), (2400, "even"), (115_200, "none"), (115_200, "even")} <= set(lines)
    for name in SHELF.names():
        profile = SHELF.profile(name)
        if profile.adapter == "modbus" and "baud" in profile.file.device:
            line = (profile.file.device["baud"], profile.file.device.get("parity", "none"))
            assert line in [*quick(), *lines], name


def test_a_parity_that_was_asked_for_is_the_only_one():
    assert {parity for _, parity in wide(SHELF, "modbus", ["odd"])} == {"odd"}


def test_a_wide_pass_is_bounded():
    crowd: Any = Crowd()
    assert len(wide(crowd, "modbus")) == LINES_MAX
