"""Numbers of points and texts stay for ever, over restarts and changed descriptors."""

import pytest

from citytwin import Point
from citytwin.errors import StoreFull
from citytwin_edge import numbering
from citytwin_edge.numbering import Numbering
from citytwin_edge.outbox import Outbox

A, B, C = (Point(id=f"g/d/{name}", unit="bar") for name in "abc")


def opened(tmp_path):
    return Numbering(Outbox(tmp_path / "outbox.db", size_bytes_max=1 << 20).connect())


def test_numbers_stay(tmp_path):
    first = opened(tmp_path).numbers([A, B]).tolist()
    again = opened(tmp_path)
    assert again.numbers([C, B, A]).tolist() == [3, first[1], first[0]]
    changed = Point(id=A.id, unit="kPa")
    assert again.numbers([changed]).tolist() == first[:1]
    assert again.point(first[0]) == changed


def test_announcement_holds_all_and_its_digest_changes(tmp_path):
    names = opened(tmp_path)
    names.numbers([A])
    before = names.announcement()
    number = names.intern("Іске қосылды")
    after = names.announcement()
    assert after.points == {1: A}
    assert after.texts == {number: "Іске қосылды"}
    assert before.digest != after.digest
    assert opened(tmp_path).announcement() == after


def test_texts_have_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(numbering, "TEXTS_MAX", 2)
    names = opened(tmp_path)
    assert names.intern("a") == names.intern("a")
    assert names.intern("x" * 1000) == names.intern("x" * 256)
    with pytest.raises(StoreFull):
        names.intern("c")
