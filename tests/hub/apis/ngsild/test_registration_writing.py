"""Names of one @context in registrations."""

from citytwin_hub.apis.ngsild.registration_writing import write
from citytwin_hub.entities.sources import Information, Known, Source
from citytwin_hub.jsonld.contexts import Contexts


def test_what_has_no_term_stays_an_iri():
    own, other = "https://uri.etsi.org/ngsi-ld/default-context/Well", "https://example.org/level"
    source = Source(
        id="urn:x:1", endpoint="http://h:1",
        information=(Information(entities=(Known(types=(own, other)),), properties=(other,)),),
        properties={other: 1}, scopes=("/A",),
    )  # fmt: skip
    assert write(source, Contexts.core) == {
        "id": "urn:x:1",
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": ["Well", other]}], "propertyNames": [other]}],
        "endpoint": "http://h:1",
        "scope": "/A",
        other: 1,
    }
