"""`citytwin-hub identity` as people see it, on what the hub answers."""

import argparse

import pytest

from citytwin.errors import CityTwinError
from citytwin_hub.identity_command import add_to, answer, lines

DEED = {"number": 1, "at_ms": 0, "by": "su", "act": "merge", "what": ["urn:b", "urn:a"]}
FOUND = {
    "identity/resolve": {
        "asked": "urn:a", "current": False, "urns": ["urn:b"],
        "aliases": [{"system": "gis", "name": "204"}],
    },
    "identity/journal": {
        "deeds": [DEED],
        "next": 1,
    },
    "identity/split": {"urns": ["urn:c", "urn:d"]},
    "identity/withdraw": {"system": "gis", "name": "204"},
}  # fmt: skip


class Client:
    def get(self, path, **query):
        self.asked = (path, query)
        return FOUND[path]

    def post(self, path, body):
        self.asked = (path, body)
        return FOUND.get(path.partition("?")[0], {"urn": "urn:a"})


def shown(*words):
    parser = argparse.ArgumentParser()
    add_to(parser)
    options, client = parser.parse_args(words), Client()
    text = list(lines(options, answer(options, client)))
    return client.asked, text


def test_what_is_asked_and_shown():
    asked, text = shown("resolve", "gis", "204")
    assert asked == ("identity/resolve", {"tenant": "", "system": "gis", "name": "204"})
    assert text[:2] == ["urn:a was merged or split; today it is", "urn:b"]
    assert text[-1].split() == ["gis", "204"]
    assert shown("resolve", "urn:a")[0][1] == {"tenant": "", "urn": "urn:a"}
    asked, text = shown("journal", "--after", "5")
    assert asked[1]["after"] == 5
    assert text[1].endswith("su  merge  urn:b urn:a")


@pytest.mark.parametrize(
    ("words", "path", "body", "text"),
    [
        (("register", "Pump"), "identity", {"kind": "Pump", "place": None}, ["urn:a"]),
        (
            ("register", "Pump", "--place", "76.95,43.24"),
            "identity",
            {"kind": "Pump", "place": (76.95, 43.24)},
            ["urn:a"],
        ),
        (("adopt", "urn:a"), "identity/adopt", {"urn": "urn:a"}, ["urn:a"]),
        (
            ("--tenant", "east", "alias", "gis", "204", "urn:a"),
            "identity/aliases?tenant=east",
            {"system": "gis", "name": "204", "urn": "urn:a"},
            ["urn:a"],
        ),
        (
            ("withdraw", "gis", "204"),
            "identity/withdraw",
            {"system": "gis", "name": "204"},
            ["204 of gis means no object any more"],
        ),
        (
            ("merge", "urn:a", "urn:b"),
            "identity/merge",
            {"urns": ["urn:a", "urn:b"], "into": "urn:a"},
            ["urn:a"],
        ),
        (
            ("split", "urn:a", "Pump@1,2", "Motor"),
            "identity/split",
            {
                "urn": "urn:a",
                "parts": [{"kind": "Pump", "place": (1.0, 2.0)}, {"kind": "Motor", "place": None}],
            },
            ["urn:c", "urn:d"],
        ),
    ],
)
def test_what_is_changed(words, path, body, text):
    assert shown(*words) == ((path, body), text)


def test_what_cannot_be_meant():
    with pytest.raises(CityTwinError, match="SYSTEM NAME"):
        shown("resolve", "a", "b", "c")
    with pytest.raises(CityTwinError, match="is no place"):
        shown("split", "urn:a", "Pump@here", "Motor")
