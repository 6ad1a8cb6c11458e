"""Admitting: routes of REST ask for the act that they are."""

from tests.hub.policy.city import town

WISH = {"point": "g-1/d/pump", "value": 1}


async def test_a_limited_inventory_is_of_what_is_seen(tmp_path):
    async with town(tmp_path) as call:
        for role, types in (
            ("types", {"Pump"}),
            ("area", {"Person", "Pump", "Tank"}),
            ("points", set()),
        ):
            made = (await call(role, "GET", "/api/v1/inventory")).json()
            assert {one for one in ("Person", "Pump", "Tank") if one in str(made)} == types, role
            assert "urn:ngsi-ld:Pump:2" not in str(made) or role == "types"


async def test_each_route_asks_for_its_act(tmp_path):
    urn = {"kind": "Pump", "place": [76.95, 43.2]}
    async with town(tmp_path) as call:
        for role, method, path, body, status in (
            ("", "GET", "points", None, 401),
            ("dispatcher", "POST", "commands", WISH, 202),
            ("dispatcher", "POST", "scenarios", {"name": "x"}, 403),
            ("dispatcher", "POST", "identity", urn, 403),
            ("viewer", "POST", "commands", WISH, 403),
            ("operator", "POST", "identity", urn, 201),
            ("area", "POST", "identity", urn, 201),
            ("area", "POST", "identity", {"kind": "Pump"}, 403),
            ("types", "POST", "identity", {"kind": "Tank"}, 403),
            ("types", "POST", "identity/adopt", {"urn": "urn:ngsi-ld:Pump:1"}, 403),
            ("types", "GET", "identity/journal", None, 403),
            ("types", "POST", "import", {"source": "x", "entities": []}, 403),
            ("types", "GET", "inventory", None, 200),
            ("types", "GET", "loose-ends", None, 200),
            ("operator", "GET", "identity/journal", None, 200),
            ("operator", "GET", "gateways/g-1/config/text", None, 403),
            ("types", "GET", "gateways/g-1/config", None, 404),
        ):
            answer = await call(role, method, f"/api/v1/{path}", json=body)
            assert answer.status_code == status, (role, method, path, answer.text)
