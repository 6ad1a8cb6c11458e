"""Entities for tests: tanks, pipes and cars of a small city."""

from citytwin_hub.entities.model import Attribute, AttributeKind, Entity

BASE = "https://example.org/"
LOCATION = "https://uri.etsi.org/ngsi-ld/location"


def name(term):
    """Return an IRI."""
    return BASE + term


def prop(value, **more):
    """Return a Property."""
    return Attribute(kind=AttributeKind.PROPERTY, value=value, **more)


def point(lon, lat, **more):
    """Return a GeoProperty that is a point."""
    value = {"type": "Point", "coordinates": [lon, lat]}
    return Attribute(kind=AttributeKind.GEO, value=value, **more)


def link(*targets, **more):
    """Return a Relationship."""
    value = targets[0] if len(targets) == 1 else list(targets)
    return Attribute(kind=AttributeKind.RELATIONSHIP, value=value, **more)


def entity(number, kind="Tank", *, scopes=(), expires_ns=None, **attributes):
    """Return an entity; each attribute is an instance or a tuple of them."""
    return Entity(
        id=f"urn:ngsi-ld:{kind}:{number}",
        types=(name(kind),),
        scopes=scopes,
        expires_ns=expires_ns,
        attributes={
            LOCATION if term == "location" else name(term): given
            if isinstance(given, tuple)
            else (given,)
            for term, given in attributes.items()
        },
    )
