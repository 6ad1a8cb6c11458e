"""`citytwin-hub inventory` as people see it, on what the hub answers."""

import argparse

import pytest

from citytwin.errors import CityTwinError
from citytwin_hub.inventory_command import SHOWN, add_to, answer, lines

FINDING = {
    "kind": "gap", "id": "urn:a", "what": "its end is 0.5 m away", "remedy": "draw it on",
    "other": "urn:b", "place": [76.9, 43.2],
}  # fmt: skip
FOUND = {
    "classes": {"Pipe": 3},
    "counts": {"gap": 30},
    "titles": {"gap": {"kk": "Үзілген жалғаулар", "ru": "Разрывы", "en": "Ends that nearly touch"}},
    "findings": [FINDING] * 25,
    "shares": [{"kind": "Pipe", "attribute": "diameter", "have": 2, "of": 3}],
    "notes": ["a note"],
}


class Hub:
    def __init__(self, found=FOUND):
        self.found = found

    def get_slowly(self, path, **query):
        self.asked = (path, query)
        return self.found


def shown(*words, found=FOUND):
    parser = argparse.ArgumentParser()
    add_to(parser)
    options, hub = parser.parse_args([str(one) for one in words]), Hub(found)
    return hub, list(lines(options, answer(options, hub)))


def test_what_is_asked_and_shown():
    hub, text = shown("--bbox", "1,2,3,4", "--type", "Pipe", "--gap-m", "2", "--lang", "ru")
    path, query = hub.asked
    assert path == "inventory"
    assert (query["bbox"], query["type"], query["gap_m"]) == ("1,2,3,4", ["Pipe"], 2)
    assert query["within"] is None
    assert "Разрывы: 30" in text
    assert f"  … and {30 - SHOWN} more: see --html FILE or --json" in text
    assert "  urn:a: its end is 0.5 m away; draw it on" in text
    assert text[-1] == "a note"


def test_a_healthy_city_is_said_to_be_one():
    empty = FOUND | {"counts": {}, "findings": [], "notes": []}
    assert shown(found=empty)[1][-1] == "nothing is wrong"


def test_the_page_is_a_file(tmp_path):
    path = tmp_path / "city.html"
    _, text = shown("--html", path, "--lang", "kk")
    assert text[-1] == f"the page is in {path}"
    page = path.read_text(encoding="utf-8")
    assert "Үзілген жалғаулар: 30" in page
    assert "… 25 / 30" in page
    assert "66.7" in page
    with pytest.raises(CityTwinError, match="leave --type out"):
        shown("--html", path, "--type", "Pipe")
