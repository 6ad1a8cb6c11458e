"""Profiles: what is said of a bad one."""

import pytest

from citytwin.errors import ConfigError
from citytwin_edge.catalogue.profile import load
from tests.edge.catalogue.profiles import METER, put


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('nature = "electricity"', 'nature = "magic"', 5, 'there is no nature "magic"; there are'),
        ('quantity = "relay"', 'quantity = "flux"', 64, 'has no quantity "flux"; it has '),
        ('name = "relay"', 'name = "energy"', 63, '"energy" is the name on line 53 already'),
        ('registers = "manual"', 'registers = "guess"', 9, 'expected one of "device"'),
        ('url = "https:', 'url = "ftp:', 14, "url is a public link"),
        ('link = "https:', 'link = "file:', 19, "link is a public link"),
        ('link = "https://acme.example/faq"', "", 17, 'field "link" is missing'),
        ("equals = [7001]", "", 27, "needs equals, in or matches"),
        ('type = "ACMeasurement"', "", 1, 'field "type" is missing'),
    ],
)
def test_mistakes_of_a_profile_name_its_line(tmp_path, old, new, line, words):
    assert old in METER
    path = put(tmp_path, METER.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load(path, "acme/m1")
    assert f"m1.toml:{line}: " in str(caught.value)
    assert words in str(caught.value)
