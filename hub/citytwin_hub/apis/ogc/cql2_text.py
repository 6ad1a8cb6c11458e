"""CQL2-Text to the JSON form of CQL2, by the library ``cql2``; what could harm it is refused.

OGC 21-065r2. The library's parser calls itself for each nesting and ends the process when its stack
is full; so what nests, chains or repeats more than any person writes is refused before it is parsed
(docs/decisions/0026-cql2-tiles-crs.md).

>>> parse("level > 3")
{'op': '>', 'args': [{'property': 'level'}, 3.0]}
"""

from __future__ import annotations

import re
from typing import Any, Final

import cql2

from citytwin_hub.entities.errors import BadRequestData

CHARS_MAX: Final = 4_000
DEPTH_MAX: Final = 40
COMPARISONS_MAX: Final = 200

_QUOTED: Final = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
_SIGNS: Final = re.compile(r"[-+]\s*[-+]")
_COMPARISON: Final = re.compile(r"[=<>]+")


def parse(text: str) -> Any:
    """Return a filter's JSON form.

    Raises:
        BadRequestData: it is not CQL2-Text, or over a limit.
    """
    if len(text) > CHARS_MAX:
        raise BadRequestData(f"filter has over {CHARS_MAX} characters")
    bare = _QUOTED.sub("''", text)
    depth = deepest = 0
    for char in bare:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    if deepest > DEPTH_MAX or depth:
        raise BadRequestData(
            f"filter: brackets do not match, or are more than {DEPTH_MAX} deep in each other"
        )
    if _SIGNS.search(bare) or len(_COMPARISON.findall(bare)) > COMPARISONS_MAX:
        raise BadRequestData(
            f"filter has signs behind each other, or over {COMPARISONS_MAX} comparisons"
        )
    try:
        return cql2.parse_text(text).to_json()
    except (cql2.ParseError, cql2.ValidationError, ValueError) as error:
        where = " ".join(str(error).split())
        raise BadRequestData(f"filter is not CQL2-Text: {where[:300]}") from None
