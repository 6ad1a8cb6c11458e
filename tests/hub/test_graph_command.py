"""`citytwin-hub graph` as people see it, on what the hub answers."""

import argparse

import pytest

from citytwin.errors import CityTwinError
from citytwin_hub.graph_command import add_to, answer, lines

ONE = {"id": "urn:a", "types": ["Building"]}
LISTED = {"count": 3, "objects": [ONE]}


class Client:
    def get(self, path, **query):
        self.asked = (path, {name: value for name, value in query.items() if value is not None})
        return {
            "graph/downstream": LISTED,
            "graph/loss": {**LISTED, "held": [], "held_count": 2, "backups": ["urn:b"],
                           "sources": [], "sources_count": 1},
            "graph/path": {"found": False, "path": []},
            "graph/isolation": {**LISTED, "valves": ["urn:v"], "valves_count": 1},
            "graph/neighbours": {"count": 0, "neighbours": []},
        }[path]  # fmt: skip


def shown(*words):
    parser = argparse.ArgumentParser()
    add_to(parser)
    options, client = parser.parse_args(words), Client()
    return client, list(lines(options, answer(options, client)))


def test_what_is_asked_and_shown():
    client, text = shown("downstream", "urn:x", "--at", "2026-03-01T00:00:00Z", "--kind", "feeds")
    assert client.asked == (
        "graph/downstream",
        {"of": "urn:x", "at": "2026-03-01T00:00:00Z", "kind": ["feeds"], "limit": 1000},
    )
    assert text[1:] == ["urn:a  Building", "… and 2 more (--limit)"]
    client, text = shown("loss", "urn:x", "urn:y", "--no-backups", "--source-type", "Well")
    assert client.asked[1]["closed"] == ["urn:x", "urn:y"]
    assert client.asked[1]["backups"] is False
    assert text[-1] == "2 are held by urn:b"
    client, text = shown("path", "urn:x", "urn:y", "--any-way")
    assert (client.asked[1]["any_way"], text) == (True, ["(no way)"])
    assert shown("isolation", "urn:x")[1][0] == "close urn:v"
    assert shown("neighbours", "urn:x")[1][-1] == "(none)"


def test_who_must_be_named():
    with pytest.raises(CityTwinError, match="FROM TO"):
        shown("path", "urn:x")
    with pytest.raises(CityTwinError, match="needs one object"):
        shown("upstream", "urn:x", "urn:y")
