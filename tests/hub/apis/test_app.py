"""The application: its description is valid and true, and whatever is asked gets a clear answer."""

import itertools
import json
import random
import re
from pathlib import Path

import httpx
import jsonschema
import pytest
from openapi_spec_validator import validate

from citytwin import Batch
from citytwin_hub.access import Role
from citytwin_hub.apis.app import BODY_BYTES_MAX, NO_PAGE, build_app
from citytwin_hub.config_texts import digest_of
from citytwin_protos.config_order import deflated
from citytwin_protos.session import ConfigReported
from tests.hub.running import MORE_POINTS
from tests.hub.test_metrics import enrol

CONFIG, OWN_CONFIG = "/gateways/{gateway}/config", "gateways/g-1/config"
NO_SCENARIO = "urn:ngsi-ld:Snapshot:none"
TAG = {"system": "gis", "name": "7"}
PIPE, VALVE = "urn:ngsi-ld:Pipe:1", "urn:ngsi-ld:Valve:1"
GRAPH = (
    f"downstream?of={PIPE}", f"upstream?of={PIPE}", f"neighbours?of={PIPE}",
    f"path?begin={PIPE}&end={VALVE}", f"loss?closed={VALVE}", f"isolation?of={PIPE}", "kinds",
)  # fmt: skip
IMPORTED = {
    "source": "gis",
    "entities": [
        {"id": "urn:ngsi-ld:Pipe:gis:7", "type": "Pipe",
         "source": {"type": "Property", "value": "gis"}},
        {"id": "no URN", "type": "Pipe"},
    ],
    "aliases": {"urn:ngsi-ld:Pipe:gis:7": [{"system": "bim", "name": "x"}]},
}  # fmt: skip
HEIGHTS = {"source": "lidar", "heights": [{"id": "urn:ngsi-ld:Pipe:none:1", "elevation_m": 850}]}
ARCHITECTURE = Path(__file__).parents[3] / "docs" / "architecture.md"


async def described(running):
    """Return the description, of the hub's own routes only (others: test_controls.py)."""
    async with httpx.AsyncClient() as web:
        document = (await web.get(f"{running.address}/api/openapi.json")).json()
    paths = document["paths"].items()
    document["paths"] = {path: one for path, one in paths if path.startswith("/api/v1/")}
    return document


def fits(body, schema, document):
    """Check a body against a schema of the description, with nothing beside what it names."""
    whole = json.loads(json.dumps(document))
    for shape in whole["components"]["schemas"].values():
        if shape.get("type") == "object":
            shape["additionalProperties"] = False
    jsonschema.validate(body, {**schema, "components": whole["components"]})


def schema_of(document, method, path, status):
    answer = document["paths"][path][method]["responses"][str(status)]
    return answer["content"]["application/json"]["schema"]


async def test_the_description_is_valid_openapi_and_every_route_is_in_the_documents(running):
    document = await described(running)
    validate(document)
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    table = re.sub(r"\{[a-z_]+\}", "{}", ARCHITECTURE.read_text())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], path
            assert path in BY_COOKIE or operation["security"], path
            shown = re.sub(r"\{[a-z_]+\}", "{}", path).removeprefix("/api/v1")
            assert f"{method.upper()} {shown}" in table, "docs/architecture.md has it"


WORD = "Alatau over Medeu"
BY_COOKIE = {"/api/v1/login", "/api/v1/session", "/api/v1/logout"}


def requests(span, alarm, command, raw):
    """Return method, path, route, status and body of every route: one at least."""
    return [
        ("get", "me", "/me", 200, None),
        ("post", "login", "/login", 200, {"name": "operator", "password": WORD}),
        ("get", "session", "/session", 200, None),
        ("post", "logout", "/logout", 403, None),  # it shows no CSRF token
        ("get", "points?limit=3", "/points", 200, None),
        ("get", "latest", "/latest", 200, None),
        ("get", f"history?{span}", "/history", 200, None),
        ("get", f"history?{span}&step_ms=1000", "/history", 200, None),
        ("get", "gateways", "/gateways", 200, None),
        ("get", "alarms", "/alarms", 200, None),
        (
            "post",
            f"alarms/{alarm.id}/acknowledge",
            "/alarms/{number}/acknowledge",
            200,
            None,
        ),
        ("post", "commands", "/commands", 202, {"point": "g-1/d/pump", "value": 0}),
        ("get", "commands", "/commands", 200, None),
        ("get", f"commands/{command}", "/commands/{command_id}", 200, None),
        ("post", OWN_CONFIG, CONFIG, 202, {"text": raw.decode() + "# 2\n"}),
        ("post", OWN_CONFIG, CONFIG, 409, {"text": raw.decode()}),
        ("get", OWN_CONFIG, CONFIG, 200, None),
        ("get", f"{OWN_CONFIG}/versions", f"{CONFIG}/versions", 200, None),
        ("get", f"{OWN_CONFIG}/text", f"{CONFIG}/text", 200, None),
        ("get", f"{OWN_CONFIG}/diff?old=1&new=2", f"{CONFIG}/diff", 200, None),
        ("post", f"{OWN_CONFIG}/cancel", f"{CONFIG}/cancel", 200, None),
        ("post", f"{OWN_CONFIG}/rollback", f"{CONFIG}/rollback", 202, {"number": 1}),
        ("post", f"{OWN_CONFIG}/accept", f"{CONFIG}/accept", 200, None),
        ("get", "city", "/city", 200, None),
        *(
            ("get", f"graph/{asked}", f"/graph/{asked.partition('?')[0]}", 200, None)
            for asked in GRAPH
        ),
        ("get", "commands/none", "/commands/{command_id}", 404, None),
        ("get", "latest?rows=999", "/latest", 404, None),
        ("get", "history?rows=1", "/history", 422, None),
        *CITY_OBJECTS,
    ]


CITY_OBJECTS = [
    ("post", "identity", "/identity", 201, {"kind": "Pump"}),
    ("post", "identity/adopt", "/identity/adopt", 200, {"urn": "urn:p:1"}),
    ("post", "identity/adopt", "/identity/adopt", 200, {"urn": "urn:p:2"}),
    ("post", "identity/aliases", "/identity/aliases", 200, {**TAG, "urn": "urn:p:1"}),
    ("get", "identity/resolve?system=gis&name=7", "/identity/resolve", 200, None),
    ("post", "identity/withdraw", "/identity/withdraw", 200, TAG),
    (
        "post",
        "identity/merge",
        "/identity/merge",
        200,
        {"urns": ["urn:p:1", "urn:p:2"], "into": "urn:p:2"},
    ),
    (
        "post",
        "identity/split",
        "/identity/split",
        200,
        {"urn": "urn:p:2", "parts": [{"kind": "A"}, {"kind": "B", "place": [1, 2]}]},
    ),
    ("get", "identity/journal", "/identity/journal", 200, None),
    ("post", "import", "/import", 200, IMPORTED),
    ("post", "import", "/import", 422, IMPORTED | {"source": ""}),
    ("get", "import/ids?source=gis", "/import/ids", 200, None),
    ("get", "import/nodes?type=Pipe", "/import/nodes", 200, None),
    ("post", "import/elevations", "/import/elevations", 200, HEIGHTS),
    ("post", "import/prune", "/import/prune", 200, {"source": "gis", "ids": ["urn:p:7"]}),
    ("get", "inventory", "/inventory", 200, None),
    ("get", "inventory/page", "/inventory/page", 200, None),
    ("get", "loose-ends", "/loose-ends", 200, None),
    ("post", "scenarios", "/scenarios", 201, {"name": "what if"}),
    ("get", "scenarios", "/scenarios", 200, None),
    ("get", f"scenarios/differences?id={NO_SCENARIO}", "/scenarios/differences", 404, None),
    ("post", f"scenarios/keep?id={NO_SCENARIO}", "/scenarios/keep", 404, None),
    ("post", f"scenarios/discard?id={NO_SCENARIO}", "/scenarios/discard", 404, None),
]


async def test_every_answer_is_as_described(running):
    hub, now_ns = running.hub, running.now_ns
    enrol(hub.registry, "g-1", now_ns)
    text, entries, _, alarm = hub.registry.rows(MORE_POINTS)
    (number,) = hub.registry.text_numbers(["auto"])
    running.take(Batch.of([text, entries, alarm], now_ns, [number, 3.0, 1.0]))
    (open_alarm,) = hub.alarms.active()
    hub.accounts.set_password("operator", WORD)
    document, tried = await described(running), set()
    row, end_ms = int(running.rows[0]), now_ns // 10**6
    span = f"rows={row},{text}&start_ms={end_ms - 60_000}&end_ms={end_ms + 1}"
    raw = b'[gateway]\nname = "g-1"\n'
    report = ConfigReported(digest_of(raw), "all", text=deflated(raw))
    hub.configs.reported("g-1", report, now_ns)
    async with running.client(Role.ADMIN) as web:
        made = await web.post("commands", json={"point": "g-1/d/pump", "value": 1})
        pipe = {"id": PIPE, "type": "Pipe", "feeds": {"type": "Relationship", "object": VALVE}}
        await web.post(f"{running.address}/ngsi-ld/v1/entities", json=pipe)
        for method, path, route, status, body in requests(span, open_alarm, made.json()["id"], raw):
            answer = await web.request(method, path, json=body)
            assert answer.status_code == status, answer.text
            if not answer.headers["Content-Type"].startswith("text/html"):
                schema = schema_of(document, method, f"/api/v1{route}", status)
                fits(answer.json(), schema, document)
            tried.add((method, f"/api/v1{route}"))
        history = (await web.get(f"history?{span}")).json()
        by_row = {part["row"]: part for part in history["samples"]}
        assert by_row[int(text)]["text"] == ["auto"]
    everything = {(m, path) for path, methods in document["paths"].items() for m in methods}
    assert tried == everything


ODD = [
    "", " ", "0", "-1", "1.5", "1e400", "nan", "null", "true", "[]", "{}", "999999999999999999999",
    "2147483648", "-9223372036854775809", "%00", "\x01", "қ", "a" * 5000, "1,", ",1", "1,,2", "1;2",
    "'; DROP TABLE users; --", "../../etc/passwd", "g-1/d/level",
]  # fmt: skip


PARTS = 4
"""The routes are tried in so many tests, for all together take minutes on a busy machine."""


@pytest.mark.parametrize("part", range(PARTS))
async def test_odd_parameters_get_a_clear_refusal_with_the_field(running, part):
    """Every parameter of every route with every odd value: never a 500, always the shape."""
    document = await described(running)
    problem = document["components"]["schemas"]["Problem"]
    good = {"rows": "1", "start_ms": "0", "end_ms": "1", "of": PIPE, "closed": PIPE}
    good |= {"begin": PIPE, "end": VALVE, "id": NO_SCENARIO, "source": "gis", "type": "Pipe"}
    beside = {"end_ms", "urn"}  # what is wrong in combination is said of one of them
    asked = refused = 0
    async with running.client(Role.ADMIN) as web:
        for path, methods in list(document["paths"].items())[part::PARTS]:
            if "get" not in methods:
                continue
            for parameter in methods["get"].get("parameters", []):
                for odd in ODD:
                    query = {
                        p["name"]: good[p["name"]]
                        for p in methods["get"]["parameters"]
                        if p["name"] in good
                    }
                    url = path.removeprefix("/api/v1/")
                    if parameter["in"] == "path":
                        url = url.replace(f"{{{parameter['name']}}}", odd.encode().hex()[:200])
                    else:
                        query[parameter["name"]] = odd
                    answer = await web.get(url, params=query)
                    asked += 1
                    assert answer.status_code in {200, 404, 422}, (url, query, answer.text)
                    if answer.status_code != 200:
                        refused += 1
                        fits(answer.json(), problem, document)
                        if answer.status_code == 422:
                            field = answer.json()["error"]["field"]
                            assert field in query or field in beside, (query, answer.text)
        assert (await web.get("me")).status_code == 200, "the hub lives on"
    assert refused > asked / 4


async def test_odd_bodies_get_a_clear_refusal(running):
    document = await described(running)
    problem = document["components"]["schemas"]["Problem"]
    rng = random.Random(5)
    values = [None, True, 1, -1, 1e308, "", "x" * 300, [], {}, "g-1/d/pump", "a" * 32]
    fields = ["point", "value", "expires_s", "reason", "id", "color"]
    bodies = [dict(zip(fields, rng.choices(values, k=6), strict=True)) for _ in range(150)]
    raw = [b"", b"{", b"[]", b"null", b'"x"', b'{"point": NaN}', b"\xff\xfe", b'{"a":' * 2000]
    async with running.client() as web:
        for content in itertools.chain((json.dumps(body).encode() for body in bodies), raw):
            answer = await web.post(
                "commands", content=content, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code in {400, 404, 422}, (content[:80], answer.text)
            fits(answer.json(), problem, document)
        answer = await web.post(
            "commands", content=b"{}{", headers={"Content-Type": "application/json"}
        )
        assert answer.json()["error"]["message"].startswith("the body is not JSON: ")
    assert running.hub.commands.listed() == []


async def test_bodies_that_are_too_long_or_do_not_say_how_long(running):
    async def endless():
        for _ in range(10):
            yield b"x" * 1000

    async with running.client() as web:
        long = await web.post("commands", content=b"x" * (BODY_BYTES_MAX + 1))
        assert (long.status_code, "at most 65536 bytes" in long.text) == (413, True)
        chunked = await web.post("commands", content=endless())
        assert (chunked.status_code, "Content-Length" in chunked.text) == (411, True)
        wrong = await web.delete("commands")
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, 405)


async def test_what_the_disk_refuses_is_503_and_what_is_too_much_is_422(running, monkeypatch):
    from citytwin_hub.apis import rest

    monkeypatch.setattr(rest, "SAMPLES_MAX", 100)
    row, end_ms = int(running.rows[0]), running.now_ns // 10**6
    span = f"rows={row}&start_ms={end_ms - 3_600_000}&end_ms={end_ms}"
    async with running.client() as web:
        much = await web.get(f"history?{span}")
        assert much.status_code == 422
        assert much.json()["error"]["field"] == "end_ms"
        assert "more than 100 samples" in much.json()["error"]["message"]
        steps = await web.get(f"history?rows={row}&start_ms=0&end_ms={end_ms}&step_ms=1000000")
        assert steps.status_code == 200
        running.hub.history.flush()
        for path in (running.folder / "history").glob("*.parquet"):
            path.write_bytes(b"junk")
        broken = await web.get(f"history?{span}")
        assert broken.status_code == 503
        assert ".parquet" in broken.json()["error"]["message"]


async def test_long_answers_are_compressed_and_nothing_is_kept_by_browsers(running):
    row, end_ms = int(running.rows[0]), running.now_ns // 10**6
    async with running.client() as web:
        answer = await web.get(f"history?rows={row}&start_ms={end_ms - 600_000}&end_ms={end_ms}")
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_without_a_page_it_says_how_to_build_one(running, tmp_path):
    app = build_app(running.hub.app.state.city, lambda: b"", tmp_path)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as web:
        answer = await web.get("/")
        assert (answer.status_code, answer.text) == (503, NO_PAGE)
        (tmp_path / "index.html").write_text("<p>page")
        app = build_app(running.hub.app.state.city, lambda: b"", tmp_path)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://hub"
    ) as web:
        assert (await web.get("/")).text == "<p>page"
        assert (await web.get("/../app.py")).status_code == 404
        assert (await web.get("/api/v1/nothing")).status_code == 404


@pytest.mark.parametrize("header", [None, "Bearer", "Basic eDp5", "Bearer x y", "Token x"])
async def test_without_a_token_nothing_is_told(running, header):
    document = await described(running)
    headers = {"Authorization": header} if header else {}
    async with httpx.AsyncClient(base_url=running.address, headers=headers) as web:
        for path, methods in document["paths"].items():
            for method in methods if path != "/api/v1/login" else ():
                answer = await web.request(
                    method, path.replace("{number}", "1"), params={"rows": 1}
                )
                assert answer.status_code == 401, (path, answer.text)
                fits(answer.json(), document["components"]["schemas"]["Problem"], document)
    assert running.tokens[Role.ADMIN] not in str(document)
