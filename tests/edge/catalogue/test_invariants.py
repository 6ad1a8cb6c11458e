"""What holds for every profile: of the imagined one each rule is broken, of ours none is."""

import pytest

from citytwin_edge.catalogue.golden import device_like
from citytwin_edge.catalogue.invariants import broken, check, identities
from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.device_tables import Owner
from tests.edge.catalogue.profiles import FRAMES, METER, owner, put, shelf

ALL = Shelf([OURS])


@pytest.mark.parametrize("name", ALL.names())
def test_a_profile_of_ours_keeps_every_rule_and_its_frames_are_decoded(name):
    assert check(ALL.profile(name), Owner("g", None, ALL)) == []


@pytest.mark.parametrize("name", ALL.names())
def test_a_device_of_ours_says_what_it_is(name):
    profile = ALL.profile(name)
    found = identities(profile, device_like(profile, Owner("g", None, ALL)))
    assert len(found) == len(profile.file.identify)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('unit = "kW.h"', 'unit = "kvar.h"', 'unit "kvar.h" does not measure active_energy_import'),
        ('name = "energy"', 'name = "energy"\nkind = "analog"', 'is of kind "counter", not "ana'),
        ("scale = 0.01", "scale = -0.01", "a counter counts up"),
        ('pace = "slow"', "writable = [0, 9]", "nobody sets a counter by command"),
        ("valid = [-100, 100]", "", "needs valid = [low, high]"),
        ("valid = [0, 300]", "valid = [-1, 300]", "valid reaches -1 V, and voltage is within"),
        ('ru = "Счётчик", ', "", "title needs kk, ru and en"),
        ("period_s = 2", 'name = "m"', "[device] name belongs to a gateway's file"),
        ("valid = [0, 300]", "valid = [0, 300]\nnormal = [1, 2]", "what an operator calls normal"),
        ('order = "CDAB"', 'order = "XY"', 'field "order": expected'),
        ("address = 100", "address = -100", "address"),
        ("failsafe = 0 }", "failsafe = 2 }", "failsafe 2 must lie within writable"),
        ("step = 1, ", "", "what can be commanded needs write = { step"),
        (", failsafe = 0 }", " }", "what is set when the hub is gone"),
        ("interval_s_min = 5, ", "", "what can be commanded needs write = { step"),
        ("write = { step = 1, interval_s_min = 5, failsafe = 0 }", "", "needs write = { step"),
    ],
)
def test_a_rule_that_is_broken_is_told_with_its_line(tmp_path, old, new, words):
    assert old in METER
    put(tmp_path, METER.replace(old, new, 1))
    wrong = check(shelf(tmp_path).profile("acme/m1"), owner(tmp_path))
    assert any(words in one for one in wrong), wrong
    assert all("m1." in one and ".toml" in one for one in wrong), wrong


def test_an_order_that_nobody_says_needs_a_caveat(tmp_path):
    caveat = METER[METER.index("[[caveat]]") : METER.index("[device]")]
    assumed = METER.replace('order = "manual"', 'order = "assumed"', 1)
    put(tmp_path, assumed.replace(caveat, ""))
    (wrong,) = check(shelf(tmp_path).profile("acme/m1"), owner(tmp_path))
    assert 'order = "assumed" needs a [[caveat]]' in wrong
    put(tmp_path, assumed)
    assert check(shelf(tmp_path).profile("acme/m1"), owner(tmp_path)) == []


def test_a_manual_that_was_read_says_on_which_page(tmp_path):
    without = METER.replace('pages = "4"\n', "", 1)
    assert without != METER
    put(tmp_path, without)
    (wrong,) = check(shelf(tmp_path).profile("acme/m1"), owner(tmp_path))
    assert 'registers = "manual" needs pages of a [[manual]], or page at the points' in wrong
    for said in (
        without.replace("address = 0", 'address = 0\npage = "5"', 1),
        without.replace('registers = "manual"', 'registers = "map"', 1),
    ):
        put(tmp_path, said)
        assert check(shelf(tmp_path).profile("acme/m1"), owner(tmp_path)) == []


def test_what_a_scan_is_told_must_be_something_that_it_is_told(tmp_path):
    told = METER.replace('table = "holding"\naddress = 100\n', 'said = "model"\n', 1)
    assert told != METER
    put(tmp_path, told)
    (wrong,) = check(shelf(tmp_path).profile("acme/m1"), owner(tmp_path))
    assert "a scan of modbus is told nothing" in wrong


def test_golden_values_obey_the_laws_of_their_nature(tmp_path):
    more = METER.replace('"relay"\nquantity = "relay"', '"power"\nquantity = "apparent_power"\n'
                         'phase = "L1"\nunit = "V.A"\nvalid = [0, 9999]', 1)  # fmt: skip
    more = more.replace("write = { step = 1, interval_s_min = 5, failsafe = 0 }", "")
    more = more.replace("writable = [0, 1]", "scale = 1000")
    put(tmp_path, more, FRAMES.replace("relay = 1", "power = 1000"))
    wrong = check(shelf(tmp_path).profile("acme/m1"), owner(tmp_path))
    assert len(wrong) == 1
    assert "S = U·I (L1): apparent_power is 1000, about -575.5 is expected" in wrong[0]


def test_laws_are_said_of_what_was_read(tmp_path):
    put(tmp_path)
    profile = shelf(tmp_path).profile("acme/m1")
    values = {"voltage-l1": (230.0, "V"), "current-l1": (5.0, "A"), "relay": ("on", "1")}
    assert list(broken(profile, values)) == []
