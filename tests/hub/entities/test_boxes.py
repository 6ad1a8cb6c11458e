"""Boxes around geometries."""

from citytwin_hub.entities.boxes import box_of


def test_a_box_holds_every_position():
    line = {"type": "LineString", "coordinates": [[1, 2], [3, -4], [2, 0]]}
    hole = {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]], [[1, 1], [2, 1]]]}
    both = {"type": "GeometryCollection", "geometries": [line, hole]}
    assert box_of([line]) == (1, 3, -4, 2)
    assert box_of([hole]) == (0, 9, 0, 9)
    assert box_of([both]) == (0, 9, -4, 9)
    assert box_of([line, {"type": "Point", "coordinates": [-7, 8, 100]}]) == (-7, 3, -4, 8)


def test_what_has_no_positions_has_no_box():
    assert box_of([]) is None
    assert box_of([{"type": "Point", "coordinates": []}, "urn:ngsi-ld:null", None]) is None
