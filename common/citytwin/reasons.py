"""Reasons: why a command was or was not carried out, one sentence in three languages.

A reason travels and is kept and logged in English. Who shows it to people asks for their language;
a sentence that is not of these, such as a device's own words, stays as it is.

>>> words = OUTSIDE.said(value="1.5", low="0", high="1")
>>> words
'1.5 is outside 0 … 1'
>>> in_language(words, "ru")
'1,5 вне пределов 0 … 1'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from citytwin.point import Point, Span

Language = Literal["kk", "ru", "en"]

_FIELD: Final = re.compile(r"\{(\w+)\}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")


@dataclass(frozen=True)
class Reason:
    """One sentence; what it is about stands in braces, under the same names in each language."""

    en: str
    kk: str
    ru: str

    def said(self, **about: object) -> str:
        """Return it in English, filled in.

        Raises:
            KeyError: something that it is about is not given.
        """
        return self.en.format(**about)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What finds again in the English sentence what it is about."""
        parts = _FIELD.split(self.en)
        return re.compile(
            "".join(
                f"(?P<{part}>.+?)" if index % 2 else re.escape(part)
                for index, part in enumerate(parts)
            ),
            re.DOTALL,
        )

    @property
    def literal_chars(self) -> int:
        """How much of it is not filled in."""
        return len(_FIELD.sub("", self.en))


OUTSIDE: Final = Reason(
    "{value} is outside {low} … {high}",
    "{value} мәні {low} … {high} шегінен тыс",
    "{value} вне пределов {low} … {high}",
)
OFF_STEP: Final = Reason(
    "{value} is not {low} plus a multiple of {step}",
    "{value} мәні {low} пен {step} еселігінің қосындысы емес",
    "{value} не равно {low} плюс кратное {step}",
)
TOO_SOON: Final = Reason(
    "{point} was set {seconds} s ago; it may be set once in {interval} s",
    "{point} {seconds} с бұрын өзгертілді; {interval} с ішінде бір рет өзгертуге болады",
    "{point} изменена {seconds} с назад; менять можно раз в {interval} с",
)
NOT_WRITABLE: Final = Reason(
    "{point} cannot be written", "{point} нүктесін өзгертуге болмайды", "{point} изменить нельзя"
)
NO_POINT: Final = Reason(
    "there is no point {point}", "{point} нүктесі жоқ", "точки {point} не существует"
)
NOT_HERE: Final = Reason(
    "this gateway has no point {point}",
    "бұл шлюзде {point} нүктесі жоқ",
    "на этом шлюзе нет точки {point}",
)
NOT_FINITE: Final = Reason(
    "the value must be a finite number",
    "мән шекті сан болуы керек",
    "значение должно быть конечным числом",
)
LOOKER: Final = Reason(
    "{user} may look but not act",
    "{user} тек көре алады, басқара алмайды",
    "{user} может только смотреть, но не управлять",
)
NOT_YOURS: Final = Reason(
    "{user} may not command {point}",
    "{user} {point} нүктесін басқара алмайды",
    "{user} не может управлять точкой {point}",
)
TOO_MANY: Final = Reason(
    "{limit} commands are open; wait until some are settled",
    "{limit} бұйрық орындалып жатыр; біразы аяқталғанша күтіңіз",
    "выполняется {limit} команд; подождите, пока часть завершится",
)
GIVEN_FOR_ELSE: Final = Reason(
    "command {id} was already given, for something else",
    "{id} бұйрығы басқа мақсатпен берілген",
    "команда {id} уже дана для другого",
)
GIVEN_AGAIN: Final = Reason("given again by {user}", "{user} қайта берді", "повторно дана: {user}")
GIVEN_AGAIN_ELSE: Final = Reason(
    "given again by {user} for {point} = {value}: refused",
    "{user} қайта берді, {point} = {value} үшін: қабылданбады",
    "повторно дана: {user}, для {point} = {value}: отклонена",
)
CANCELED_BY: Final = Reason("canceled by {user}", "{user} қайтарып алды", "отменена: {user}")
TOO_LATE: Final = Reason(
    "command {id} was sent already and cannot be canceled",
    "{id} бұйрығы жіберілді, оны қайтарып алуға болмайды",
    "команда {id} уже отправлена, её нельзя отменить",
)
NOT_REACHED: Final = Reason(
    "the gateway was not reached before the command expired",
    "бұйрықтың мерзімі біткенше шлюзбен байланыс болмады",
    "до истечения срока команды связи со шлюзом не было",
)
NO_ANSWER: Final = Reason(
    "no answer before the command expired",
    "бұйрықтың мерзімі біткенше жауап келмеді",
    "ответа до истечения срока команды не было",
)
CAME_LATE: Final = Reason(
    "it came to the gateway after it had expired",
    "шлюзге мерзімі біткен соң жетті",
    "дошла до шлюза после истечения срока",
)
NOT_READ: Final = Reason(
    "no good value was read back in time",
    "уақытында жарамды мән қайта оқылмады",
    "достоверное значение вовремя не прочитано",
)
READ_OTHER: Final = Reason(
    "read back {read} instead of {wanted}",
    "{wanted} орнына {read} оқылды",
    "прочитано {read} вместо {wanted}",
)
READ_BACK: Final = Reason("read back {read}", "{read} оқылды", "прочитано {read}")
CUT_SHORT: Final = Reason(
    "the gateway stopped while it was carried out; whether it was is not known",
    "орындалып жатқанда шлюз тоқтады; орындалған-орындалмағаны белгісіз",
    "шлюз остановился во время выполнения; выполнена ли она, неизвестно",
)
DEVICE_REFUSED: Final = Reason(
    "the device refused: {words}", "құрылғы қабылдамады: {words}", "прибор отклонил: {words}"
)
NOT_CONFIRMED: Final = Reason(
    "the device did not confirm: {words}",
    "құрылғы растамады: {words}",
    "прибор не подтвердил: {words}",
)
NO_ANSWER_WITHIN: Final = Reason(
    "no answer within {seconds} s", "{seconds} с ішінде жауап жоқ", "нет ответа за {seconds} с"
)
INTERLOCK: Final = Reason(
    "interlock: {guard} is {value}, allowed is {low} … {high}",
    "бұғаттау: {guard} мәні {value}, рұқсат етілгені {low} … {high}",
    "блокировка: {guard} = {value}, допустимо {low} … {high}",
)
INTERLOCK_BLIND: Final = Reason(
    "interlock: {guard} has no good value, allowed is {low} … {high}",
    "бұғаттау: {guard} жарамды мәні жоқ, рұқсат етілгені {low} … {high}",
    "блокировка: у {guard} нет достоверного значения, допустимо {low} … {high}",
)

REASONS: Final = tuple(
    sorted(
        (one for one in globals().values() if isinstance(one, Reason)),
        key=lambda reason: -reason.literal_chars,
    )
)
"""All of them; one that says more stands before one that its sentence could be taken for."""


def off_step(point: Point, value: float) -> str:
    """Return why a writable point cannot be set to a value that is between its steps."""
    low = 0.0 if point.writable is None else point.writable.low
    return OFF_STEP.said(value=f"{value:g}", low=f"{low:g}", step=f"{point.step:g}")


def ends(span: Span) -> dict[str, str]:
    """Return ``low`` and ``high`` of a span, as reasons write numbers."""
    return {"low": f"{span.low:g}", "high": f"{span.high:g}"}


def in_language(words: str, language: Language) -> str:
    """Return a reason in a language, its numbers with that language's decimal sign."""
    if language == "en":
        return words
    for reason in REASONS:
        found = reason.pattern.fullmatch(words)
        if found:
            about = {name: _about(part, language) for name, part in found.groupdict().items()}
            template = reason.kk if language == "kk" else reason.ru
            return template.format(**about)
    return words


def _about(part: str, language: Language) -> str:
    if _NUMBER.fullmatch(part):
        return part.replace(".", ",")
    return in_language(part, language)
