"""Networks for tests of the graph, and the slow way to the same answers."""

import wntr

from citytwin_hub.entities.graph import Graph
from citytwin_hub.entities.relations import TYPE


def net3(graph=None):
    """Return EPANET's example network 3 as a graph; each pipe, pump and valve is an object."""
    graph = graph or Graph()
    network = wntr.network.WaterNetworkModel(wntr.library.model_library.get_filepath("Net3"))
    for name, node in network.nodes():
        graph.begin(f"urn:ngsi-ld:Node:{name}", TYPE, f"https://example.org/{node.node_type}", 0)
    for name, link in network.links():
        one = f"urn:ngsi-ld:Link:{name}"
        graph.begin(one, TYPE, f"https://example.org/{link.link_type}", 0)
        graph.begin(one, "https://example.org/startsAt", f"urn:ngsi-ld:Node:{link.start_node}", 0)
        graph.begin(one, "https://example.org/endsAt", f"urn:ngsi-ld:Node:{link.end_node}", 0)
    return network, graph


def walked(edges, begin, closed=()):
    """Return what is reached over (from, to) pairs."""
    following = {}
    for one, other in edges:
        following.setdefault(one, []).append(other)
    seen = {one for one in begin if one not in closed}
    queue = list(seen)
    while queue:
        for other in following.get(queue.pop(), ()):
            if other not in seen and other not in closed:
                seen.add(other)
                queue.append(other)
    return seen
