"""Uris: what can be seen may identify, what cannot may not."""

from __future__ import annotations

import pytest

from citytwin_hub.entities.uris import CHARACTERS_MAX, is_uri


@pytest.mark.parametrize(
    "text",
    [
        "urn:ngsi-ld:Pump:1",
        "https://example.org/a?b=c&d=(e)#f",
        "http://[::1]:80/",
        "urn:ngsi-ld:Ciudad:París",
        "urn:ngsi-ld:Көше:Абай-даңғылы",
        "urn:ngsi-ld:मार्ग:1",
        "mailto:a@example.org",
        "a:b",
    ],
)
def test_a_uri(text: str) -> None:
    assert is_uri(text)


@pytest.mark.parametrize("text", ["", "Pump", "Pump 1", ":a", "urn:", "1a:b", "юрн:a", "urn: a"])
def test_no_uri(text: str) -> None:
    assert not is_uri(text)


@pytest.mark.parametrize("character", list(' <>"{}|\\^`\t\n\x00\x7f'))
def test_characters_of_ascii_that_no_uri_has(character: str) -> None:
    assert not is_uri(f"urn:a{character}b")
    assert not is_uri(f"urn:é{character}b")


@pytest.mark.parametrize(
    "codepoint",
    [
        0x202E,
        0x200B,
        0xFEFF,
        0x2028,
        0xA0,
        0xFE0F,
        0xE0100,
        0xFDD0,
        0xFFFE,
        0x115F,
        0x3164,
        0xFFA0,
        0x2800,
        0x034F,
        0x180B,
        0xE000,
        0xD800,
        0x10FFFF,
    ],
)
def test_characters_that_cannot_be_seen(codepoint: int) -> None:
    assert not is_uri(f"urn:a{chr(codepoint)}b")


def test_the_length_has_a_limit() -> None:
    assert is_uri("urn:" + "a" * (CHARACTERS_MAX - 4))
    assert not is_uri("urn:" + "a" * (CHARACTERS_MAX - 3))
