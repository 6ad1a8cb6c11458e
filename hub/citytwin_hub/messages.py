"""Messages: sentences for operators in Kazakh, Russian and English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from citytwin.point import Label, Point
from citytwin.reasons import Language, in_language
from citytwin.units import unit

_WORDS = {
    "limit": {
        "kk": "{device}: {point} нормадан тыс{value}",
        "ru": "{device}: {point} вне нормы{value}",
        "en": "{device}: {point} outside normal{value}",
    },
    "anomaly": {
        "kk": "{device}: {point} әдеттегіден {much}өзгеше{value}{why}",
        "ru": "{device}: {point} {much}не как обычно{value}{why}",
        "en": "{device}: {point} {much}out of the ordinary{value}{why}",
    },
    "plant": {
        "kk": "{device}: қондырғы әдеттегідей емес{why}",
        "ru": "{device}: установка ведёт себя необычно{why}",
        "en": "{device}: the plant behaves unusually{why}",
    },
    "event": {
        "kk": "{device}: {point} белгісі",
        "ru": "{device}: сигнал «{point}»",
        "en": "{device}: {point}",
    },
    "device": {
        "kk": "{device}: құрылғыдан дерек жоқ",
        "ru": "{device}: нет данных от прибора",
        "en": "{device}: no data from the device",
    },
    "missing": {
        "kk": "{device}: {point} бойынша дерек тоқтады",
        "ru": "{device}: {point} — данные перестали поступать",
        "en": "{device}: {point} gives no data any more",
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
_KERNELS: Final[tuple[dict[Language, str], ...]] = (
    {},
    {
        "kk": "тәуліктің осы уақыты үшін",
        "ru": "для этого времени суток",
        "en": "for this time of day",
    },
    {
        "kk": "тәуліктің осы сағаты үшін",
        "ru": "для этого часа суток",
        "en": "for this hour of the day",
    },
    {
        "kk": "аптаның осы уақыты үшін",
        "ru": "для этого времени недели",
        "en": "for this time of the week",
    },
    {
        "kk": "соңғы үрдіске қарағанда",
        "ru": "по ходу последних дней",
        "en": "for its recent course",
    },
    {"kk": "күрт өзгеріс", "ru": "резкий сдвиг", "en": "a sudden step"},
    {"kk": "тербелісі өзгеше", "ru": "необычная изменчивость", "en": "it moves unlike before"},
    {"kk": "бұрын болмаған мән", "ru": "таких значений не было", "en": "beyond all values before"},
    {"kk": "баяу ығысу", "ru": "медленный уход", "en": "a slow drift"},
    {"kk": "барысы бұрынғыдан өзгеше", "ru": "необычный ход", "en": "a course unlike any before"},
)
"""Why, by the number of ``<point>.anomaly-kernel``; see docs/decisions/0018-anomaly-alarms.md."""
_MUCH: Final[dict[str, dict[Language, str]]] = {
    "low": {"kk": "сәл ", "ru": "немного ", "en": "a little "},
    "high": {"kk": "мүлде ", "ru": "совсем ", "en": "far "},
}
"""How severe an anomaly is; nothing where it is medium."""
_BEGAN: Final[dict[Language, str]] = {
    "kk": "белгіден {} бұрын басталған",
    "ru": "началось за {} до тревоги",
    "en": "began {} before the alarm",
}
_SIMILAR: Final[dict[Language, tuple[str, str]]] = {
    "kk": ("осы уақытта ұқсасы {} күн бұрын болған", "және"),
    "ru": ("похожее в это же время {} дн. назад", "и"),
    "en": ("the like at this time {} days ago", "and"),
}
"""With the word before the last of several."""
_SPANS: Final = (
    (86_400, {"kk": "тәул", "ru": "сут", "en": "d"}),
    (3600, {"kk": "сағ", "ru": "ч", "en": "h"}),
    (60, {"kk": "мин", "ru": "мин", "en": "min"}),
)
_MOSTLY = {"kk": "ең алдымен {}", "ru": "прежде всего {}", "en": "most of all {}"}
_EXPECTED = {"kk": "күтілгені {}", "ru": "ожидалось {}", "en": "expected {}"}
LANGUAGES: Final[tuple[Language, ...]] = ("kk", "ru", "en")


class Behind(NamedTuple):
    """What is known behind an alarm; None where it is not.

    Attributes:
        kernel, expected: what an anomaly is told with.
        cause: the point (and its value now) that accounts for most of a plant's alarm, of which
            ``expected`` is then told.
        since_s: so long before the alarm it had begun.
        similar_days: days since the like at this time of day.
        severity: low, medium or high, said of an anomaly.
    """

    kernel: float | None = None
    expected: float | None = None
    cause: tuple[Point, float | None] | None = None
    since_s: float | None = None
    similar_days: Sequence[float] = ()
    severity: str = "medium"


def alarm_text(
    kind: str,
    gateway: str,
    about: str,
    point: Point | None,
    value: float | None,
    behind: Behind = Behind(),  # noqa: B008  # never changes
) -> dict[str, str]:
    """Return the sentence of an alarm, and of what it said then, in each language."""
    return {
        language: _WORDS[kind][language].format(
            gateway=gateway,
            device=_label(point.device_label, language, point.device) if point else about,
            point=_label(point.label, language, point.name) if point else about,
            value=_value(point, value, language),
            much=_MUCH[behind.severity][language] if behind.severity in _MUCH else "",
            why=(
                _why(point, behind.kernel, behind.expected, language)
                if behind.cause is None
                else _blame(*behind.cause, point, behind.expected, language)
            )
            + _when(behind.since_s, behind.similar_days, language),
        )
        for language in LANGUAGES
    }


def reason_text(reason: str) -> dict[str, str]:
    """Return a reason (:mod:`citytwin.reasons`) in each language."""
    return {language: in_language(reason, language) for language in LANGUAGES}


def _label(label: Label, language: str, fallback: str) -> str:
    wanted: str = getattr(label, language)
    return wanted or label.ru or label.kk or label.en or fallback


def _why(
    point: Point | None, kernel: float | None, expected: float | None, language: Language
) -> str:
    """Return what is behind an anomaly, each part after a comma."""
    parts = []
    if point is not None and expected is not None:
        parts.append(_EXPECTED[language].format(_number(point, expected, language)))
    if kernel is not None and 0 < kernel < len(_KERNELS):
        parts.append(_KERNELS[int(kernel)][language])
    return "".join(f", {part}" for part in parts)


def _when(since_s: float | None, similar_days: Sequence[float], language: Language) -> str:
    """Return when it began, if not with the alarm, and when the like was, each after a comma."""
    parts = []
    if since_s is not None and since_s >= _SPANS[-1][0]:
        parts.append(_BEGAN[language].format(_span(since_s, language)))
    days = [f"{day:.0f}" for day in similar_days]
    if days:
        words, last = _SIMILAR[language]
        said = f"{', '.join(days[:-1])} {last} {days[-1]}" if len(days) > 1 else days[0]
        words = words.replace("days", "day") if days == ["1"] else words
        parts.append(words.format(said))
    return "".join(f", {part}" for part in parts)


def _span(seconds: float, language: Language) -> str:
    size, word = next(one for one in _SPANS if seconds >= one[0])
    return f"{seconds / size:.0f} {word[language]}"


def _blame(
    cause: Point, now: float | None, alarm: Point | None, expected: float | None, language: Language
) -> str:
    """Return which point does not fit to the others of its plant, after a comma."""
    name = _label(cause.label, language, cause.name)
    if alarm is None or alarm.device != cause.device:
        name = f"{_label(cause.device_label, language, cause.device)}: {name}"
    said = _MOSTLY[language].format(name + _value(cause, now, language))
    return f", {said}{_why(cause, None, expected, language)}"


def _value(point: Point | None, value: float | None, language: Language) -> str:
    if point is None or value is None:
        return ""
    return f" ({_number(point, value, language)})"


def _number(point: Point, value: float, language: Language) -> str:
    number = f"{value:.4g}"
    if language != "en":
        number = number.replace(".", ",")
    return f"{number} {unit(point.unit).symbol_in(language)}".rstrip()
