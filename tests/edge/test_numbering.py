"""Numbers of points and texts stay for ever, over restarts and changed descriptors."""

import pytest

from citytwin import Kind, Point
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
    changed = Point(id=A.id, unit="bar", attribute="pressure")
    assert again.numbers([changed]).tolist() == first[:1]
    assert again.point(first[0]) == changed


def test_what_means_something_else_has_another_number(tmp_path):
    """Old entries may wait in the outbox: what they hold was measured in the old unit."""
    names = opened(tmp_path)
    (old,) = names.numbers([A]).tolist()
    other = Point(id=A.id, unit="kPa")
    (new,) = names.numbers([other]).tolist()
    assert new != old
    for one in (names, opened(tmp_path)):
        assert (one.point(old), one.point(new)) == (A, other)
        assert one.numbers([other]).tolist() == [new]
        assert one.size == new + 1
    counter = Point(id=A.id, unit="kPa", kind=Kind.COUNTER)
    assert names.numbers([counter]).tolist() not in ([old], [new])


def test_what_is_no_more_is_told_once(tmp_path):
    names = opened(tmp_path)
    first = names.numbers([A, B])
    names.use(first)
    version = names.version
    assert not len(names.untold())
    names.use(names.numbers([B, C]))
    assert names.untold().tolist() == [first[0]]
    assert names.announcement().gone == {first[0]}
    changed = names.changed_after(version)
    assert set(changed) == {first[0], names.numbers([C])[0]}
    assert names.changed_after(names.version) == {}
    names.told()
    assert not len(names.untold())
    again = opened(tmp_path)
    again.use(again.numbers([B, C]))
    assert (again.untold().tolist(), again.gone) == ([], {first[0]})
    again.use(again.numbers([A, C]))
    assert again.untold().tolist() == [first[1]]
    again.told()
    again.use(again.numbers([B, C]))
    assert again.untold().tolist() == [first[0]], "it came back and went again"


def test_an_announcement_fits_a_session(tmp_path, monkeypatch):
    monkeypatch.setattr(numbering, "POINTS_MAX", 2)
    names = opened(tmp_path)
    a, b = names.numbers([A, B]).tolist()
    names.use(names.numbers([B, C]))
    assert names.announcement().points.keys() == {b, *names.numbers([C]).tolist()}
    assert not names.announcement().gone
    names.use(names.numbers([C]))
    assert names.announcement().points.keys() == {b, *names.numbers([C]).tolist()}, "the oldest go"
    assert names.point(a) == A


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


def test_a_text_is_found_by_its_number(tmp_path):
    names = opened(tmp_path)
    number = names.intern("қосулы")
    assert names.text(number) == "қосулы"
    assert names.text(number + 1) == ""
