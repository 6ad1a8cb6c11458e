"""What is not there, and what cannot be done."""

from tests.hub.apis.ngsild.serving import problem
from tests.hub.apis.ogc.serving import serving


async def test_what_is_not_there_is_said_so(tmp_path):
    async with serving(tmp_path) as (http, _):
        answer = await http.get("/ogc/nowhere")
        assert (answer.status_code, problem(answer)) == (404, "ResourceNotFound")
        answer = await http.post("/ogc/features/v1/collections")
        assert (answer.status_code, problem(answer)) == (405, "OperationNotSupported")


async def test_the_whole_hub_serves_features(running):
    async with running.client() as http:
        answer = await http.get(running.address + "/ogc/features/v1")
        assert answer.status_code == 200
        assert answer.json()["links"]
        http.headers.pop("Authorization")
        assert (await http.get(running.address + "/ogc/features/v1")).status_code == 401
