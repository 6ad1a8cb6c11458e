"""Processing: what an @context may hold, what is refused, and that the core has the last word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from citytwin_hub.entities.errors import BadRequestData, EntityError, LdContextNotAvailable
from citytwin_hub.jsonld import processing
from citytwin_hub.jsonld.context import CORE_URL, Context
from citytwin_hub.jsonld.processing import CHAIN_MAX, CORE, DEPTH_MAX, REFERENCES_MAX, compiled

DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
HERE = "https://city.example/contexts/"


def context(given: Any, documents: Mapping[str, Any] | None = None) -> Context:
    def load(url: str) -> Any:
        if url not in (documents or {}):
            raise LdContextNotAvailable(f"nothing at {url}")
        return (documents or {})[url]

    return compiled(given, load, CORE)


def test_the_core_has_the_last_word_wherever_it_stands() -> None:
    own = {"location": "urn:x:location", "value": "urn:x:value", "level": "urn:x:level"}
    for given in (own, [own, CORE_URL], [CORE_URL, own], [[CORE_URL], [own]]):
        made = context(given)
        assert made.expand("location") == "https://uri.etsi.org/ngsi-ld/location"
        assert made.expand("value") == "https://uri.etsi.org/ngsi-ld/hasValue"
        assert made.expand("level") == "urn:x:level"
        assert made.compact("urn:x:level") == "level"
        assert made.expand("type") == "@type"


def test_the_core_has_the_last_word_in_the_vocabulary() -> None:
    made = context({"@vocab": "urn:x:", "level": {"@type": "@id"}})
    assert made.expand("level") == "urn:x:level"
    assert made.expand("flow") == f"{DEFAULT}flow"


def test_later_definitions_replace_earlier_ones() -> None:
    made = context([{"level": "urn:x:1"}, {"level": "urn:x:2"}])
    assert made.expand("level") == "urn:x:2"
    assert made.compact("urn:x:1") == "urn:x:1"


def test_null_forgets_what_came_before() -> None:
    made = context([{"level": "urn:x:1", "a": "urn:x:a"}, None, {"a": "urn:y:a"}])
    assert made.expand("level") == f"{DEFAULT}level"
    assert made.expand("a") == "urn:y:a"
    assert context([{"level": "urn:x:1"}, None]).terms == CORE.terms


def test_prefixes_of_the_core_and_of_the_same_context() -> None:
    made = context({"b": "city:b", "city": "https://city.example/", "c": "ngsi-ld:c"})
    assert made.expand("b") == "https://city.example/b"
    assert made.expand("c") == "https://uri.etsi.org/ngsi-ld/c"
    assert made.compact("https://city.example/d") == "city:d"
    assert made.expand("city:d") == "https://city.example/d"


def test_references_are_followed_relative_to_where_they_stand() -> None:
    documents = {
        f"{HERE}all.jsonld": ["water.jsonld", CORE_URL],
        f"{HERE}water.jsonld": {"level": "urn:x:level"},
    }
    assert context(f"{HERE}all.jsonld", documents).expand("level") == "urn:x:level"


def test_an_import_is_completed_by_who_imports() -> None:
    documents = {f"{HERE}a.jsonld": {"level": "urn:x:level", "flow": "urn:x:flow"}}
    made = context({"@import": f"{HERE}a.jsonld", "flow": "urn:y:flow"}, documents)
    assert made.expand("level") == "urn:x:level"
    assert made.expand("flow") == "urn:y:flow"


def test_protected_terms_may_only_be_said_again() -> None:
    own = {"level": {"@id": "urn:x:level", "@protected": True}}
    assert context([own, own]).expand("level") == "urn:x:level"
    with pytest.raises(BadRequestData, match="'level', which is protected"):
        context([own, {"level": "urn:y:level"}])
    with pytest.raises(BadRequestData, match="null after terms that are protected"):
        context([{"@protected": True, "level": "urn:x:level"}, None])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (42, "holds 42"),
        (True, "holds true"),
        ([f"{HERE}a.jsonld", 7], "holds 7"),
        ({"a": 42}, "'a' is 42"),
        ({"a": ["urn:x:a"]}, "'a' is"),
        ({"a": {"@id": 4}}, "an @id that is no IRI"),
        ({"a": {"@id": "urn:x:a", "unit": 1}}, "'unit'"),
        ({"a": {"@id": "urn:x:a", "@context": {"b": "urn:x:b"}}}, "scoped"),
        ({"a": {"@id": "urn:x:a", "@prefix": 1}}, "@prefix"),
        ({"a": "b:c", "b": "a:d"}, "ring"),
        ({"": "urn:x:a"}, "without a name"),
        ({"@id": "urn:x:a"}, "keyword @id"),
        ({"@vocab": 3}, "@vocab is 3"),
        ({"@vocab": "not an IRI"}, "not an absolute IRI"),
        ({"@import": 3}, "@import"),
        ({"urn:x:a": "urn:x:b"}, "form of an IRI"),
        ("contexts/a.jsonld", "not an absolute URL"),
        ([[[[[[[[[[[]]]]]]]]]]], "deep"),
    ],
)
def test_what_is_no_context_is_refused(given: Any, words: str) -> None:
    documents: dict[str, Any] = {f"{HERE}a.jsonld": {}}
    with pytest.raises(BadRequestData, match=words):
        context(given, documents)


def test_terms_that_look_like_keywords_are_passed_over() -> None:
    made = context({"@unknown": "urn:x:a", "a": "@other", "@type": {"@container": "@set"}})
    with pytest.raises(BadRequestData, match="'a'"):
        made.expand("a")


def test_a_broken_remote_context_is_named() -> None:
    with pytest.raises(BadRequestData, match=r"water\.jsonld is not valid.*42"):
        context(f"{HERE}water.jsonld", {f"{HERE}water.jsonld": {"level": 42}})
    with pytest.raises(LdContextNotAvailable, match="nothing at"):
        context(f"{HERE}flow.jsonld")
    with pytest.raises(BadRequestData, match="cannot be imported"):
        context({"@import": f"{HERE}a.jsonld"}, {f"{HERE}a.jsonld": []})


def test_contexts_that_name_each_other_end() -> None:
    ring = {f"{HERE}a.jsonld": ["b.jsonld"], f"{HERE}b.jsonld": ["a.jsonld"]}
    with pytest.raises(BadRequestData, match=f"over {DEPTH_MAX} deep"):
        context(f"{HERE}a.jsonld", ring)
    wide: dict[str, Any] = {f"{HERE}{number}": {} for number in range(REFERENCES_MAX + 1)}
    with pytest.raises(BadRequestData, match=f"names over {REFERENCES_MAX}"):
        context(list(wide), wide)


def test_terms_have_a_limit_in_number_and_in_what_they_stand_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chain = {f"t{number}": f"t{number + 1}" for number in range(10 * CHAIN_MAX)}
    with pytest.raises(BadRequestData, match="stand on each other"):
        context({**chain, f"t{10 * CHAIN_MAX}": "urn:x:end"})
    monkeypatch.setattr(processing, "TERMS_MAX", 250)
    with pytest.raises(EntityError, match="over 250 terms"):
        context({f"t{number}": f"urn:x:{number}" for number in range(251)})
