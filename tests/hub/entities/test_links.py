"""Links: a relationship leads to one or several entities, nothing else does."""

from __future__ import annotations

from citytwin_hub.entities.links import targets
from citytwin_hub.entities.model import Attribute, AttributeKind


def test_relationships_lead_somewhere() -> None:
    assert targets(Attribute(kind=AttributeKind.RELATIONSHIP, value="urn:a:1")) == ("urn:a:1",)
    several = Attribute(kind=AttributeKind.LIST_RELATIONSHIP, value=["urn:a:1", "urn:a:2"])
    assert targets(several) == ("urn:a:1", "urn:a:2")
    assert targets(Attribute(kind=AttributeKind.PROPERTY, value="urn:a:1")) == ()
