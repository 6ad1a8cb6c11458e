"""The schemas of the answers: valid, and the answers are as they say."""

import jsonschema
import pytest

from citytwin_hub.apis.ogc.schemas import SCHEMAS
from tests.hub.apis.ogc.serving import serving

ROOT = "/ogc/features/v1"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (ROOT, "Landing"),
        (ROOT + "/api", "OpenAPI"),
        (ROOT + "/conformance", "Conformance"),
        (ROOT + "/collections", "Collections"),
        (ROOT + "/collections/Tank", "Collection"),
        (ROOT + "/collections/Tank/queryables", "Queryables"),
        (ROOT + "/collections/Tank/items", "FeatureCollection"),
        (ROOT + "/collections/Tank/items/urn:ngsi-ld:Tank:1", "Feature"),
        (ROOT + "/collections/None", "ProblemDetails"),
    ],
)
async def test_an_answer_is_as_its_schema_says(tmp_path, path, name):
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    async with serving(tmp_path) as (http, _):
        content = (await http.get(path)).json()
        jsonschema.Draft202012Validator(schema).validate(content)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate({})
