"""Encodings: which one a text file of this region is in, found by reading it once.

UTF-8 is sure where it fits. Else it is one of the two Cyrillic code pages that are common here:
KZ-1048 where a byte stands for a letter of Kazakh that Windows-1251 has as one of Serbian or
Ukrainian, Windows-1251 where none does. What was found is in the report, for it can be wrong.

>>> guessed([("Алматы".encode("cp1251"))])
'cp1251'
>>> guessed([("Қазақстан".encode("kz1048"))])
'kz1048'
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from citytwin_hub.importers.frame import SourceError

PART_BYTES: Final = 2**20
_KAZAKH: Final = frozenset(
    byte
    for letter in "ҚқҺһҰұӘәҒғҮүӨөҢң"
    for byte in letter.encode("kz1048")
    if bytes([byte]).decode("cp1251", "replace").lower() not in "абвгдежзийклмнопрстуфхцчшщъыьэюяё"
)
_LETTERS_MIN: Final = 0xC0
"""From here on both pages have the letters of Russian."""


def of_file(path: Path) -> str:
    """Return the encoding of a text file, as Python calls it.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return guessed(iter(lambda: file.read(PART_BYTES), b""))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None


def guessed(parts: Iterable[bytes]) -> str:
    """Return the encoding of a text that comes in parts."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    first, is_utf8, kazakh = b"", True, False
    for part in parts:
        first = first or part[:4]
        if is_utf8:
            try:
                decoder.decode(part)
            except UnicodeDecodeError:
                is_utf8 = False
        kazakh = kazakh or _has_kazakh(part)
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if is_utf8:
        return "utf-8-sig" if first.startswith(codecs.BOM_UTF8) else "utf-8"
    return "kz1048" if kazakh else "cp1251"


def _has_kazakh(part: bytes) -> bool:
    """Tell whether a byte that is a letter in Kazakh only stands beside a letter of Russian."""
    letters: Iterator[bool] = (
        one in _KAZAKH and (left >= _LETTERS_MIN or right >= _LETTERS_MIN)
        for left, one, right in zip(b"\0" + part, part, part[1:] + b"\0", strict=False)
    )
    return any(letters)


def told(encoding: str) -> str:
    """Return what the report says of an encoding that is not UTF-8; empty where it is."""
    if encoding.startswith("utf-"):
        return ""
    return (
        f"the file is not UTF-8; it was read as {encoding}. If letters look wrong, say "
        f'encoding = "…" in the mapping file or save the file as UTF-8'
    )
