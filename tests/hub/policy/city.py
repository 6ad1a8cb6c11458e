"""A small city with something for every limit, and roles that each have one."""

import contextlib

import httpx

from tests.hub.running import serving

LD = "/ngsi-ld/v1/"
OGC = "/ogc/features/v1/collections"
POLICY = """
[role.types]
[[role.types.may]]
acts = ["read", "write", "command", "plan", "subscribe"]
types = ["Pump"]

[role.attributes]
[[role.attributes.may]]
acts = ["read", "write", "subscribe"]
types = ["Pump", "Tank"]
without_attributes = ["ownerName"]

[role.area]
[[role.area.may]]
acts = ["read", "write", "command", "subscribe"]
area = "medeu"

[role.points]
[[role.points.may]]
acts = ["read", "command"]
points = ["g-1/d/pump"]

[role.reader]
[[role.reader.may]]
acts = ["read"]
[[role.reader.may]]
acts = ["write"]
types = ["Tank"]

[role.public]
delay_s = 600
mean_s = 60
round = { level = 0.5 }
[[role.public.may]]
acts = ["read"]
types = ["Tank"]
without_attributes = ["ownerName"]

[area.medeu]
box = [76.9, 43.1, 77.1, 43.3]

[personal]
attributes = ["ownerName"]
"""
INSIDE, OUTSIDE = [76.95, 43.2], [76.5, 43.2]


def entity(number, kind, place, **attributes):
    """Return an entity as NGSI-LD has it."""
    return {
        "id": f"urn:ngsi-ld:{kind}:{number}",
        "type": kind,
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": place}},
        **{name: {"type": "Property", "value": value} for name, value in attributes.items()},
    }


CITY = [
    entity(1, "Pump", INSIDE, speed=3, ownerName="A. Bekova"),
    entity(2, "Pump", OUTSIDE, speed=4, ownerName="S. Li"),
    entity(1, "Tank", INSIDE, level=2.3, ownerName="A. Bekova"),
    entity(2, "Tank", OUTSIDE, level=7.7, ownerName="S. Li"),
    entity(1, "Person", INSIDE, ownerName="A. Bekova"),
]


class Calling:
    """Calls a hub in a role; without one as nobody."""

    def __init__(self, running, web, tokens):
        self.running, self.web, self.tokens = running, web, tokens
        self.row, self.rows = 0, {}

    async def __call__(self, role, method, path, **more):
        headers = more.pop("headers", {})
        if role:
            headers = headers | {"Authorization": f"Bearer {self.tokens[role]}"}
        return await self.web.request(method, path, headers=headers, **more)


@contextlib.asynccontextmanager
async def town(tmp_path, policy=POLICY, city=None, **settings):
    """Give what calls a hub that has the city, in a role."""
    (tmp_path / "policy.toml").write_text(policy)
    hub = {"state": str(tmp_path / "hub"), "policy": str(tmp_path / "policy.toml")}
    async with (
        serving(tmp_path / "hub", hub=hub, **settings) as running,
        httpx.AsyncClient(base_url=running.address) as web,
    ):
        access = running.hub.access
        tokens = {one: access.add(f"u-{one}", one) for one in running.hub.policy.roles}

        call = Calling(running, web, tokens)
        made = await call("admin", "POST", LD + "entityOperations/create", json=city or CITY)
        assert made.status_code == 201, made.text
        yield call
