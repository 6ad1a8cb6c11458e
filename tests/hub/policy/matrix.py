"""The matrix: each role tries each act on each sort of thing, over HTTP."""

import base64
import tempfile
from pathlib import Path

from citytwin import Point, Span
from tests.hub.policy.city import INSIDE, LD, OGC, OUTSIDE, entity, town

PAGE = "docs/permissions.md"
POLICY = """
[role.only-types]
[[role.only-types.may]]
acts = ["read", "write", "subscribe", "plan"]
types = ["Device"]

[role.no-persons]
[[role.no-persons.may]]
acts = ["read", "write", "subscribe", "plan"]
without_attributes = ["ownerName"]

[role.only-area]
[[role.only-area.may]]
acts = ["read", "write", "command", "subscribe"]
area = "medeu"

[role.only-points]
[[role.only-points.may]]
acts = ["read", "command"]
points = ["g-1/d/pump"]

[area.medeu]
box = [76.9, 43.1, 77.1, 43.3]
"""
SHIPPED = (
    "admin", "operator", "viewer", "technician", "dispatcher", "planner", "vendor", "public",
)  # fmt: skip
LIMITED = ("only-types", "no-persons", "only-area", "only-points")
NOBODY = "no token"
CITY = [
    entity(1, "Device", INSIDE, batteryLevel=1, ownerName="A. Bekova"),
    entity(2, "Device", OUTSIDE, batteryLevel=2, ownerName="S. Li"),
    entity(1, "Pump", INSIDE, speed=3),
    entity(1, "Person", INSIDE, ownerName="A. Bekova"),
]
VALVE = Point(id="g-2/d/valve", writable=Span(0, 1))
DEVICE, FAR, PUMP, PERSON = (
    f"{LD}entities/urn:ngsi-ld:{one}" for one in ("Device:1", "Device:2", "Pump:1", "Person:1")
)
COUNT = f"{LD}entities?local=true&limit=0&count=true"
OWNED = f'{LD}entities?type=Device,Person&limit=0&count=true&q=ownerName=="A. Bekova"'
HEAD = """# Who may do what: the matrix

Each role tries each act on each sort of thing, over HTTP, on a hub of its own; the answers are
HTTP's status, or a count. Made by `make docs ARGS=permissions`, held by
`tests/city/test_permissions.py`. The roles are those of the [policy](specs/policy.md) that is
shipped; the last four show one limit each: `only-types` knows devices alone, `no-persons` all but
the attribute `ownerName`, `only-area` a box, `only-points` one point.

200 to 207: done. 401: a token is needed. 403: it may not. 404: for this role it is not there.

"""


def value(name, number):
    return {name: {"type": "Property", "value": number}}


def subscription(name):
    return {
        "id": f"urn:ngsi-ld:Subscription:{name}",
        "type": "Subscription",
        "entities": [{"type": "Device"}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/"}},
    }


def cases(name, row):
    """Return what is tried: words, method, path, body, and whether the count matters."""
    scenario = {"name": name}
    return [
        ("read a device", "GET", DEVICE, None),
        ("read another type: a pump", "GET", PUMP, None),
        ("read a person", "GET", PERSON, None),
        ("read a personal attribute of a device", "GET", DEVICE + "?attrs=ownerName", None),
        ("read a device outside the area", "GET", FAR, None),
        ("count everything", "GET", COUNT, None),
        ("count by a personal attribute", "GET", OWNED, None),
        ("the pumps as features", "GET", OGC + "/Pump/items", None),
        ("how a pump evolved", "GET", LD + "temporal/entities/urn:ngsi-ld:Pump:1", None),
        ("samples of a point", "GET", f"/api/v1/history?rows={row}&start_ms=0&end_ms=9", None),
        ("who gave URNs", "GET", "/api/v1/identity/journal", None),
        ("write a device", "PATCH", DEVICE + "/attrs", value("batteryLevel", 5)),
        ("write another type: a pump", "PATCH", PUMP + "/attrs", value("speed", 5)),
        ("write a personal attribute", "PATCH", DEVICE + "/attrs", value("ownerName", "X")),
        ("write a device outside the area", "PATCH", FAR + "/attrs", value("batteryLevel", 5)),
        ("make a person", "POST", LD + "entities", entity(name, "Person", INSIDE)),
        ("give a URN", "POST", "/api/v1/identity/adopt", {"urn": f"urn:ngsi-ld:Pump:{name}"}),
        ("command a point", "POST", "/api/v1/commands", {"point": "g-1/d/pump", "value": 1}),
        ("command another point", "POST", "/api/v1/commands", {"point": VALVE.id, "value": 1}),
        ("make a scenario", "POST", "/api/v1/scenarios", scenario),
        ("subscribe", "POST", LD + "subscriptions", subscription(name)),
        ("read a gateway's configuration", "GET", "/api/v1/gateways/g-2/config", None),
        ("push a gateway's configuration", "POST", "/api/v1/gateways/g-2/config", {"text": "["}),
    ]  # fmt: skip


def enrolled(hub, gateway):
    """Make a gateway known, as one that enrols."""
    now_ns = hub.clock.now_ns()
    token = hub.registry.issue_token(gateway, hub.authority.server_fingerprint, now_ns)
    text = token.partition(".")[2].upper()
    secret = base64.b32decode(text + "=" * (-len(text) % 8))[:16]
    hub.registry.enrol(gateway, secret, "1", now_ns)


async def tried(folder):
    """Return what each role was answered: rows of words and cells."""
    async with town(folder, policy=POLICY, city=CITY) as call:
        hub = call.running.hub
        enrolled(hub, "g-2")
        hub.registry.rows([VALVE])
        row = int(call.running.rows[1])
        roles = (*SHIPPED, *LIMITED, "")
        names = [role.replace("-", "") or "none" for role in roles]
        table = []
        for number, (words, *_) in enumerate(cases("x", row)):
            cells = []
            for role, name in zip(roles, names, strict=True):
                _, method, path, body = cases(name, row)[number]
                answer = await call(role, method, path, json=body)
                counted = "count=true" in path and answer.status_code == 200
                cells.append(
                    answer.headers["ngsild-results-count"] + " found"
                    if counted
                    else str(answer.status_code)
                )
            table.append((words, cells))
        return table


def written(table):
    """Return the page."""
    roles = (*SHIPPED, *LIMITED, NOBODY)
    lines = [HEAD + "| | " + " | ".join(roles) + " |", "|---|" + "---|" * len(roles)]
    lines += [f"| {words} | " + " | ".join(cells) + " |" for words, cells in table]
    return "\n".join(lines) + "\n"


async def page():
    """Return the page, of a hub that runs for it."""
    with tempfile.TemporaryDirectory() as folder:
        return written(await tried(Path(folder)))
