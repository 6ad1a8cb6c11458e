"""`citytwin-hub scenario` as people see it, on what the hub answers."""

import argparse

from citytwin_hub.scenario_command import add_to, answer, lines

ONE = {
    "id": "urn:p:1",
    "by": "present",
    "change": "changed",
    "attributes": ["https://x.org/a/speed"],
}
SCENARIO = {"id": "urn:s:1", "name": "faster", "created_ms": 0, "failure": ""}
FOUND = {
    "scenarios": {"scenarios": [SCENARIO]},
    "scenarios/differences": {"count": 3, "differences": [ONE]},
}  # fmt: skip


class Client:
    def get(self, path, **query):
        self.asked = (path, query)
        return FOUND[path]

    def post(self, path, body):
        self.asked = (path, body)
        return {"id": "urn:s:1", "entities": 2}


def shown(*words):
    parser = argparse.ArgumentParser()
    add_to(parser)
    options, client = parser.parse_args(words), Client()
    return client, list(lines(options, answer(options, client)))


def test_what_is_asked_and_shown():
    client, text = shown("create", "pump 3 closed")
    assert (client.asked, text) == (("scenarios", {"name": "pump 3 closed"}), ["urn:s:1"])
    client, text = shown("list")
    assert text[1].split()[:2] == ["urn:s:1", "faster"]
    client, text = shown("compare", "urn:s:1", "--limit", "1")
    assert client.asked == ("scenarios/differences", {"id": "urn:s:1", "limit": 1})
    assert text[1].split() == ["urn:p:1", "changed", "present", "speed"]
    assert text[-1] == "… and 2 more (--limit)"
    client, text = shown("keep", "urn:s:1", "--force")
    assert client.asked[0] == "scenarios/keep?id=urn:s:1&force=true"
    assert text == ["2 objects are now as in the branch"]
    client, text = shown("discard", "urn:s:1")
    assert (client.asked[0], text) == (
        "scenarios/discard?id=urn:s:1",
        ["urn:s:1 is discarded"],
    )
