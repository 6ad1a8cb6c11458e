"""Loose ends over real sockets, on points and entities of a running hub."""

from citytwin import Batch, Point
from citytwin_hub.access import Role

HEAD = {"Content-Type": "application/json"}
FED = [
    Point(id="g-1/d/a", feeds="urn:ngsi-ld:Tank:1", attribute="level"),
    Point(id="g-1/d/b", feeds="urn:ngsi-ld:Tank:2", attribute="level"),
    Point(id="g-1/d/c", feeds="urn:ngsi-ld:Tank:9", attribute="level"),
]


async def test_what_nothing_ties_is_listed(running):
    rows = running.hub.registry.rows(FED)
    running.take(Batch.of([rows[0]], running.now_ns, [1.0]))
    async with running.client(Role.ADMIN) as web:
        for one in ("Tank:1", "Tank:2", "Tank:3", "Pump:1"):
            entity = {"id": f"urn:ngsi-ld:{one}", "type": one.partition(":")[0]}
            provided = f"{running.address}/ngsi-ld/v1/entities"
            assert (await web.post(provided, json=entity, headers=HEAD)).status_code == 201
        found = (await web.get("loose-ends", params={"type": "Tank"})).json()
        assert found == {
            "counts": {"points": 2, "astray": 1, "unmeasured": 1, "silent": 1},
            "points": ["g-1/d/level", "g-1/d/pump"],
            "astray": [{"point": "g-1/d/c", "entity": "urn:ngsi-ld:Tank:9"}],
            "unmeasured": ["urn:ngsi-ld:Tank:3"],
            "silent": [{"id": "urn:ngsi-ld:Tank:2", "points": ["g-1/d/b"], "last_ms": None}],
        }
        few = (await web.get("loose-ends", params={"limit": 1})).json()
        assert (few["counts"]["unmeasured"], len(few["unmeasured"])) == (2, 1)
        none = (await web.get("loose-ends", params={"type": "Cloud"})).json()
        assert none["counts"] == {"points": 2, "astray": 1, "unmeasured": 0, "silent": 0}
