"""The OpenAPI document of the features: valid, and of every route there is."""

import re

from openapi_spec_validator import OpenAPIV30SpecValidator

from citytwin_hub.apis.ogc.app import ROUTES
from citytwin_hub.apis.ogc.calls import FEATURES
from citytwin_hub.apis.ogc.document import path_of
from tests.hub.apis.ogc.serving import serving


async def test_the_document_is_openapi_3_0_and_has_every_route(tmp_path):
    async with serving(tmp_path) as (http, _):
        answer = await http.get(FEATURES + "/api")
        assert answer.headers["content-type"] == "application/vnd.oai.openapi+json;version=3.0"
        document = answer.json()
        OpenAPIV30SpecValidator(document).validate()
        routes = {path_of(one) for one in ROUTES if one.path.startswith(FEATURES)}
        assert document["paths"].keys() == routes - {FEATURES + "/api"}


def test_every_part_of_a_path_is_a_parameter():
    for route in ROUTES:
        named = {one.name for one in route.resource.parameters if one.where == "path"}
        assert named == set(re.findall(r"{(\w+)}", path_of(route))), route.path
