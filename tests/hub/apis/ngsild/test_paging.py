"""Which part of a list a page has."""

from citytwin_hub.apis.ngsild.paging import cut
from citytwin_hub.apis.ngsild.parameters import Page


def test_a_page_has_at_most_as_many_as_asked_for():
    assert cut(range(10), Page(limit=3, offset=2)) == range(2, 5)
    assert list(cut(range(3), Page(limit=3, offset=2))) == [2]
    assert not cut(range(3), Page(limit=3, offset=3))
    assert not cut(range(3), Page(limit=0, count=True))
