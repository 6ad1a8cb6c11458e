"""The demo city: an Almaty-like set of districts; its truth is simulated, its devices are real.

The network of pipes is EPANET's Net3 laid over the city; nothing in it is Almaty's own. Streets,
rivers and places come from ``places.py``, where each has its source.
"""
