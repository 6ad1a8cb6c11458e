"""M-Bus frames: the link layer of the wired bus: short, control and long frames, acknowledgement.

>>> request_data(5, count=True).hex(" ")
'10 7b 05 80 16'
>>> Answer().feed(bytes.fromhex("00 68 04 04 68 08 01 70 08 81 16"))
Frame(control=8, address=1, ci=112, data=b'\\x08')

Source: EN 13757-2:2018, 5 (format class FT 1.2 of IEC 60870-5-1).
"""

from __future__ import annotations

from typing import Final, NamedTuple

ACK: Final = 0xE5
_START, _START_SHORT, _STOP = 0x68, 0x10, 0x16
SND_NKE: Final = 0x40
SND_UD: Final = 0x53
REQ_UD2: Final = 0x5B
FCB: Final = 0x20
"""Of what is asked: it changes with each request that is a new one."""
RSP_UD: Final = 0x08
_RSP_FLAGS: Final = 0x30
"""Of an answer: a wish for access (ACD), and no room (DFC)."""
SELECTED: Final = 0xFD
"""The address of the meter that was selected by its secondary address."""
PRIMARY_MAX: Final = 250
NOBODY_KNOWN: Final = 0xFE
"""Whoever is there answers: for a line with one meter."""
CI_SELECT: Final = 0x52
CI_RESET: Final = 0x50
ANSWER_BYTES_MAX: Final = 4096
"""Of what comes instead of an answer, so much is kept."""
FRAME_BYTES_MAX: Final = 261


class Frame(NamedTuple):
    """A frame.

    Attributes:
        control, address: C and A fields.
        ci: what the data is; -1 in a short frame.
        data: behind the CI field.
    """

    control: int
    address: int
    ci: int = -1
    data: bytes = b""

    @property
    def is_answer(self) -> bool:
        """Whether a meter sent it as the answer to a request for data (RSP_UD)."""
        return self.control & ~_RSP_FLAGS == RSP_UD


def short_frame(control: int, address: int) -> bytes:
    """Return a short frame."""
    return bytes([_START_SHORT, control, address, control + address & 0xFF, _STOP])


def long_frame(control: int, address: int, ci: int, data: bytes = b"") -> bytes:
    """Return a long frame (without data: a control frame).

    Raises:
        ValueError: there are over 252 bytes of data.
    """
    body = bytes([control, address, ci]) + data
    if len(body) > 255:
        raise ValueError(f"a frame has at most 252 bytes of data, not {len(data)}")
    head = bytes([_START, len(body), len(body), _START])
    return head + body + bytes([sum(body) & 0xFF, _STOP])


def initialise(address: int) -> bytes:
    """Return SND_NKE: begin anew; to SELECTED: let go of who was selected."""
    return short_frame(SND_NKE, address)


def request_data(address: int, *, count: bool) -> bytes:
    """Return REQ_UD2: send your data; ``count`` is the frame count bit."""
    return short_frame(REQ_UD2 | (FCB if count else 0), address)


def select(
    identification: str, manufacturer: int = 0xFFFF, version: int = 0xFF, medium: int = 0xFF,
    fabrication: str = "",
) -> bytes:  # fmt: skip
    """Return the frame by which a meter, or all that fit, feel addressed as SELECTED.

    Args:
        identification: 8 digits, F stands for any (EN 13757-3, 9.2).
        manufacturer: number of its three letters; version, medium: all ones stand for any.
        fabrication: 8 digits of a fabrication number, F for any; empty: not asked about.
    """
    data = bytes.fromhex(identification)[::-1] + manufacturer.to_bytes(2, "little")
    data += bytes([version, medium])
    if fabrication:
        data += b"\x0c\x78" + bytes.fromhex(fabrication)[::-1]
    return long_frame(SND_UD, SELECTED, CI_SELECT, data)


def reset(address: int, subcode: int) -> bytes:
    """Return an application reset (EN 13757-3, 7.1)."""
    return long_frame(SND_UD, address, CI_RESET, bytes([subcode]))


class Answer:
    """Finds an acknowledgement or a frame in what comes after a request, with noise around it."""

    def __init__(self, *, acknowledgement: bool = False) -> None:
        """Begin; ``acknowledgement``: E5 is what is awaited."""
        self.raw = b""
        self.broken = ""
        self._acknowledgement = acknowledgement

    def feed(self, data: bytes) -> Frame | None:
        """Take bytes; return the answer once it is whole: for E5 a frame of control ACK."""
        self.raw = (self.raw + data)[-ANSWER_BYTES_MAX:]
        if self._acknowledgement:
            if ACK in self.raw:
                return Frame(ACK, 0)
            self.broken = "it is no acknowledgement"
            return None
        at = self.raw.find(_START)
        while at >= 0:
            frame, size = _frame(self.raw, at)
            if frame is not None:
                return frame
            if not size:
                return None  # it may become one
            at = self.raw.find(_START, at + 1)
        self.broken = self.broken or "no frame begins in it"
        return None

    @property
    def is_noise(self) -> bool:
        """Whether something came, but nothing that was an answer: two spoke at a time, perhaps."""
        return bool(self.raw)

    def why(self) -> str:
        """Return what is wrong with what came."""
        at = self.raw.find(_START)
        if self._acknowledgement or at < 0:
            return self.broken
        return _why(self.raw, at)


def _frame(raw: bytes, at: int) -> tuple[Frame | None, int]:
    """Return the frame at a place; else None and 1 if there is none, or 0 if it is not whole."""
    rest = raw[at:]
    if len(rest) < 4:
        return None, 0
    size = rest[1]
    if rest[2] != size or rest[3] != _START or size < 3:
        return None, 1
    if len(rest) < size + 6:
        return None, 0
    body, check, stop = rest[4 : 4 + size], rest[4 + size], rest[5 + size]
    if sum(body) & 0xFF != check or stop != _STOP:
        return None, 1
    return Frame(body[0], body[1], body[2], body[3:]), size + 6


def _why(raw: bytes, at: int) -> str:
    rest = raw[at:]
    if len(rest) < 4 or rest[1] != rest[2] or rest[3] != _START:
        return "its beginning is none of a frame"
    if len(rest) < rest[1] + 6:
        return f"it ends after {len(rest)} of {rest[1] + 6} bytes"
    return "its checksum is wrong"


def read_frame(raw: bytes) -> Frame | None:
    """Return the frame that bytes are: a long one, a short one or an acknowledgement; else None."""
    if raw == bytes([ACK]):
        return Frame(ACK, 0)
    if len(raw) == 5 and raw[0] == _START_SHORT and raw == short_frame(raw[1], raw[2]):
        return Frame(raw[1], raw[2])
    if not raw or raw[0] != _START:
        return None
    frame, size = _frame(raw, 0)
    return frame if size == len(raw) else None
