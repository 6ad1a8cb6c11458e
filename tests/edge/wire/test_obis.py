"""OBIS codes: every spelling that meters have, what matches what, and what is ambiguous."""

import pytest

from citytwin_edge.wire.obis import Ambiguous, Code, choose, name_of


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1-0:1.8.0*255", (1, 0, 1, 8, 0, 255)),
        ("1.8.0", (None, None, 1, 8, 0, 255)),
        ("32.7", (None, None, 32, 7, 0, 255)),
        ("1.8.1*19", (None, None, 1, 8, 1, 19)),
        ("1.8.1&02", (None, None, 1, 8, 1, 2)),
        ("C.1.0", (None, None, 96, 1, 0, 255)),
        ("F.F", (None, None, 97, 97, 0, 255)),
        ("0-0:C.90.2*255", (0, 0, 96, 90, 2, 255)),
        ("0:1.8.0", (None, 0, 1, 8, 0, 255)),
        ("1.0.1.8.0.255", (1, 0, 1, 8, 0, 255)),
    ],
)
def test_every_spelling(text, code):
    assert Code.parse(text) == Code(*code)
    assert Code.parse(str(Code.parse(text))) == Code.parse(text)


@pytest.mark.parametrize("text", ["", "1", "VOLTA", "1.8.0.0.0", "1-0:1.8.256", "x.8.0", "FF"])
def test_what_is_none(text):
    with pytest.raises(ValueError, match="OBIS code"):
        Code.parse(text)
    assert name_of(text) == text


def test_a_short_code_means_the_one_that_there_is():
    names = [name_of(one) for one in ("1-0:1.8.0", "1-0:1.8.0*1", "0-1:24.2.1", "0-2:24.2.1", "FF")]
    assert choose(name_of("1.8.0"), names) == names[0]
    assert choose(name_of("1.8.0*1"), names) == names[1]
    assert choose(name_of("0-2:24.2.1"), names) == names[3]
    assert choose(name_of("2.8.0"), names) is None
    assert choose("FF", names) == "FF"
    assert choose("VOLTA", names) is None
    with pytest.raises(Ambiguous, match=r"0-1:24\.2\.1 and 0-2:24\.2\.1"):
        choose(name_of("24.2.1"), names)
