"""Past: who is limited changes only the evolution that is his, and late roles see none."""

from tests.hub.policy.city import INSIDE, LD, OUTSIDE, entity, town

HERE = entity(8, "Tank", INSIDE) | {"level": [{"type": "Property", "value": 1}]}
BEFORE = LD + "entities/urn:ngsi-ld:Tank:1?at=2026-01-01T00:00:00Z"
TEMPORAL = LD + "temporal/entities"
DATED = {"observedAt": "2026-01-01T00:00:00Z"}


def given(kind, value=1):
    return {"id": "urn:x:9", "type": kind, "level": [level(value)]}


def level(value):
    return {"type": "Property", "value": value, **DATED}


async def test_evolution_is_provided_only_where_it_is_allowed(tmp_path):
    async with town(tmp_path) as call:
        tank = f"{TEMPORAL}/urn:ngsi-ld:Tank:1"
        for role, method, path, body, status in (
            ("types", "POST", f"{tank}/attrs", {"level": [level(1)]}, 404),
            ("attributes", "POST", f"{tank}/attrs", {"level": [level(1)]}, 204),
            ("attributes", "POST", f"{tank}/attrs", {"ownerName": [level(1)]}, 403),
            ("attributes", "DELETE", f"{tank}/attrs/ownerName", None, 403),
            ("attributes", "DELETE", f"{tank}/attrs/level?deleteAll=true", None, 204),
            ("types", "POST", TEMPORAL, given("Tank"), 403),
            ("types", "POST", TEMPORAL, given("Pump"), 201),
            ("types", "POST", TEMPORAL, given("Tank", 2), 403),
            ("area", "POST", TEMPORAL, entity(8, "Tank", OUTSIDE) | {"level": [level(1)]}, 403),
            ("area", "POST", TEMPORAL, HERE, 201),
            ("public", "GET", tank, None, 404),
            ("public", "GET", BEFORE, None, 404),
        ):  # fmt: skip
            answer = await call(role, method, path, json=body)
            assert answer.status_code == status, (role, method, path, answer.text)
