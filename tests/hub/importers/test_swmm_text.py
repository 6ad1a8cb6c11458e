"""SWMM's text: words, numbers of lines, units against known ones, and limits."""

import pytest

from citytwin_hub.importers import swmm_text
from citytwin_hub.importers.frame import SourceError
from citytwin_hub.importers.swmm_text import Units, read_text


def written(tmp_path, text):
    path = tmp_path / "t.inp"
    path.write_text(text)
    return read_text(path, "utf-8")


def test_words_comments_and_numbers_of_lines(tmp_path):
    text = written(
        tmp_path, 'before\n[junctions]\n;; a\n"A 1"  2 ; b\n\n[TITLE]\n[JUNCTIONS]\nB 3\n'
    )
    assert [tuple(row) for row in text.rows("JUNCTIONS")] == [
        (4, "JUNCTIONS", ("A 1", "2")),
        (8, "JUNCTIONS", ("B", "3")),
    ]
    assert text.rows("PUMPS") == []


@pytest.mark.parametrize(
    ("unit", "one"),  # of NIST Special Publication 811, appendix B.8
    [("CFS", 2.831685e-2), ("GPM", 6.309020e-5), ("MGD", 4.381264e-2), ("LPS", 1e-3),
     ("MLD", 1.157407e-2), ("CMS", 1)],
)  # fmt: skip
def test_flows_are_cubic_metres_a_second(unit, one):
    assert Units(unit).flow(1) == pytest.approx(one, rel=1e-6)


def test_feet_inches_and_acres_go_with_the_flow_units():
    assert Units("GPM").length(10) == 3.048
    assert Units("GPM").hectares(1) == pytest.approx(0.4046856)
    assert Units("MLD").length(10) == 10
    assert Units("CFS").of("volume", 1) == pytest.approx(0.02831685, rel=1e-6)
    assert Units("CFS").of("one", 7) == 7


def test_without_flow_units_it_is_cubic_feet_and_the_last_counts(tmp_path):
    assert written(tmp_path, "[OPTIONS]\n").units().length(1) == 0.3048
    text = written(tmp_path, "[OPTIONS]\nFLOW_UNITS CFS\nFlow_Units lps\n")
    assert text.units().length(1) == 1


def test_curves_have_their_type_once_or_again(tmp_path):
    text = written(
        tmp_path, "[CURVES]\nA Storage 0 1 2 3\nA 4 5\nB PUMP1 0 1\nB PUMP1 1 2\nC X 1\n"
    )
    first, second, third = text.curves()
    assert (first.type, first.points) == ("STORAGE", ((0, 1), (2, 3), (4, 5)))
    assert second.points == ((0, 1), (1, 2))
    assert "line 6" in third.wrong


def test_limits(tmp_path, monkeypatch):
    with pytest.raises(SourceError, match=r"t\.inp:2 has over 1024 characters"):
        written(tmp_path, f"[TITLE]\n{'x' * 1025}\n")
    monkeypatch.setattr(swmm_text, "CURVE_POINTS_MAX", 1)
    (curve,) = written(tmp_path, "[CURVES]\nA STORAGE 0 1 2 3\n").curves()
    assert "over 1 points" in curve.wrong
    monkeypatch.setattr(swmm_text, "FILE_BYTES_MAX", 3)
    with pytest.raises(SourceError, match="at most 3 of this"):
        written(tmp_path, "[TITLE]\n")
