"""Templates: escapes, addresses, values and checksums; what cannot be sent is refused."""

import pytest

from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.templates import SENT_BYTES_MAX, Template

NMEA = Checksum("xor8", first=1, mark=b"*", in_text=True)


@pytest.mark.parametrize(
    ("template", "sent"),
    [
        (Template(r"#{address:02d}M?\r\n"), b"#07M?\r\n"),
        (Template("#{address}\r"), b"#7\r"),
        (Template(r"\x02\x00\t\0\\\{\}"), b"\x02\x00\t\0\\{}"),
        (Template("SP={value:+07.2f}"), b"SP=+012.50"),
        (Template("{value}"), b"12.5"),
        (Template("{value:d};{value:04X}"), b"12;000C"),
        (Template("{value:float32}"), b"\x41\x48\0\0"),
        (Template("{value:float32}", order="DCBA"), b"\0\0\x48\x41"),
        (Template("{value:uint8}{address:uint16}"), b"\x0c\0\x07"),
        (Template("{value:bcd16}"), b"\x00\x12"),
        (Template(r'\{"s": "{word}"\}'), b'{"s": "ON"}'),
        (Template("қ", encoding="utf-8"), "қ".encode()),
        (Template(r"$PASET,1*{checksum}\r\n", checksum=NMEA), b"$PASET,1*4E\r\n"),
        (Template(r"\x68\x01{checksum}\x16", checksum=Checksum("sum8")), b"\x68\x01\x69\x16"),
    ],
)
def test_what_is_sent(template, sent):
    assert template.render(address=7, value=12.5, word="ON") == sent


def test_a_whole_value_has_no_point_and_an_address_may_be_a_text():
    assert Template("{address}={value}").render(address="AB", value=3.0) == b"AB=3"
    assert Template("{address}").has("address")
    assert not Template("{address}").has("value")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"\q", r"\\q is not an escape"),
        ("\\", "is not an escape"),
        (r"\x4", "is not an escape"),
        ("{x}", r"'{x}' is not a place; known are {address}, {value}, {word} and {checksum}, and"),
        ("{", "a brace itself is written"),
        ("a}", "a brace itself is written"),
        ("{value.real}", "a brace itself"),
        ("{value:999d}", "has a format that is none"),
        ("{value:uint24}", "has a format that is none"),
        ("{word:5}", "takes no format"),
        ("{checksum}", "needs the device's checksum"),
        ("қ", "cannot be written in latin-1"),
    ],
)
def test_templates_that_are_none(text, words):
    with pytest.raises(ValueError, match=words):
        Template(text)


@pytest.mark.parametrize(
    ("text", "address", "value", "words"),
    [
        ("{value:uint8}", 1, 300.0, "outside 0 to 255"),
        ("{value:d}", 1, float("nan"), "cannot|NaN"),
        ("{address:02d}", "AB", 1.0, "cannot be written as '02d'"),
        ("{address:uint8}", "AB", 1.0, "is not a number"),
        ("{word}", 1, 0.5, r"none of the point's words is 0\.5"),
        ("x" * (SENT_BYTES_MAX + 1), 1, 1.0, "over 1024 bytes"),
    ],
)
def test_what_does_not_fit_is_not_sent(text, address, value, words):
    with pytest.raises(ValueError, match=words):
        Template(text).render(address=address, value=value)
