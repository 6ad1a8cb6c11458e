"""The application: what is not there, and who is let in."""

from citytwin_hub.apis.ngsild.app import ByPath
from tests.hub.apis.ngsild.serving import problem, serving


async def test_what_is_not_there_is_said_so(tmp_path):
    async with serving(tmp_path) as http:
        answer = await http.get("nowhere")
        assert (answer.status_code, problem(answer)) == (404, "ResourceNotFound")
        answer = await http.put("types")
        assert (answer.status_code, problem(answer)) == (405, "OperationNotSupported")


async def test_requests_go_where_their_path_begins():
    taken = []

    def nothing(*_):
        raise AssertionError("nobody reads or sends")

    def app(name):
        async def take(scope, _receive, _send):
            taken.append((name, scope.get("path")))

        return take

    site = ByPath(app("rest"), {"/ngsi-ld/v1": app("ngsild")})
    for kind, path in (("http", "/ngsi-ld/v1/types"), ("http", "/api"), ("lifespan", None)):
        await site({"type": kind, "path": path}, nothing, nothing)
    assert taken == [("ngsild", "/ngsi-ld/v1/types"), ("rest", "/api"), ("rest", None)]
