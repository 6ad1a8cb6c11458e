"""Collation: texts in the order of a dictionary instead of that of their code points.

ETSI GS CIM 009, clause 4.23.3 (an RFC 6067 tag). In the manner of the Unicode Collation Algorithm
(UTS #10): letters first, then accents, then capitals; the Kazakh letters stand beside the Russian
ones that they resemble, and for ``kk`` as in the Kazakh alphabet.

>>> sorted(["b", "á", "A"], key=Collation("und").key)
['A', 'á', 'b']
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Final

from citytwin_hub.entities.errors import BadRequestData

_TAG: Final = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*", re.ASCII)
_KAZAKH: Final = "аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя"
_CYRILLIC: Final = "аәбвгғдеёжзиіїйкқлмнңоөпрстуўұүфхһцчшщъыьэюя"
_BASE: Final = ord("а")

Key = tuple[tuple[float, ...], tuple[str, ...], str]


def _ranks(alphabet: str) -> dict[str, float]:
    # Between the other letters of the Cyrillic block, which Unicode has in order.
    return {letter: _BASE + at / 100 for at, letter in enumerate(alphabet)}


class Collation:
    """An order of texts."""

    def __init__(self, tag: str) -> None:
        """Take a language tag; ``und`` is the order without a language.

        Raises:
            BadRequestData: it is not a language tag.
        """
        if len(tag) > 100 or _TAG.fullmatch(tag) is None:
            raise BadRequestData(f"collation {tag[:100]!r} is not a language tag such as kk or und")
        language = re.split("[-_]", tag.lower())[0]
        self.tag = tag
        self._ranks = _ranks(_KAZAKH if language == "kk" else _CYRILLIC)

    def key(self, text: str) -> Key:
        """Return what a text is sorted by."""
        letters: list[float] = []
        accents: list[str] = []
        for character in unicodedata.normalize("NFC", text):
            lower = character.lower()
            rank = self._ranks.get(lower)
            base, marks = _parts(lower)
            if rank is not None:
                letters.append(rank)
                accents.append("")
                continue
            letters.extend(map(ord, base))
            accents.append(marks)
        return tuple(letters), tuple(accents), text.swapcase()


@functools.lru_cache(maxsize=4096)
def _parts(character: str) -> tuple[str, str]:
    """Return a character without its marks, and the marks."""
    parts = unicodedata.normalize("NFKD", character)
    base = "".join(part for part in parts if not unicodedata.combining(part))
    return base, "".join(part for part in parts if unicodedata.combining(part))
