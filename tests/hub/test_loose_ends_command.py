"""`citytwin-hub loose-ends` as people see it, on what the hub answers."""

import argparse

from citytwin_hub.loose_ends_command import add_to, answer, lines

FOUND = {
    "counts": {"points": 1, "astray": 1, "unmeasured": 3, "silent": 1},
    "points": ["g/d/a"],
    "astray": [{"point": "g/d/b", "entity": "urn:t:9"}],
    "unmeasured": ["urn:t:1"],
    "silent": [{"id": "urn:t:2", "points": ["g/d/c"], "last_ms": None}],
}


class Client:
    def get(self, path, **query):
        self.asked = (path, query)
        return FOUND


def test_what_is_asked_and_shown():
    parser = argparse.ArgumentParser()
    add_to(parser)
    options, client = parser.parse_args(["--type", "Tank", "--silent-s", "60"]), Client()
    text = list(lines(options, answer(options, client)))
    assert client.asked == ("loose-ends", {"type": ["Tank"], "silent_s": 60.0, "limit": 1000})
    assert text[0] == "2 points give no entity anything"
    assert text[3].split(None, 1) == ["g/d/b", "urn:t:9, which is not there"]
    assert "3 entities are measured by no point" in text
    assert text[-1].split() == ["urn:t:2", "never", "g/d/c"]
