"""Golden frames: decoded as a device's answers are, and compared."""

import re
from collections import Counter

import pytest

from citytwin.errors import ConfigError
from citytwin_edge.catalogue.golden import cases, check, decoded, device_like, proof
from citytwin_edge.catalogue.shelf import OURS, Shelf
from tests.edge.catalogue.profiles import FRAMES, METER, owner, put, shelf

WORKED_OUT = 105
PARTLY = 14
"""So many of our profiles have no bytes, or not of every point, that somebody else has seen. These
only shrink: lower them when you have found real ones, in a manual, a capture or a test suite."""


def test_no_more_profiles_than_before_are_proven_by_bytes_of_our_own():
    ours = Shelf([OURS])
    counted = Counter(proof(ours.profile(name)) for name in ours.names())
    assert counted["none"] == 0
    assert (counted["worked out"], counted["partly real"]) == (WORKED_OUT, PARTLY)


@pytest.mark.parametrize(
    ("first", "second", "word"),
    [
        ("captured", "", "real"),
        ("worked out from the manual's types", "", "worked out"),
        ("worked out", "manual page 4", "partly real"),
    ],
)
def test_whose_bytes_they_are(tmp_path, first, second, word):
    frames = re.sub('source = ".*"', f'source = "{first}"', FRAMES, count=1)
    if second:
        frames += f"""[[case]]
source = "{second}"
exchange = [{{ request = "01 03 00 14 00 01 c4 0e", response = "01 03 02 00 01 79 84" }}]
values = {{ relay = 1 }}
"""
    put(tmp_path, METER, frames)
    assert proof(shelf(tmp_path).profile("acme/m1")) == word


def test_without_frames_there_is_no_proof(tmp_path):
    put(tmp_path)
    profile = shelf(tmp_path).profile("acme/m1")
    profile.frames.unlink()
    assert proof(profile) == "none"


def wrong(folder, profile=METER, frames=FRAMES):
    put(folder, profile, frames)
    return list(check(shelf(folder).profile("acme/m1"), owner(folder)))


def test_good_frames_prove_every_point(tmp_path):
    assert wrong(tmp_path) == []
    profile = shelf(tmp_path).profile("acme/m1")
    _, (case,) = cases(profile)
    found = decoded(
        device_like(profile, owner(tmp_path)), [one.exchange() for one in case.exchange]
    )
    assert found["voltage-l1"].value == pytest.approx(230.2)
    assert found["relay"].value == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('order = "CDAB"', 'order = "ABCD"', '"voltage-l1" is 4.1'),
        ("scale = 0.01", "scale = 0.1", '"energy" is 12345.6; it should be 1234.56'),
        ("address = 2", "address = 3", 'the frames say nothing of "current-l1"'),
        ('type = "uint32"', 'type = "int16"', '"energy" is -76.16'),
    ],
)
def test_a_profile_that_reads_wrongly_is_found_out(tmp_path, old, new, words):
    assert any(words in one for one in wrong(tmp_path, METER.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("33 33 43 66", "33 34 43 66", "m1.frames.toml:1: "),
        ("c4 0e", "c4 0f", "neither checksum of Modbus RTU nor header of Modbus TCP"),
        ("01 03 02 00 01 79 84", "01 83 02 c0 f1", "exception 2: illegal data address"),
        (", relay = 1", "", 'the frames say "relay" = 1, the case does not; add it'),
        ("energy = 1234.56", "energy = 1234.57", '"energy" is 1234.56; it should be 1234.57'),
        ("values = {", 'bad = { energy = "silent" }\nvalues = {', "it should be bad: silent"),
    ],
)
def test_frames_that_say_something_else_are_told(tmp_path, old, new, words):
    assert old in FRAMES
    assert any(words in one for one in wrong(tmp_path, frames=FRAMES.replace(old, new, 1)))


def test_every_point_needs_a_case(tmp_path):
    lines = [line for line in FRAMES.splitlines() if "03 00 14" not in line]
    few = "\n".join(lines).replace(", relay = 1", "")
    assert wrong(tmp_path, frames=few) == [
        f"{tmp_path}/profiles/acme/m1.frames.toml: no case has a value of relay"
    ]


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (None, "there are no golden frames beside it; m1.frames.toml must show"),
        ("", 'field "case" is missing'),
        (FRAMES.replace("01 04 00", "0x 04 00", 1), "hexadecimal"),
        (FRAMES.replace('response = "01 03 02', 'answer = "01 03 02', 1), "answer"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, frames, words):
    with pytest.raises(ConfigError, match=words):
        wrong(tmp_path, frames=frames)
