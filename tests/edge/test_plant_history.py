"""Histories of plants in files: what is read and what is refused."""

import pytest

from citytwin.errors import CityTwinError
from citytwin_edge.plant_history import read

SECOND = 10**9


def written(tmp_path, *rows, head="point,time,value"):
    path = tmp_path / "history.csv"
    path.write_text("\n".join((head, *rows)) + "\n")
    return path


def test_an_export_is_read_by_point_without_its_gateway(tmp_path):
    path = written(
        tmp_path,
        "g/pump/flow,2026-01-01T05:00:00.000+05:00,1.5,,0,good",
        "g/pump/flow,2026-01-01T05:01:00.000+05:00,,,129,silent",
        "g/pump/flow,2026-01-01T05:02:00.000+05:00,9e9,,67,range",
        "g/a/level,1767225660,2,,0,good",
        head="point,time,value,text,quality,reason",
    )
    found = read(path)
    assert list(found) == ["a/level", "pump/flow"]
    assert found["pump/flow"].time_ns.tolist() == [1_767_225_600 * SECOND]
    assert found["pump/flow"].value.tolist() == [1.5]
    assert list(read(path, ["g/a/*"])) == ["pump/flow"]


@pytest.mark.parametrize(
    ("rows", "head", "words"),
    [
        ((), "point,value", "history.csv:1: the first line must name the columns"),
        (("a/b,yesterday,1",), "point,time,value", "history.csv:2: time 'yesterday' or value"),
        (("a/b,1,x",), "point,time,value", "history.csv:2: .* value 'x' is not one"),
        (("a/b,1",), "point,time,value", "history.csv:2"),
        (("flow,1,1",), "point,time,value", "'flow' is not a point"),
        (("g/a/b,1,1", "h/a/b,1,1"), "point,time,value", "of the gateways g, h"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, rows, head, words):
    with pytest.raises(CityTwinError, match=words):
        read(written(tmp_path, *rows, head=head))


def test_a_file_that_is_absent_is_said(tmp_path):
    with pytest.raises(CityTwinError, match=r"none\.csv: cannot be read: No such file"):
        read(tmp_path / "none.csv")
