"""Uris: what may identify an entity, a dataset or what a relationship leads to.

NGSI-LD says URI; letters of every script are taken too, as in an IRI (RFC 3987). What cannot be
seen is not: white space, controls, marks of direction, fillers and variation selectors would give
two things names that look the same.

>>> is_uri("urn:ngsi-ld:Pump:1"), is_uri("urn:ngsi-ld:Көше:Абай"), is_uri("Pump 1")
(True, True, False)
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

CHARACTERS_MAX: Final = 2048
"""Of a URI: longer ones do not pass through common proxies."""

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:.")
_ASCII_REFUSED: Final = frozenset('<>"{}|\\^` ')
_CATEGORIES: Final = frozenset("LNMPS")
# Letters, marks and symbols that show nothing: default-ignorable code points and blanks.
_BLANK: Final = (
    frozenset({0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0xFFFC, 0xFFFD})
    | frozenset(range(0x180B, 0x1810))
    | frozenset(range(0xFE00, 0xFE10))
    | frozenset(range(0xE0000, 0xE1000))
)


def is_uri(text: str) -> bool:
    """Return whether a text is an absolute URI or IRI of characters that can be seen."""
    if len(text) > CHARACTERS_MAX:
        return False
    if _PLAIN.fullmatch(text):
        return True
    return _SCHEME.match(text) is not None and all(
        _seen(character) if character > "\x7f" else _allowed(character) for character in text
    )


def _allowed(character: str) -> bool:
    return " " < character < "\x7f" and character not in _ASCII_REFUSED


def _seen(character: str) -> bool:
    return ord(character) not in _BLANK and unicodedata.category(character)[0] in _CATEGORIES
