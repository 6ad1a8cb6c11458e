"""Messages: sentences for operators in Kazakh, Russian and English."""

from __future__ import annotations

from typing import Final

from citytwin.point import Label, Point
from citytwin.reasons import Language, in_language
from citytwin.units import unit

_WORDS = {
    "limit": {
        "kk": "{device}: {point} нормадан тыс{value}",
        "ru": "{device}: {point} вне нормы{value}",
        "en": "{device}: {point} outside normal{value}",
    },
    "device": {
        "kk": "{device}: құрылғыдан дерек жоқ",
        "ru": "{device}: нет данных от прибора",
        "en": "{device}: no data from the device",
    },
    "gateway": {
        "kk": "{gateway} шлюзімен байланыс жоқ",
        "ru": "Нет связи со шлюзом {gateway}",
        "en": "Gateway {gateway} is silent",
    },
    "refused": {
        "kk": "Хаб {gateway} шлюзінің дерегін қабылдамады",
        "ru": "Хаб не принял данные шлюза {gateway}",
        "en": "The hub refused data of gateway {gateway}",
    },
}
LANGUAGES: Final[tuple[Language, ...]] = ("kk", "ru", "en")


def alarm_text(
    kind: str, gateway: str, about: str, point: Point | None, value: float | None
) -> dict[str, str]:
    """Return the sentence of an alarm in each language."""
    return {
        language: _WORDS[kind][language].format(
            gateway=gateway,
            device=_label(point.device_label, language, point.device) if point else about,
            point=_label(point.label, language, point.name) if point else about,
            value=_value(point, value, language),
        )
        for language in LANGUAGES
    }


def reason_text(reason: str) -> dict[str, str]:
    """Return a reason (:mod:`citytwin.reasons`) in each language."""
    return {language: in_language(reason, language) for language in LANGUAGES}


def _label(label: Label, language: str, fallback: str) -> str:
    wanted: str = getattr(label, language)
    return wanted or label.ru or label.kk or label.en or fallback


def _value(point: Point | None, value: float | None, language: str) -> str:
    if point is None or value is None:
        return ""
    number = f"{value:.4g}"
    if language != "en":
        number = number.replace(".", ",")
    return f" ({number} {unit(point.unit).symbol_in(language)})".replace(" )", ")")
