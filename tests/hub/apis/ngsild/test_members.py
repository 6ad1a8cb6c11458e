"""Members: names, types, scopes, moments, datasets and texts, right and wrong."""

from __future__ import annotations

from typing import Any

import pytest

from citytwin_hub.apis.ngsild.members import (
    SCOPES_MAX,
    TYPES_MAX,
    is_name,
    read_dataset,
    read_moment,
    read_name,
    read_scopes,
    read_text,
    read_types,
)
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.jsonld.processing import CORE

DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"


@pytest.mark.parametrize(
    "name",
    [
        "speed",
        "a1_b",
        "Škola",
        "výška_1",
        "Құбыр",
        "sdm:Pump",
        "https://example.org/a#b",
        "urn:x:a",
    ],
)
def test_a_name(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "my attr", "9Vehicle", "_a", "a-b", "a.b", "..", "@invalid", "sdm:", ":a", "²a"]
)
def test_no_name(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(BadRequestData, match=r"clause 4\.6\.2"):
        read_name(name, CORE, "an attribute")


def test_names_are_expanded_and_keywords_are_none() -> None:
    assert read_name("speed", CORE, "an attribute") == f"{DEFAULT}speed"
    for keyword in ("type", "id"):
        with pytest.raises(BadRequestData, match="keyword"):
            read_name(keyword, CORE, "an attribute")
    with pytest.raises(BadRequestData):
        read_name(3, CORE, "an attribute")


def test_types() -> None:
    assert read_types("Pump", CORE, "type") == (f"{DEFAULT}Pump",)
    assert read_types(["Pump", "Motor", "Pump"], CORE, "type") == (
        f"{DEFAULT}Pump",
        f"{DEFAULT}Motor",
    )
    wrong: Any
    for wrong in ([], ["Pump", 3], None, {}, [f"T{number}" for number in range(TYPES_MAX + 1)]):
        with pytest.raises(BadRequestData, match="type"):
            read_types(wrong, CORE, "type")


def test_scopes() -> None:
    assert read_scopes("/Almaty/Medeu") == ("/Almaty/Medeu",)
    assert read_scopes(["/Almaty", "Шу", "/Almaty"]) == ("/Almaty", "Шу")
    for wrong in (
        "9bad",
        "/²a",
        "/a//b",
        "a-b",
        "urn:ngsi-ld:null",
        ["/ok", "9bad"],
        "",
        "/",
        "/a/",
        3,
    ):
        with pytest.raises(BadRequestData, match="scope"):
            read_scopes(wrong)
    with pytest.raises(BadRequestData, match=f"over {SCOPES_MAX}"):
        read_scopes(["/a"] * (SCOPES_MAX + 1))


def test_moments_are_utc() -> None:
    assert read_moment("1970-01-01T00:00:01.5Z", "x") == 1_500_000_000
    wrong: Any
    for wrong in ("not-a-date", "2026-13-45T00:00:00Z", "2026-08-10T12:00:00+02:00", 5, None, {}):
        with pytest.raises(BadRequestData, match=r"speed\.observedAt is .* DateTime"):
            read_moment(wrong, "speed.observedAt")


def test_datasets() -> None:
    assert read_dataset("urn:x:a", "speed") == "urn:x:a"
    assert read_dataset("@none", "speed") == ""
    for wrong in ("a", 3, "urn:ngsi-ld:null", ""):
        with pytest.raises(BadRequestData, match=r"speed\.datasetId"):
            read_dataset(wrong, "speed")


def test_texts() -> None:
    assert read_text("MTR", "speed.unitCode") == "MTR"
    wrong: Any
    for wrong in ("", 3, None, "a" * 201):
        with pytest.raises(BadRequestData, match=r"speed\.unitCode"):
            read_text(wrong, "speed.unitCode")


def test_a_moment_that_nanoseconds_do_not_reach_is_refused_or_taken_as_their_end():
    for far, end in (("2999-01-01T00:00:00Z", 2**63 - 1), ("0999-01-01T00:00:00Z", 1 - 2**63)):
        with pytest.raises(BadRequestData, match="between 1678 and 2262"):
            read_moment(far, "speed.observedAt")
        assert read_moment(far, "expiresAt", bounded=True) == end
