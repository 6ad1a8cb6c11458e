"""CQL2-Text: read by the library, and nothing that could harm it reaches it."""

import random

import pytest

from citytwin_hub.apis.ogc import cql2_text
from citytwin_hub.entities.errors import BadRequestData


def test_a_text_has_its_json_form():
    assert cql2_text.parse("NOT name = 'it''s (' OR \"a.b\" IS NULL") == {
        "op": "or",
        "args": [
            {"op": "not", "args": [{"op": "=", "args": [{"property": "name"}, "it's ("]}]},
            {"op": "isNull", "args": [{"property": "a.b"}]},
        ],
    }


@pytest.mark.parametrize(
    "text",
    [
        "level >", "", "(" * 41 + "a=1" + ")" * 41, "(" * 3000, "a = --1", "a in (" * 60,
        "a=" * 300 + "a", "x" * 5000, "a = 'open",
    ],
)  # fmt: skip
def test_what_is_wrong_or_too_much_is_refused(text):
    with pytest.raises(BadRequestData, match="filter"):
        cql2_text.parse(text)


def test_no_text_ends_the_process():
    """Random words of the language, chained as long as they may be; a crash would end this run."""
    words = [
        "not ", "-", "a=", "a<>", "a in (", "f(", "a like 'x' and ", "a and ", "a or ", "a+", "a^",
        "a between 1 and ", "+", "not(", "(", "a is null and ", "casei(", "date('", "a*", "{", "[",
    ]  # fmt: skip
    chance = random.Random(5)  # a seed for tests
    passed = 0
    for _ in range(300):
        some = chance.sample(words, chance.randint(1, 3))
        text = "".join(chance.choices(some, k=chance.randint(1, 1300)))[: cql2_text.CHARS_MAX - 3]
        try:
            cql2_text.parse(text + chance.choice(["a=1", "1", "a", ""]))
            passed += 1
        except BadRequestData:
            continue
    assert passed
