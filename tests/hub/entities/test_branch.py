"""A branch beside a plain dictionary: it is what the base was, and what was done in it."""

from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin.errors import StoreLimit
from citytwin_hub.entities import branch as module
from citytwin_hub.entities import changes
from citytwin_hub.entities.branch import Branch
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Change, Hints
from tests.hub.entities.check_store import check_store
from tests.hub.entities.samples import entity, name, prop


def made(number, value, now_ns):
    return changes.created(entity(number, "Tank", level=prop(value)), now_ns)


def write(store, model, number, value, now_ns, guards=()):
    """Write a value, or delete for None, into a store and its model."""
    after = None if value is None else made(number, value, now_ns)
    before = model.get(number)
    if before is None and after is None:
        return
    change = [Change(before, after)]
    for guard in guards:
        guard(change)
    store.write(change, now_ns)
    if after is None:
        del model[number]
    else:
        model[number] = after


def same(store, model):
    wanted = {one.id: one for one in model.values()}
    found = {one.id: one for one in store.candidates(Hints())}
    assert found == wanted
    assert store.count(Hints(types=[name("Tank")])) == len(wanted)
    every = [entity(number, "Tank").id for number in range(8)]
    assert dict(store.find(every)) == wanted
    assert all(store.get(one) == wanted.get(one) for one in every)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["base", "branch"]),
        st.integers(0, 7),
        st.one_of(st.none(), st.integers(0, 3)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(start=st.lists(st.integers(0, 7), unique=True), acts=ACTS, chosen=st.booleans())
def test_a_branch_is_what_the_base_was_and_what_was_done_in_it(
    tmp_path_factory, start, acts, chosen
):
    folder = tmp_path_factory.mktemp("branch")
    with closing(SqliteEntities(folder / "base.db")) as base:
        now, then = {}, {}
        for number in start:
            write(base, now, number, 0, 1)
        then = {number: one for number, one in now.items() if not chosen or number % 2}
        members = {one.id for one in then.values()} if chosen else None
        branch = Branch(base, SqliteEntities(folder / "own.db"), members)
        for moment, (where, number, value) in enumerate(acts, 2):
            if where == "base":
                write(base, now, number, value, moment, [branch.preserve])
            else:
                write(branch, then, number, value, moment)
        same(base, now)
        same(branch, then)
        own = {number for where, number, _ in acts if where == "branch"}
        assert branch.changed_here <= {entity(number, "Tank").id for number in own}
        touched, changed = branch.touched, branch.changed_here
        branch.close()
        with closing(Branch(base, SqliteEntities(folder / "own.db"), members)) as again:
            same(again, then)
            assert (again.touched, again.changed_here) == (touched, changed)


def test_a_branch_of_nothing_is_a_store(tmp_path):
    with (
        closing(SqliteEntities(tmp_path / "base.db")) as base,
        closing(Branch(base, SqliteEntities(tmp_path / "own.db"), ())) as branch,
    ):
        check_store(branch)


def test_a_reading_that_has_begun_goes_on_with_what_was(tmp_path):
    with closing(SqliteEntities(tmp_path / "base.db")) as base:
        now = {}
        for number in range(4):
            write(base, now, number, 0, 1)
        was = list(now.values())
        with closing(Branch(base, SqliteEntities(tmp_path / "own.db"), None)) as branch:
            reading = branch.candidates(Hints())
            seen = [next(reading), next(reading)]
            for number in range(4):
                write(base, now, number, 9, 2, [branch.preserve])
            assert sorted([*seen, *reading], key=lambda one: one.id) == was


def test_a_branch_has_so_many_differences_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "DIFFERENCES_MAX", 2)
    with closing(SqliteEntities(tmp_path / "base.db")) as base:
        with closing(Branch(base, SqliteEntities(tmp_path / "own.db"), None)) as branch:
            branch.write([Change(None, made(1, 1, 1)), Change(None, made(2, 1, 1))], 1)
            branch.write([Change(made(1, 1, 1), made(1, 2, 1))], 1)
            with pytest.raises(StoreLimit, match="2 differences"):
                branch.write([Change(None, made(3, 1, 1))], 1)
            assert branch.get(made(3, 1, 1).id) is None
