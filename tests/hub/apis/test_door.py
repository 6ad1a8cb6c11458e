"""Door: whoever comes is written down before he does something, and when it fails."""

import contextlib
from typing import Any

import pytest
from starlette.datastructures import URL

from citytwin.errors import StoreError
from citytwin_hub.access import Access, AccessError, Role
from citytwin_hub.apis.door import Door
from citytwin_hub.audit import Audit, entries, verify
from citytwin_hub.policy.document import load
from citytwin_hub.policy.grants import Act
from tests.hub.policy.city import CITY, LD, town

OWNER = "https://uri.etsi.org/ngsi-ld/default-context/ownerName"
PUMP = "urn:ngsi-ld:Pump:1"


class _Connection:
    """A request as the door sees it."""

    def __init__(self, token="", **headers):
        self.headers = headers | ({"authorization": f"Bearer {token}"} if token else {})
        self.url, self.client, self.scope = URL("http://h/x?y=1"), None, {"method": "PUT"}


def Connection(token="", **headers) -> Any:  # it stands for one
    return _Connection(token, **headers)


def lines(folder):
    return [(one.deed.who, one.deed.what, one.deed.on, one.deed.result) for one in entries(folder)]


def test_a_token_opens_and_nobody_comes_without_unless_it_is_allowed(tmp_path):
    with contextlib.closing(Access(tmp_path / "access.db")) as access:
        token = access.add("su", Role.VIEWER)
        closed = Door(access, load(), lambda: 0)
        assert closed.admit(Connection(token), Act.READ).name == "su"
        assert closed.admit(Connection(token), Act.COMMAND, Act.READ).role == "viewer"
        for connection, status in (
            (Connection(), 401),
            (Connection("wrong"), 401),
            (Connection(authorization=token), 401),
        ):
            with pytest.raises(AccessError) as caught:
                closed.admit(connection, Act.READ)
            assert caught.value.status == status
        with pytest.raises(AccessError, match="su is viewer and may not write this") as caught:
            closed.admit(Connection(token), Act.WRITE)
        assert caught.value.status == 403
        opened = Door(access, load(), lambda: 0, otherwise="viewer")
        assert opened.admit(Connection(), Act.READ).name == "anonymous"
        for acts in ((Act.WRITE,), (Act.COMMAND, Act.READ)):
            with pytest.raises(AccessError) as caught:
                opened.admit(Connection(), *acts)
            assert caught.value.status == 401
        with pytest.raises(AccessError):
            opened.admit(Connection("wrong"), Act.READ)
        for name in ("anonymous", "su"):
            known = opened.of_user(name)
            assert known is not None
            assert known.role == "viewer"
        assert (opened.of_user("gone"), closed.of_user("anonymous")) == (None, None)


def test_what_cannot_be_written_down_is_not_done(tmp_path):
    with (
        contextlib.closing(Access(tmp_path / "access.db")) as access,
        contextlib.closing(Audit(tmp_path / "audit")) as audit,
    ):
        token = access.add("su", Role.OPERATOR)
        door = Door(access, load(), lambda: 7, audit)
        connection = Connection(token, **{"ngsild-tenant": "t"})
        permit = door.admit(connection, Act.WRITE)
        door.record(connection, permit, Act.WRITE)
        door.failed(connection.scope, 409)
        door.failed(connection.scope, 409)
        with pytest.raises(AccessError):
            door.admit(connection, Act.CONFIGURE)
        assert lines(tmp_path / "audit") == [
            ("su", "write", "PUT /x?y=1 tenant=t", ""),
            ("su", "write", "PUT /x?y=1 tenant=t", "failed: 409"),
            ("su", "configure", "PUT /x?y=1 tenant=t", "refused: 403"),
        ]
        (tmp_path / "audit" / "head").unlink()
        with pytest.raises(StoreError):
            door.record(connection, permit, Act.WRITE)


async def test_the_longest_request_fits_into_a_record(tmp_path):
    async with town(tmp_path) as call:
        path = f"{LD}entities/urn:ngsi-ld:Pump:1/attrs/{'ғ' * 3000}"
        answer = await call("admin", "DELETE", path)
        assert answer.status_code in {400, 404}, answer.text


async def test_every_write_of_a_hub_is_in_its_log(tmp_path):
    async with town(tmp_path) as call:
        await call("admin", "POST", LD + "entities", json=CITY[0])
        await call("types", "DELETE", LD + "entities/urn:ngsi-ld:Pump:2")
        await call("points", "DELETE", LD + "entities/urn:ngsi-ld:Pump:1")
        await call("admin", "POST", "/api/v1/commands", json={"point": "g-1/d/pump", "value": 1})
        await call("planner", "POST", "/api/v1/scenarios", json={"name": "x"})
        await call("admin", "GET", LD + "entities?type=Pump")
        await call("admin", "POST", LD + "entityOperations/query", json={"type": "Query", "q": "a"})
        await call("", "DELETE", LD + "entities/urn:ngsi-ld:Pump:1")
    found = lines(tmp_path / "hub" / "audit")
    pump = "/ngsi-ld/v1/entities/urn:ngsi-ld:Pump:"
    assert found == [
        ("u-admin", "write", "POST /ngsi-ld/v1/entityOperations/create", ""),
        ("u-admin", "write", "POST /ngsi-ld/v1/entities", ""),
        ("u-admin", "write", "POST /ngsi-ld/v1/entities", "failed: 409"),
        ("u-types", "write", f"DELETE {pump}2", ""),
        ("u-points", "write", f"DELETE {pump}1", "refused: 403"),
        ("u-admin", "command", "POST /api/v1/commands", ""),
        ("u-planner", "plan", "POST /api/v1/scenarios", ""),
        ("u-admin", "read personal", f"{OWNER} of {PUMP}; GET /ngsi-ld/v1/entities?type=Pump", ""),
    ]
    assert verify(tmp_path / "hub" / "audit").number == len(found)
    [first, *_] = entries(tmp_path / "hub" / "audit")
    assert first.deed.source == "127.0.0.1"
