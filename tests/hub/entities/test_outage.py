"""Who loses supply: small networks with a known answer, Net3, and the slow way."""

import networkx  # type: ignore[import-untyped]
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin_hub.entities.graph import Graph
from citytwin_hub.entities.outage import isolation, loss, sources_of, supplied
from citytwin_hub.entities.relations import TYPE
from tests.hub.entities.networks import net3, walked


def network(*ties):
    graph = Graph()
    for tie in ties:
        source, name, target = tie.split()
        graph.begin(source, TYPE if name == "is" else name, target, 0)
    return graph


def lost_of(graph, *closed, **options):
    found = loss(graph, graph.view(), [graph.numbers[one] for one in closed], **options)
    return tuple(
        {graph.ids[one] for one in part} for part in (found.lost, found.held, found.backups)
    )


HEAT = (
    "plant is HeatPlant", "plant feeds main", "main feeds v1", "main feeds v2", "v1 feeds s1",
    "v2 feeds s2", "s1 supplies h1", "s1 supplies h2", "s2 supplies h3", "h3 isSuppliedBy s2",
)  # fmt: skip


def test_a_valve_takes_what_is_behind_it():
    graph = network(*HEAT)
    assert lost_of(graph, "v1") == ({"s1", "h1", "h2"}, set(), set())
    assert lost_of(graph, "plant")[0] == {"main", "v1", "v2", "s1", "s2", "h1", "h2", "h3"}
    assert lost_of(graph, "h1")[0] == set()


def test_a_loop_holds():
    graph = network(*HEAT, "bridge connects s1", "bridge connects s2")
    assert lost_of(graph, "v1")[0] == set()
    assert lost_of(graph, "v1", "bridge")[0] == {"s1", "h1", "h2"}


def test_a_backup_stands_in():
    graph = network(*HEAT, "v2b isBackupOf v2", "main feeds v2b", "diesel isBackupOf s1")
    # A second valve that is supplied gives to what the first gave to.
    assert lost_of(graph, "v2") == (set(), {"s2", "h3"}, {"v2b"})
    assert lost_of(graph, "v2", backups=False) == ({"s2", "h3"}, set(), set())
    assert lost_of(graph, "v2", "v2b")[0] == {"s2", "h3"}
    # A diesel needs no supply; what it backs up is still without its own.
    assert lost_of(graph, "v1") == ({"s1"}, {"h1", "h2"}, {"diesel"})
    # A backup without supply does not help.
    assert "h3" in lost_of(graph, "main")[0]


def test_a_backup_is_no_source():
    graph = network("grid feeds bus", "diesel isBackupOf grid", "diesel feeds bus")
    assert [graph.ids[one] for one in sources_of(graph, graph.view())] == ["grid"]
    assert lost_of(graph, "grid") == (set(), {"bus"}, {"diesel"})


def test_net3_without_a_pump_and_a_pipe():
    water, graph = net3()
    reservoirs = [name for name, _ in water.reservoirs()]
    truth = water.to_graph().to_undirected()
    for closed in (["60"], ["20"], ["101", "10"], ["177", "179"]):
        cut = truth.copy()
        for one in closed:
            link = water.get_link(one)
            cut.remove_edge(link.start_node_name, link.end_node_name)
        kept = set().union(*(networkx.node_connected_component(cut, r) for r in reservoirs))
        found = lost_of(graph, *(f"urn:ngsi-ld:Link:{one}" for one in closed))[0]
        lost = {one.rpartition(":")[2] for one in found if ":Node:" in one}
        assert lost == set(water.node_name_list) - kept


PAIRS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30)


@settings(max_examples=200, deadline=None)
@given(PAIRS, st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)), PAIRS)
def test_it_is_as_the_slow_way(pairs, closed, sources, backups):
    graph = Graph()
    for number in range(12):
        graph.begin(str(number), TYPE, "x", 0)
    for one, other in pairs:
        graph.begin(str(one), "feeds", str(other), 0)
    for one, other in backups:
        graph.begin(str(one), "isBackupOf", str(other), 0)
    view = graph.view()
    shut = np.zeros(view.size, np.bool_)
    shut[[graph.numbers[str(one)] for one in closed]] = True
    begin = np.array([graph.numbers[str(one)] for one in sources], np.int32)
    reach, _ = supplied(graph, view, begin, shut)
    given_to = {other for _one, other in pairs}
    found = walked(pairs, sources, closed)
    while True:
        more = set(found)
        for one, other in backups:
            ready = one not in closed and (one in found or one not in given_to)
            if one != other and ready and other not in found:
                more |= {one, *(to for give, to in pairs if give == other)}
        more = walked(pairs, more - closed, closed)
        if more == found:
            break
        found = more
    assert {int(graph.ids[one]) for one in reach.found} == found


def test_which_valves_isolate_a_pipe():
    graph = network(
        "v1 is Valve", "v2 is Valve", "v3 is Valve", "main connects v1", "v1 connects pipe",
        "pipe connects joint", "joint connects v2", "joint feeds house", "v2 connects far",
        "far connects v3",
    )  # fmt: skip
    found = isolation(graph, graph.view(), graph.numbers["pipe"])
    assert {graph.ids[one] for one in found.valves} == {"v1", "v2"}
    assert {graph.ids[one] for one in found.segment} == {"pipe", "joint", "house"}
