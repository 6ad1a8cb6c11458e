"""Patterns: regular expressions that a request brings, matched in time linear in the text.

RE2 runs them: no pattern can make it backtrack, so none can hold the hub, and what it cannot do in
linear time (back references, looking around) it refuses. A program over ``MEMORY_BYTES_MAX`` is
refused too.

>>> pattern = compile_pattern("^urn:ngsi-ld:Tank:.*", "idPattern")
>>> pattern.found_in("urn:ngsi-ld:Tank:1"), pattern.prefix
(True, 'urn:ngsi-ld:Tank:')
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any, Final

import re2

from citytwin_hub.entities.errors import BadRequestData

SIZE_CHARS_MAX: Final = 1_000
"""Longer than any expression that a person writes."""

MEMORY_BYTES_MAX: Final = 4 << 20
"""RE2's limit for one compiled expression and its states."""

_PREFIX: Final = re.compile(r"\^((?:[\w:/#@%&=~,;!\"' -]|\\[^\w\s])+)")
_QUANTIFIERS: Final = ("*", "?", "{", "+")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, unanchored: it may be found anywhere in a text.

    Attributes:
        text: as it was given.
        prefix: what a text must begin with for it to be found there; empty: unknown.
    """

    text: str
    prefix: str

    def found_in(self, text: str) -> bool:
        """Tell whether it is found in a text."""
        if self.prefix and not text.startswith(self.prefix):
            return False
        return _compiled(self.text).search(text) is not None


def compile_pattern(text: str, what: str) -> Pattern:
    """Return a pattern.

    Args:
        text: the regular expression.
        what: the parameter or member that has it, for errors.

    Raises:
        BadRequestData: it is none, too long, or needs more than linear time.
    """
    if len(text) > SIZE_CHARS_MAX:
        raise BadRequestData(f"{what} is longer than {SIZE_CHARS_MAX} characters")
    try:
        _compiled(text)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise BadRequestData(f"{what} is not a regular expression: {reason}") from None
    return Pattern(text, _prefix(text))


@functools.lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY_BYTES_MAX
    options.never_capture = True
    return re2.compile(text, options)


def _prefix(text: str) -> str:
    """Return what every text that matches begins with, where that is easily seen."""
    match = _PREFIX.match(text)
    if match is None or "|" in text:
        return ""
    prefix, rest = match[1], text[match.end() :]
    if rest.startswith(_QUANTIFIERS):
        prefix = re.sub(r"(?:\\.|.)\Z", "", prefix)
    return re.sub(r"\\(.)", r"\1", prefix)
