"""Scenarios over real sockets: branched, changed through NGSI-LD, compared, kept, discarded."""

from citytwin_hub.access import Role

PUMP = "urn:ngsi-ld:Pump:1"


async def test_a_what_if_from_branch_to_city(running):
    async with running.client(Role.ADMIN) as web:
        ngsild = f"{running.address}/ngsi-ld/v1/entities"
        speed = {"type": "Property", "value": 1}
        await web.post(ngsild, json={"id": PUMP, "type": "Pump", "speed": speed})
        made = (await web.post("scenarios", json={"name": "faster"})).json()
        head = {"NGSILD-Snapshot": made["id"]}
        changed = await web.patch(
            f"{ngsild}/{PUMP}/attrs", json={"speed": speed | {"value": 2}}, headers=head
        )
        assert changed.status_code == 204
        found = (await web.get("scenarios/differences", params={"id": made["id"]})).json()
        (one,) = found["differences"]
        assert (found["count"], one["id"], one["by"], one["change"]) == (
            1, PUMP, "scenario", "changed",
        )  # fmt: skip
        assert one["attributes"][0].endswith("speed")
        assert [each["name"] for each in (await web.get("scenarios")).json()["scenarios"]] == [
            "faster"
        ]
        kept = await web.post(f"scenarios/keep?id={made['id']}")
        assert kept.json() == {"entities": 1}
        assert (await web.get(f"{ngsild}/{PUMP}")).json()["speed"]["value"] == 2
        again = await web.post(f"scenarios/keep?id={made['id']}")
        assert again.status_code == 409, "the city is no longer what the branch began with"
        gone = await web.post(f"scenarios/discard?id={made['id']}")
        assert gone.json() == {"id": made["id"]}
        assert (await web.post(f"scenarios/discard?id={made['id']}")).status_code == 404
    async with running.client(Role.VIEWER) as web:
        assert (await web.post("scenarios", json={"name": "mine"})).status_code == 403
