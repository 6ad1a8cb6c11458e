"""The application: what is not there, and who is let in."""

import pytest

from citytwin_hub.access import Access, AccessError, Role
from citytwin_hub.apis.ngsild.app import ByPath, admission
from tests.hub.apis.ngsild.serving import problem, serving


async def test_what_is_not_there_is_said_so(tmp_path):
    async with serving(tmp_path) as http:
        answer = await http.get("nowhere")
        assert (answer.status_code, problem(answer)) == (404, "ResourceNotFound")
        answer = await http.put("types")
        assert (answer.status_code, problem(answer)) == (405, "OperationNotSupported")


async def test_requests_go_where_their_path_begins():
    taken = []

    def app(name):
        async def take(scope, _receive, _send):
            taken.append((name, scope.get("path")))

        return take

    site = ByPath(app("rest"), {"/ngsi-ld/v1": app("ngsild")})
    for kind, path in (("http", "/ngsi-ld/v1/types"), ("http", "/api"), ("lifespan", None)):
        await site({"type": kind, "path": path}, None, None)
    assert taken == [("ngsild", "/ngsi-ld/v1/types"), ("rest", "/api"), ("rest", None)]


def test_a_token_opens_and_nobody_comes_without_unless_it_is_allowed(tmp_path):
    access = Access(tmp_path / "access.db")
    token = access.add("su", Role.VIEWER)
    admit = admission(access, lambda: 0, None)
    admit(f"Bearer {token}", Role.VIEWER)
    for given, least in (
        (f"Bearer {token}", Role.OPERATOR),
        ("", Role.VIEWER),
        (token, Role.VIEWER),
    ):
        with pytest.raises(AccessError):
            admit(given, least)
    admit = admission(access, lambda: 0, Role.VIEWER)
    admit("", Role.VIEWER)
    with pytest.raises(AccessError):
        admit("", Role.OPERATOR)
    with pytest.raises(AccessError):
        admit("Bearer wrong", Role.VIEWER)
    access.close()
