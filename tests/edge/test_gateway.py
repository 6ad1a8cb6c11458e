"""What a configuration comes to: addresses and durations; devices are tested with the file."""

import pytest

from citytwin_edge.gateway import join_address, nanoseconds, split_address


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hub.example", ("hub.example", 7443)),
        ("hub.example:1", ("hub.example", 1)),
        ("10.0.0.7:65535", ("10.0.0.7", 65535)),
        ("[::1]", ("::1", 7443)),
        ("[fe80::1]:8", ("fe80::1", 8)),
    ],
)
def test_addresses(text, parts):
    assert split_address(text, 7443) == parts
    assert split_address(join_address(*parts), 7443) == parts


@pytest.mark.parametrize(
    "text",
    ["", ":", ":7443", "hub:", "hub:x", "hub:65536", "hub:-1", "hub:٣", "a/b", "https://hub:1",
     "::1", "[::1", " hub", "hub :1", "[]:1"],
)  # fmt: skip
def test_what_is_no_address(text):
    with pytest.raises(ValueError, match=r"write host or host:port|stands in brackets"):
        split_address(text, 7443)


def test_durations():
    assert nanoseconds(0.1) == 100_000_000
    assert nanoseconds(1.1) == 1_100_000_000
