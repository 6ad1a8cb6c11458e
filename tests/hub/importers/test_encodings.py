"""Encodings of text files of this region."""

import pytest

from citytwin_hub.importers import encodings
from citytwin_hub.importers.frame import SourceError


@pytest.mark.parametrize(
    ("text", "written", "found"),
    [
        ("Насосная станция", "utf-8", "utf-8"),
        ("Сорғы станциясы", "utf-8-sig", "utf-8-sig"),
        ("Насосная станция № 5 «Медеу» — 100 °C", "cp1251", "cp1251"),
        ("Қарағанды көшесі, Сорғы станциясы", "kz1048", "kz1048"),
        ("plain", "ascii", "utf-8"),
        ("Сорғы", "utf-16", "utf-16"),
    ],
)
def test_encodings_are_found(tmp_path, text, written, found):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(written))
    assert encodings.of_file(path) == found
    assert path.read_text(encoding=found) == text
    assert bool(encodings.told(found)) is not found.startswith("utf-")


def test_a_letter_may_be_cut_by_a_part():
    whole = ("a" + "ң" * 10).encode()
    assert encodings.guessed([whole[:4], whole[4:]]) == "utf-8"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"gone.csv"):
        encodings.of_file(tmp_path / "gone.csv")
