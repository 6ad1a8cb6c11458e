"""Who is let in, and which parameters there are."""

import pytest

from citytwin_hub.apis.ogc.calls import Parameter, link
from citytwin_hub.policy.grants import Act
from tests.hub.apis.ngsild.serving import problem
from tests.hub.apis.ogc.serving import serving
from tests.hub.doors import OpenDoor


async def test_nothing_is_read_without_a_token(tmp_path):
    door = OpenDoor(closed=True)
    async with serving(tmp_path, door) as (http, _):
        for path in ("/ogc/features/v1", "/ogc/features/v1/collections/Tank/items"):
            answer = await http.get(path, headers={"Authorization": "Bearer x"})
            assert answer.status_code == 401
    assert door.asked == [("Bearer x", Act.READ)] * 2


async def test_a_parameter_that_is_not_there_is_refused(tmp_path):
    async with serving(tmp_path) as (http, _):
        for query in ("?limt=5", "?f=json&f=json"):
            answer = await http.get("/ogc/features/v1/conformance" + query)
            assert (answer.status_code, problem(answer)) == (400, "InvalidRequest")
        answer = await http.get("/ogc/features/v1/collections/Tank/items?filter=" + "x" * 17_000)
        assert (answer.status_code, problem(answer)) == (400, "BadRequestData")


@pytest.mark.parametrize(
    ("header", "name"), [("kk", "Су"), ("ru,en;q=0.1", "Рез"), ("??;q=", "Су")]
)
async def test_texts_are_in_the_language_of_the_browser(tmp_path, header, name):
    async with serving(tmp_path) as (http, _):
        answer = await http.get(
            "/ogc/features/v1/collections/Tank/items?limit=1", headers={"Accept-Language": header}
        )
        assert answer.json()["features"][0]["properties"]["name"].startswith(name)


def test_parameters_and_links_are_told():
    told = Parameter("collection", "which", where="path").described()
    assert (told["in"], told["required"], "style" in told) == ("path", True, False)
    assert link("/x", "self", "a/b") == {"href": "/x", "rel": "self", "type": "a/b"}
