"""Identities in their file: random merges and splits beside a model."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin_hub.entities.errors import AlreadyExists, BadRequestData, ResourceNotFound
from citytwin_hub.entities.identity import Alias
from citytwin_hub.entities.sqlite_identities import Identities


@pytest.fixture
def store(tmp_path):
    store = Identities(tmp_path / "identity.db")
    yield store
    store.close()


def test_names_of_source_systems(store):
    one, other = (store.register("Pump", (76.9, 43.2), "a", 1) for _ in range(2))
    tag = Alias("scada", "P-17")
    store.alias(tag, one, "a", 2)
    store.alias(tag, one, "a", 3)
    assert store.resolve_alias(tag).urns == (one,)
    with pytest.raises(AlreadyExists, match="withdraw it first"):
        store.alias(tag, other, "a", 4)
    store.merge([one, other], other, "b", 5)
    assert store.resolve_alias(tag) == (one, (other,), False)
    assert store.aliases(other) == (tag,)
    for act in (
        lambda: store.alias(tag, one, "a", 6),
        lambda: store.merge([one, other], one, "", 6),
    ):
        with pytest.raises(BadRequestData):
            act()
    store.withdraw(tag, "a", 7)
    with pytest.raises(ResourceNotFound):
        store.resolve_alias(tag)
    assert [(one["act"], one["by"], one["at_ns"]) for one in store.journal(2)] == [
        ("alias", "a", 2), ("merge", "b", 5), ("withdraw", "a", 7),
    ]  # fmt: skip


def test_a_urn_from_elsewhere_is_taken_once(store):
    store.adopt("urn:ngsi-ld:Pump:0:2", "a", 1)
    with pytest.raises(AlreadyExists):
        store.adopt("urn:ngsi-ld:Pump:0:2", "a", 1)
    assert store.register("Pump", None, "a", 1) == "urn:ngsi-ld:Pump:0:3"
    with pytest.raises(ResourceNotFound):
        store.resolve("urn:ngsi-ld:Pump:0:9")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 99), st.integers(0, 99)), max_size=20))
def test_it_is_as_the_model_says(tmp_path_factory, acts):
    path = tmp_path_factory.mktemp("identity") / "identity.db"
    store = Identities(path)
    alive = [store.register("Pipe", None, "a", 0) for _ in range(6)]
    means = {one: {one} for one in alive}
    given_out = set(alive)
    for is_merge, first, second in acts:
        one = alive[first % len(alive)]
        if is_merge:
            other = alive[second % len(alive)]
            if one == other:
                continue
            store.merge([one, other], other, "a", 1)
            new = {other}
        else:
            made = store.split(one, [("Pipe", None)] * (2 + second % 2), "a", 1)
            assert given_out.isdisjoint(made)
            given_out.update(made)
            means.update({part: {part} for part in made})
            alive += made
            new = set(made)
        alive.remove(one)
        for urns in means.values():
            if one in urns:
                urns.remove(one)
                urns |= new
    store.close()
    store = Identities(path)
    for one, urns in means.items():
        found = store.resolve(one)
        assert (set(found.urns), found.current) == (urns, one in alive)
    store.close()
