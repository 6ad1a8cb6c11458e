"""The graph beside the slow way, at every moment."""

from unittest import mock

import networkx  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin.errors import StoreLimit
from citytwin_hub.entities import graph as module
from citytwin_hub.entities.graph import Graph
from citytwin_hub.entities.relations import KINDS, TYPE, reading
from tests.hub.entities.networks import net3, walked

NAMES = ["feeds", "isFedBy", "connects", "contains", "likes", "drainsTo"]
CHANGES = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(NAMES), st.integers(0, 9), st.booleans()),
    max_size=60,
)


def held(changes, moment_ns):
    """Return the (from, to) pairs along which something went after the first changes."""
    open_ones = set()
    for source, name, target, begins in changes[: moment_ns + 1]:
        (open_ones.add if begins else open_ones.discard)((source, name, target))
    pairs = set()
    for source, name, target in open_ones:
        kind, turned = reading(name) or ("", False)
        if not kind or not KINDS[kind].flows:
            continue
        if not turned or not KINDS[kind].directed:
            pairs.add((source, target))
        if turned or not KINDS[kind].directed:
            pairs.add((target, source))
    return pairs


@settings(max_examples=200, deadline=None)
@given(CHANGES, st.integers(0, 60), st.sampled_from([1, 3, 1000]), st.sets(st.integers(0, 9)))
def test_it_is_as_the_slow_way_at_every_moment(changes, moment_ns, wide, closed):
    graph = Graph()
    for number in range(10):
        graph.begin(str(number), TYPE, "x", -1)
    for at, (source, name, target, begins) in enumerate(changes):
        (graph.begin if begins else graph.end)(str(source), name, str(target), at)
    pairs = held(changes, moment_ns)
    shut = np.zeros(len(graph.ids), np.bool_)
    shut[[graph.numbers[str(one)] for one in closed]] = True
    with mock.patch.object(module, "WIDE", wide):
        for against in (False, True):
            way = {(b, a) for a, b in pairs} if against else pairs
            for one in range(10):
                view = graph.view(moment_ns)
                found = view.reach([graph.numbers[str(one)]], against=against, closed=shut).found
                named = [int(graph.ids[number]) for number in found]
                assert len(named) == len(set(named))
                assert set(named) == walked(way, [one], closed)
    now = graph.view()
    late = graph.view(len(changes))
    assert sorted(zip(now.tails, now.heads, now.names, strict=True)) == sorted(
        zip(late.tails, late.heads, late.names, strict=True)
    )


@pytest.mark.parametrize("wide", [1, 20, 10_000])
def test_net3_is_as_networkx_says(monkeypatch, wide):
    monkeypatch.setattr(module, "WIDE", wide)
    network, graph = net3()
    view = graph.view()
    truth = network.to_graph().to_undirected()
    for valve in ("Link:20", "Link:101", "Link:60"):
        cut = truth.copy()
        link = network.get_link(valve.partition(":")[2])
        cut.remove_edge(link.start_node_name, link.end_node_name)
        shut = np.zeros(view.size, np.bool_)
        shut[graph.numbers[f"urn:ngsi-ld:{valve}"]] = True
        for begin in ("River", "Lake", "15"):
            found = view.reach([graph.numbers[f"urn:ngsi-ld:Node:{begin}"]], closed=shut).found
            names = {graph.ids[one] for one in found}
            nodes = {one.rpartition(":")[2] for one in names if ":Node:" in one}
            assert nodes == networkx.node_connected_component(cut, begin)


def test_a_way_is_a_shortest_one():
    graph = Graph()
    for one, other in ("ab", "bc", "cd", "ae", "ed"):
        graph.begin(one, "feeds", other, 0)
    came_from = graph.view().reach([graph.numbers["a"]]).came_from
    assert graph.ids[came_from[graph.numbers["d"]]] == "e"


def test_kinds_and_types_of_a_moment():
    graph = Graph()
    graph.begin("a", "contains", "b", 0)
    graph.begin("a", TYPE, "https://example.org/House", 0)
    graph.end("a", TYPE, "https://example.org/House", 5)
    assert len(graph.view().reach([0]).found) == 1
    assert len(graph.view(kinds=["contains"]).reach([0]).found) == 2
    for words in ("House", "https://example.org/House"):
        assert graph.of_types(graph.view(4), [words])[0]
        assert not graph.of_types(graph.view(5), [words])[0]


def test_rows_of_a_store_may_come_again():
    graph = Graph()
    graph.add([("a", "feeds", "b", 1, 2), ("a", "feeds", "b", 3, None)])
    graph.begin("a", "feeds", "b", 3)
    graph.end("a", "feeds", "none", 3)
    assert len(graph) == 2


def test_there_is_a_limit(monkeypatch):
    monkeypatch.setattr(module, "ROWS_MAX", 1)
    graph = Graph()
    graph.begin("a", "feeds", "b", 1)
    with pytest.raises(StoreLimit, match="1 relations already"):
        graph.begin("a", "feeds", "c", 1)
