"""OBIS codes: the names that meters give to their values, long or short.

>>> wanted = Code.parse("1.8.0")
>>> [wanted.matches(Code.parse(text)) for text in ("1-0:1.8.0*255", "1.8.0*19", "2.8.0")]
[True, False, False]
>>> str(Code.of(bytes.fromhex("0100010800ff"))), str(Code.parse("C.1"))
('1-0:1.8.0', '96.1.0')
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

CURRENT: Final = 255
"""Value group F of what is now, rather than of a billing period that has ended."""
_LETTERS: Final = {"C": 96, "F": 97, "L": 98, "P": 99}
"""Letters in short codes (IEC 62056-61, 5.3: general service, error, list and profile objects)."""
_FORM: Final = re.compile(
    r"(?:(\d{1,3})-)?(?:(\d{1,3}):)?(\d{1,3}|[CFLP])\.(\d{1,3}|[CFLP])"
    r"(?:\.(\d{1,3}|[CFLP]))?(?:[*&.](\d{1,3}))?"
)
_DOTTED: Final = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})")


class Code(NamedTuple):
    """A code A-B:C.D.E*F (IEC 62056-61); medium and channel may be left out.

    Attributes:
        a, b: medium and channel; None where a short code leaves them out.
        c, d, e: quantity, kind of processing, tariff; a missing E is 0.
        f: billing period, CURRENT where none is named.
    """

    a: int | None
    b: int | None
    c: int
    d: int
    e: int = 0
    f: int = CURRENT

    @classmethod
    def parse(cls, text: str) -> Code:
        """Return the code that a text is, such as 1-0:1.8.0*255, 1.8.0, C.1.0 or 1.0.1.8.0.255.

        Raises:
            ValueError: it is none.
        """
        text = text.strip()
        found = _DOTTED.fullmatch(text) or _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"{text[:40]!r} is not an OBIS code such as 1-0:1.8.0 or 1.8.0")
        a, b, c, d, e, f = (
            None if one is None else _LETTERS.get(one) or int(one) for one in found.groups()
        )
        code = cls(a, b, c or 0, d or 0, e or 0, CURRENT if f is None else f)
        if any(part is not None and part > 255 for part in code):
            raise ValueError(f"{text[:40]!r}: each part of an OBIS code is 0 to 255")
        return code

    @classmethod
    def of(cls, octets: bytes) -> Code:
        """Return the code that six bytes are (DLMS)."""
        return cls(*octets)

    def matches(self, other: Code) -> bool:
        """Tell whether both may mean the same: what one leaves out is not compared."""
        return self[2:] == other[2:] and all(
            mine is None or its is None or mine == its
            for mine, its in zip(self[:2], other[:2], strict=True)
        )

    def __str__(self) -> str:
        medium = "" if self.a is None else f"{self.a}-"
        channel = "" if self.b is None else f"{self.b}:"
        period = "" if self.f == CURRENT else f"*{self.f}"
        return f"{medium}{channel}{self.c}.{self.d}.{self.e}{period}"


Name = Code | str
"""What a value is called: a code, or in some meters a word such as VOLTA."""


def name_of(text: str) -> Name:
    """Return the name that a text is."""
    try:
        return Code.parse(text)
    except ValueError:
        return text.strip()


class Ambiguous(ValueError):
    """A short code fits several values."""


def choose(wanted: Name, names: Iterable[Name]) -> Name | None:
    """Return the one name that is meant; None where there is none.

    Raises:
        Ambiguous: there are several.
    """
    if isinstance(wanted, str):
        return wanted if wanted in names else None
    found = {one for one in names if not isinstance(one, str) and wanted.matches(one)}
    if wanted in found or not found:
        return wanted if found else None
    if len(found) > 1:
        those = " and ".join(sorted(map(str, found)))
        raise Ambiguous(f"{wanted} can be {those}; write the one that is meant, whole")
    return found.pop()
