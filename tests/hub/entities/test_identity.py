"""URNs and what becomes of them, without a store."""

import pytest

from citytwin_hub.entities import identity
from citytwin_hub.entities.errors import BadRequestData


def test_a_urn_says_class_and_place():
    # The published example of geohash: 57.64911, 10.40744 is u4pruydqqvj.
    assert identity.cell(10.40744, 57.64911, 11) == "u4pruydqqvj"
    assert identity.urn("Pump", (10.40744, 57.64911), 7) == "urn:ngsi-ld:Pump:u4pruy:7"
    assert identity.urn("Pump", None, 7) == "urn:ngsi-ld:Pump:0:7"
    for kind, where in (("", None), ("a b", None), ("Pump", (181, 0)), ("Pump", (0, 91))):
        with pytest.raises(BadRequestData):
            identity.urn(kind, where, 1)


def test_successors_are_limited(monkeypatch):
    ways = {"a": ["b", "c"], "b": ["d"], "c": ["d", "e"]}
    assert identity.ends_of("a", lambda one: ways.get(one, ())) == ("d", "e")
    monkeypatch.setattr(identity, "SUCCESSORS_MAX", 1)
    with pytest.raises(BadRequestData, match="more than 1"):
        identity.ends_of("a", lambda one: ways.get(one, ()))


def test_a_merge_is_of_several_that_are_there():
    for urns, retired in ((["a"], {}), (["a", "a"], {}), (["a", "b"], {"b": True})):
        with pytest.raises(BadRequestData):
            identity.check_merge(urns, retired)
