"""Languages: which of the texts of a LanguageProperty whoever asks wants.

ETSI GS CIM 009, clause 4.15: ``lang`` is a list of language ranges with weights as in HTTP's
``Accept-Language`` (RFC 5646, RFC 4647). ``ru`` finds ``ru-KZ``, ``ru-KZ`` finds ``ru``, ``*``
finds any; when nothing is found, any is given.

>>> parse("en;q=0.2, kk").choose({"en": "Reservoir", "kk": "Су қоймасы"})
('kk', 'Су қоймасы')
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from citytwin_hub.entities.errors import BadRequestData

RANGES_MAX: Final = 50
"""Nobody reads more languages."""


@dataclass(frozen=True, slots=True)
class Languages:
    """Language ranges in lower case, the most wanted first."""

    ranges: tuple[str, ...]

    def choose(self, texts: Mapping[str, Any]) -> tuple[str, Any] | None:
        """Return the language tag and the text that serve best; None when there are none."""
        tags = {tag.lower(): tag for tag in texts}
        for wanted in self.ranges:
            tag = next(iter(tags.values()), None) if wanted == "*" else _find(wanted, tags)
            if tag is not None:
                return tag, texts[tag]
        for tag, text in texts.items():
            return tag, text
        return None


def _find(wanted: str, tags: Mapping[str, str]) -> str | None:
    """Return the tag of a range: itself, a more special one, or a more general one."""
    while wanted:
        if wanted in tags:
            return tags[wanted]
        for lower, tag in tags.items():
            if lower.startswith(f"{wanted}-"):
                return tag
        wanted = wanted.rpartition("-")[0]
    return None


def parse(text: str) -> Languages:
    """Return the languages that a ``lang`` parameter asks for.

    Raises:
        BadRequestData: it is not a list of language ranges.
    """
    weighted: list[tuple[float, str]] = []
    parts = text.split(",")
    if len(parts) > RANGES_MAX:
        raise BadRequestData(f"lang names more than {RANGES_MAX} languages: name fewer")
    for part in parts:
        name, _, weight = part.partition(";")
        name = name.strip().lower()
        if not name or not name.replace("-", "").replace("*", "").isascii():
            raise BadRequestData(f"lang: {part.strip()!r} is not a language such as kk or ru-KZ")
        weighted.append((_weight(weight, part), name))
    wanted = sorted((pair for pair in weighted if pair[0] > 0), key=lambda pair: -pair[0])
    return Languages(tuple(name for _, name in wanted))


def _weight(text: str, part: str) -> float:
    if not text.strip():
        return 1.0
    key, _, number = text.partition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = -1.0
    if key.strip() != "q" or not 0 <= weight <= 1:
        raise BadRequestData(f"lang: {part.strip()!r} has no weight such as ;q=0.8")
    return weight
