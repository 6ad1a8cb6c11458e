"""Which part of an evolution is asked for, and what an answer has of it."""

import pytest

from citytwin_hub.entities.evolution_store import Dated, Head, Moment, Span
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.windows import Evolution, Relation, Window, cut, overlap, scopes_of
from tests.hub.entities.samples import prop


def evolution(**times):
    return Evolution(
        id="urn:x:1", types=(), created_ns=0, modified_ns=0, deleted_ns=None,
        attributes={name: [Dated(at, prop(at)) for at in some] for name, some in times.items()},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "expected"),
    [(5, 15, (10, 15)), (12, None, (12, 20)), (0, 10, None), (20, None, None), (0, 99, (10, 20))],
)
def test_spans_that_overlap(start_ns, end_ns, expected):
    whole = Span(Moment.OBSERVED, 10, 20)
    found = overlap(whole, start_ns, end_ns)
    assert found == (expected and Span(Moment.OBSERVED, *expected))
    assert overlap(Span(Moment.ANY), 3, None) == Span(Moment.ANY, 3, None)


@pytest.mark.parametrize(
    ("window", "newest", "edge", "expected"),
    [
        (Window(), False, 3, (1, 3)),
        (Window(relation=Relation.BEFORE, at_ns=9), False, 3, (1, 3)),
        (Window(relation=Relation.AFTER, at_ns=0), False, 3, (0, 3)),
        (Window(relation=Relation.BETWEEN, at_ns=0, end_ns=9), False, 3, (0, 3)),
        (Window(last=2), True, 3, (5, 3)),
        (Window(last=2, relation=Relation.AFTER), True, 3, (5, 3)),
        (Window(last=2, relation=Relation.BEFORE, at_ns=9), True, 3, (9, 3)),
        (Window(last=2, relation=Relation.BETWEEN, at_ns=0, end_ns=8), True, 3, (8, 3)),
    ],
)
def test_a_part_ends_where_every_attribute_is_whole(window, newest, edge, expected):
    one, other = evolution(level=[1, 2, 3, 4]), evolution(level=[5], flow=[2, 3])
    part = cut([one, other], window, edge, newest=newest)
    assert (part.start_ns, part.end_ns, part.last) == (*expected, window.last)
    kept = [at for at in (1, 2, 3, 4) if (at >= edge if newest else at <= edge)]
    assert [each.time_ns for each in one.attributes["level"]] == kept
    assert [each.time_ns for each in other.attributes["level"]] == ([5] if newest else [])


def head(at, scopes=(), *, given=False, observed_ns=None, deleted_ns=None):
    entity = Entity(id="urn:x:1", types=(), scopes=scopes, modified_ns=at, deleted_ns=deleted_ns)
    return Head(at, given, observed_ns, entity)


def test_scopes_are_instances_where_they_changed():
    heads = [
        head(1, ("/A",)),
        head(2, ("/A",)),
        head(3, given=True),
        head(4, ("/B",), given=True, observed_ns=2),
        head(5),
        head(6, given=True, deleted_ns=6),
    ]
    values = {
        moment: [(one.time_ns, one.attribute.value) for one in scopes_of(heads, moment)]
        for moment in Moment
    }
    shown = [(1, ("/A",)), (2, ("/B",))]
    assert values[Moment.OBSERVED] == shown
    assert values[Moment.DELETED] == [(5, ()), (6, ())]
    assert values[Moment.ANY] == [*shown, (5, ()), (6, ())]
    assert values[Moment.MODIFIED] == [(1, ("/A",)), (4, ("/B",)), (5, ()), (6, ())]
