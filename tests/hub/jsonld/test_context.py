"""Context: names to IRIs and back, as pyld has them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.jsonld import context as module
from citytwin_hub.jsonld.context import CORE_URL, CORE_URLS, Context, is_absolute
from citytwin_hub.jsonld.processing import CORE, compiled
from tests.hub.jsonld.oracle import CORE as CORE_TERMS
from tests.hub.jsonld.oracle import Oracle

DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"


def none_loaded(url: str) -> object:
    raise AssertionError(url)


def context(*given: object) -> Context:
    return compiled(list(given), none_loaded, CORE)


NAMES = st.sampled_from(["Pump", "level", "a", "ab", "ex", "city", "ex2", "x1", "flow"])
IRIS = st.sampled_from(
    [
        "https://example.org/",
        "https://example.org/pumps#",
        "https://example.org/pumps#level",
        "urn:city:",
        "urn:city:a",
        f"{DEFAULT}level",
        "https://uri.etsi.org/ngsi-ld/level",
    ]
)
VALUES = st.one_of(IRIS, st.builds("{}:{}".format, NAMES, NAMES), NAMES, st.none())
DEFINITIONS = st.one_of(
    VALUES,
    st.builds(lambda value: {"@id": value}, VALUES),
    st.builds(lambda value, prefix: {"@id": value, "@prefix": prefix}, IRIS, st.booleans()),
)
CONTEXTS = st.lists(
    st.dictionaries(NAMES, DEFINITIONS, max_size=6).flatmap(
        lambda terms: st.sampled_from(
            [terms, {**terms, "@vocab": "https://vocab.example/"}, {**terms, "@version": 1.1}]
        )
    ),
    max_size=3,
)


@settings(max_examples=400, deadline=None)
@given(contexts=CONTEXTS, names=st.lists(st.one_of(NAMES, VALUES), max_size=8))
def test_names_mean_what_pyld_says(contexts: list[dict[str, object]], names: list) -> None:
    from pyld.jsonld import JsonLdError

    try:
        oracle = Oracle(contexts)
    except JsonLdError:
        with pytest.raises(BadRequestData):
            context(*contexts)
        return
    ours = context(*contexts)
    for name in filter(None, names):
        meant = oracle.expand(name)
        if meant is None:
            with pytest.raises(BadRequestData, match="null"):
                ours.expand(name)
            continue
        assert ours.expand(name) == meant
        if not meant.startswith("@"):
            assert compacted(oracle, meant) in (None, ours.compact(meant))


def compacted(oracle: Oracle, iri: str) -> str | None:
    from pyld.jsonld import JsonLdError

    try:
        return oracle.compact(iri)
    except JsonLdError:  # "absolute IRI confused with prefix": we answer with the IRI
        return None


def test_the_terms_of_the_core_mean_what_pyld_says() -> None:
    oracle = Oracle([])
    for term in CORE_TERMS:
        if not term.startswith("@"):
            assert CORE.expand(term) == oracle.expand(term), term
            assert CORE.expand(CORE.compact(CORE.expand(term))) == CORE.expand(term)


def test_a_typed_term_names_its_iri_both_ways() -> None:
    ours = context(
        {
            "feeds": {"@id": "https://example.org/feeds", "@type": "@id"},
            "since": {"@id": "https://example.org/since", "@type": "DateTime"},
            "hours": {"@id": "https://example.org/hours", "@container": "@list"},
        }
    )
    for name in ("feeds", "since", "hours"):
        assert ours.expand(name) == f"https://example.org/{name}"
        assert ours.compact(f"https://example.org/{name}") == name


def test_the_shortest_term_is_taken_and_among_those_the_first() -> None:
    iri = "https://example.org/level"
    assert context({"levels": iri, "lvl": iri, "lev": iri}).compact(iri) == "lev"


def test_what_no_term_and_no_prefix_reaches_stays_an_iri() -> None:
    assert context().compact("https://example.org/level") == "https://example.org/level"


def test_a_reverse_term_is_refused_where_it_is_used_only() -> None:
    ours = context({"partOf": {"@reverse": "https://example.org/has"}, "a": "urn:x:a"})
    assert ours.expand("a") == "urn:x:a"
    with pytest.raises(BadRequestData, match="'partOf'"):
        ours.expand("partOf")


def test_what_an_answer_says_of_its_context() -> None:
    url = "https://example.org/c.jsonld"
    terms = {"a": "urn:x:a"}

    def said(given: object) -> tuple[object, str | None]:
        made = compiled(given, lambda _: terms, CORE)
        return made.reference, made.url

    assert (CORE.reference, CORE.url) == (CORE_URL, CORE_URL)
    assert said(url) == (url, url)
    assert said([url]) == (url, url)
    assert said([url, CORE_URL]) == ([url, CORE_URL], url)
    assert said([url, terms]) == ([url, terms], None)
    assert said(terms) == (terms, None)
    assert said([CORE_URL, "http://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld"])[1] == (
        CORE_URL
    )


def test_names_that_are_remembered_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NAMES_MAX", 3)
    ours = context()
    for number in range(10):
        assert ours.compact(ours.expand(f"n{number}")) == f"n{number}"
        assert len(ours._expanded) <= 3
        assert len(ours._compacted) <= 3


def test_every_published_core_is_known_and_no_other() -> None:
    stem = "://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context"
    for version in ("-v1.3", "-v1.6", "-v1.7", "-v1.8", "-v1.9", ""):
        assert f"https{stem}{version}.jsonld" in CORE_URLS
        assert f"http{stem}{version}.jsonld" in CORE_URLS
    assert f"https{stem}-non-existing.jsonld" not in CORE_URLS


def test_absolute() -> None:
    assert is_absolute("urn:ngsi-ld:Pump:1")
    assert not is_absolute("Pump 1")
    assert not is_absolute("a b:c")
