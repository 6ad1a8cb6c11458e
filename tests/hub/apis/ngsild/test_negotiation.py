"""Negotiation: the media type that is wanted most, and what Prefer asks for."""

from __future__ import annotations

import pytest

from citytwin_hub.apis.ngsild.negotiation import Preferences, choose, preferences

JSON, LD, GEO = "application/json", "application/ld+json", "application/geo+json"


@pytest.mark.parametrize(
    ("accept", "gives", "chosen"),
    [
        ("", (JSON, LD), JSON),
        ("*/*", (JSON, LD), JSON),
        (" , ", (JSON, LD), JSON),
        ("application/*", (LD, JSON), LD),
        (f"{LD}, {JSON}", (JSON, LD, GEO), JSON),
        (f"{GEO}, {JSON}", (JSON, LD, GEO), JSON),
        (f"{JSON};q=0.1, {LD};q=0.9", (JSON, LD), LD),
        (LD, (JSON, LD), LD),
        (f"{GEO}, {JSON}", (JSON, LD), JSON),
        (f"{GEO};q=0.9, {LD};q=0.1", (JSON, LD), LD),
        (f"{JSON};q=0, {LD}", (JSON, LD), LD),
        (f"{JSON};q=0, */*", (JSON, LD), LD),
        (f"*/*;q=0.9, {LD};q=0.8", (JSON, LD), JSON),
        (f"{LD};q=notanumber", (JSON, LD), LD),
        (f"{LD}; profile=x ; q=0.5, {JSON};Q=0.4", (JSON, LD), LD),
        ("application/xml", (JSON, LD), None),
        (GEO, (JSON, LD), None),
        (f"{JSON};q=0", (JSON, LD), None),
        ("APPLICATION/LD+JSON", (JSON, LD), LD),
    ],
)
def test_the_media_type_wanted_most_is_chosen(
    accept: str, gives: tuple[str, ...], chosen: str | None
) -> None:
    assert choose(accept, gives) == chosen


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ("", Preferences()),
        ("body=json", Preferences("json")),
        ('respond-async, body="ld+json"; x=y', Preferences("ld+json")),
        ("body=xml", Preferences()),
        ("ngsi-ld=1.5", Preferences(version=(1, 5))),
        ("ngsi-ld=1.8.1, body=json", Preferences("json", (1, 8))),
        ("ngsi-ld=newest", Preferences()),
    ],
)
def test_preferences_are_read(prefer: str, expected: Preferences) -> None:
    assert preferences(prefer) == expected
