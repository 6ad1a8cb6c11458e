r"""Templates: what is sent to a device, with places for address, value, its word, and checksum.

>>> Template(r"#{address:02d}M?\r").render(address=7)
b'#07M?\r'
>>> Template(r"\x10{address:uint8}{checksum}\x16", checksum=Checksum("sum8", first=1)).render(
...     address=5
... ).hex(" ")
'10 05 05 16'
"""

from __future__ import annotations

import re
from typing import Final

from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.fields import FRAME_TYPES, Field, Table
from citytwin_edge.wire.registers import encode

SENT_BYTES_MAX: Final = 1024
_PIECE: Final = re.compile(
    r"\\x(?P<hex>[0-9A-Fa-f]{2})|\\(?P<escape>.?)|\{(?P<name>\w*)(?::(?P<spec>[^{}]*))?\}"
    r"|(?P<brace>[{}])",
    re.DOTALL,
)
_ESCAPES: Final = {
    "r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", "{": b"{", "}": b"}",
}  # fmt: skip
_SPEC: Final = re.compile(r"[<>=^+\- 0#]*[0-9]{0,2}(?:\.[0-9]{1,2})?[bcdeEfFgGosxX%]?")
_WHOLE: Final = "bcdoxX"
NAMES: Final = ("address", "value", "word", "checksum")

Piece = bytes | tuple[str, str]


class Template:
    """A text compiled into pieces: bytes, and (name, spec) of what is put in their place.

    A spec is Python's (``02d``, ``+.1f``), or a number type of :mod:`citytwin_edge.wire.fields`
    (``uint16``), which gives bytes.
    """

    def __init__(
        self,
        text: str,
        *,
        encoding: str = "latin-1",
        order: str = "ABCD",
        checksum: Checksum | None = None,
    ) -> None:
        r"""Compile.

        Args:
            text: with \r, \n, \t, \0, \\, \{, \} and \xHH for single bytes.
            encoding: of its letters.
            order: byte order of numbers in bytes.
            checksum: what ``{checksum}`` stands for.

        Raises:
            ValueError: it is no template; the text says why.
        """
        self.text = text
        self._encoding, self._order, self._checksum = encoding, order, checksum
        self._pieces: list[Piece] = []
        place = 0
        for found in _PIECE.finditer(text):
            self._pieces.append(self._letters(text[place : found.start()]))
            self._pieces.append(self._piece(found))
            place = found.end()
        self._pieces.append(self._letters(text[place:]))

    def _letters(self, text: str) -> bytes:
        try:
            return text.encode(self._encoding)
        except UnicodeEncodeError:
            raise ValueError(f"{text!r} cannot be written in {self._encoding}") from None

    def _piece(self, found: re.Match[str]) -> Piece:
        if found["hex"]:
            return bytes.fromhex(found["hex"])
        if found["escape"] is not None:
            if found["escape"] not in _ESCAPES:
                raise ValueError(
                    f"\\{found['escape']} is not an escape; known are \\r \\n \\t \\0 \\\\ \\{{ "
                    "\\} and \\xHH"
                )
            return _ESCAPES[found["escape"]]
        name, spec = found["name"], found["spec"] or ""
        if name not in NAMES:
            raise ValueError(
                f"{found[0]!r} is not a place; known are {{address}}, {{value}}, {{word}} and "
                "{checksum}, and a brace itself is written \\{"
            )
        if name == "checksum" and (spec or self._checksum is None):
            raise ValueError("{checksum} needs the device's checksum, and takes no format")
        if name == "word" and spec:
            raise ValueError("{word} takes no format")
        if spec not in FRAME_TYPES and not _SPEC.fullmatch(spec):
            raise ValueError(f"{found[0]!r} has a format that is none; write {{{name}:02d}}")
        return name, spec

    def has(self, name: str) -> bool:
        """Tell whether there is a place of that name."""
        return any(not isinstance(one, bytes) and one[0] == name for one in self._pieces)

    def render(
        self, *, address: int | str = "", value: float = 0.0, word: str | None = None
    ) -> bytes:
        """Return the bytes to send.

        Args:
            address: of the device.
            value: to be set.
            word: what the device calls the value; None: it has no word for it.

        Raises:
            ValueError: the value or address does not fit its place, or no word is the value.
        """
        data = b""
        for piece in self._pieces:
            if isinstance(piece, bytes):
                data += piece
            elif piece[0] == "checksum":
                assert self._checksum is not None, "seen to when it was compiled"
                data += self._checksum.after(data)
            elif piece[0] == "word":
                if word is None:
                    raise ValueError(f"none of the point's words is {value:g}")
                data += self._letters(word)
            else:
                data += self._put(address if piece[0] == "address" else value, piece[1])
        if len(data) > SENT_BYTES_MAX:
            raise ValueError(f"{self.text[:40]!r} becomes over {SENT_BYTES_MAX} bytes")
        return data

    def _put(self, seen: float | str, spec: str) -> bytes:
        if spec in FRAME_TYPES:
            if isinstance(seen, str):
                raise ValueError(f"{seen!r} is not a number, so it cannot be sent as {spec}")
            return encode(Field(Table.FRAME, 0, spec, order=self._order), float(seen))
        if isinstance(seen, float) and (spec[-1:] in _WHOLE or not spec):
            seen = round(seen) if spec or seen.is_integer() else seen
        try:
            return self._letters(format(seen, spec))
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{seen!r} cannot be written as {spec!r}: {error}") from None
