"""Tagged bytes: values one after the other, each behind a tag that says what it is.

Many LoRaWAN sensors write so (channel and type, then the value). Which tags there are and how long
each one's value is are data; an example is a thermometer's battery and temperature:

>>> tags = Tags({"01 75": 1, "03 67": 2})
>>> tags.find(bytes.fromhex("01 75 5C 03 67 34 01"), bytes.fromhex("03 67")).hex(" ")
'34 01'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.payload import Absent

TAGS_MAX: Final = 256
LENGTH_MAX: Final = 255


class Tags:
    """The tags of a device, and how many bytes are behind each."""

    def __init__(self, lengths: Mapping[str, int], end: int = 0) -> None:
        """Compile.

        Args:
            lengths: bytes of the value by tag, in hexadecimal digits; all tags are of one length.
            end: bytes at the end that are no value, such as a checksum.

        Raises:
            ValueError: they are no tags, or not of one length.
        """
        try:
            self._lengths = {bytes.fromhex(tag): length for tag, length in lengths.items()}
        except ValueError:
            raise ValueError("a tag is written in hexadecimal digits: 03 67") from None
        sizes = {len(tag) for tag in self._lengths}
        if len(sizes) != 1 or 0 in sizes:
            raise ValueError("tags have at least one byte, and all the same number of them")
        if len(self._lengths) > TAGS_MAX:
            raise ValueError(f"there are at most {TAGS_MAX} tags")
        (self._size,), self._end = sizes, end

    def has(self, tag: bytes) -> bool:
        """Tell whether there is such a tag."""
        return tag in self._lengths

    def find(self, data: bytes, wanted: bytes) -> bytes:
        """Return the value behind a tag; of several the last.

        Raises:
            Absent: there is none in these bytes.
            DeviceMalformed: they end too soon, or there may be one behind a tag that is not known.
        """
        found: bytes | None = None
        place, end = 0, len(data) - self._end
        while place < end:
            tag = data[place : place + self._size]
            length = self._lengths.get(tag)
            if length is None:
                if found is not None:
                    break  # what came before the strange tag is good
                raise DeviceMalformed(f"the tag {tag.hex(' ')} at byte {place} is not in tags")
            place += self._size + length
            if place > end:
                raise DeviceMalformed(f"the bytes end within the value of {tag.hex(' ')}")
            if tag == wanted:
                found = data[place - length : place]
        if found is None:
            raise Absent(f"the bytes have nothing behind {wanted.hex(' ')}")
        return found


@dataclass(frozen=True, slots=True)
class Tagged:
    """The place of one value among tagged ones."""

    tags: Tags
    tag: bytes

    def find(self, data: bytes) -> bytes:
        """Return its bytes; see :meth:`Tags.find`."""
        return self.tags.find(data, self.tag)
