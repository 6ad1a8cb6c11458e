"""The document of all HTTP: valid, whole, and the hub answers as it says (schemathesis)."""

import asyncio
import os
import re
import sys
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from openapi_spec_validator import OpenAPIV31SpecValidator

from citytwin_hub.access import Role
from citytwin_hub.apis.ngsild.app import PREFIX
from citytwin_hub.apis.ngsild.app import ROUTES as NGSILD
from citytwin_hub.apis.ngsild.calls import Operated
from citytwin_hub.apis.ogc.app import ROUTES as OGC
from citytwin_hub.apis.ogc.document import path_of as ogc_path
from citytwin_hub.apis.openapi import path_of
from tests.hub.entities.samples import entity, point, prop

EXAMPLES = 4
"""Random requests of each operation and kind; ``CITYTWIN_EXAMPLES`` sets more."""
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance"
)
KNOWN = """
[parameters]
"path.collection" = "Tank"
"path.feature" = "urn:ngsi-ld:Tank:1"
"path.entity" = "urn:ngsi-ld:Tank:2"
"path.name" = "location"
"path.gateway" = "g-1"
"path.device" = "d"
"path.property" = "level"
"path.z" = 1
"path.x" = 1
"path.y" = 0
"query.rows" = "1"
"""
"""What there is, so that requests come further than to what is not there."""


async def described(running):
    async with httpx.AsyncClient() as web:
        return (await web.get(f"{running.address}/openapi.json")).json()


def documented(document):
    return {
        (path, method.upper()) for path, methods in document["paths"].items() for method in methods
    }


async def test_every_route_is_documented_and_nothing_else(running):
    document = await described(running)
    OpenAPIV31SpecValidator(document).validate()
    rest = {
        (one.path, method)
        for one in running.hub.app.router.routes
        if isinstance(one, APIRoute) and one.include_in_schema
        for method in one.methods or ()
    }
    # FastAPI keeps routers that were included as they are: their routes are in its document.
    rest |= documented(running.hub.app.openapi())
    ogc = {(ogc_path(one), "GET") for one in OGC}
    ngsild = {
        (path_of(one, PREFIX).rstrip("/"), one.method)
        for one in NGSILD
        if isinstance(one, Operated)
    }
    assert len(ngsild) > 30
    assert documented(document) == rest | ogc | ngsild


async def test_every_operation_says_what_it_does(running):
    document = await described(running)
    names = []
    for path, methods in document["paths"].items():
        for operation in methods.values():
            names.append(operation["operationId"])
            assert operation.get("summary") or operation.get("description"), path
            parts = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert parts == set(re.findall(r"{(\w+)}", path)), path
    assert len(names) == len(set(names))


@pytest.mark.timeout(500)
async def test_the_hub_answers_random_requests_as_documented(running, tmp_path):
    entities = running.hub.broker.tenant().entities
    for number in range(3):
        tank = entity(number, "Tank", level=prop(number), location=point(76.9, 43.2))
        entities.create(tank)
    examples = os.environ.get("CITYTWIN_EXAMPLES", str(EXAMPLES))
    folder = tmp_path / "schemathesis"
    folder.mkdir()
    (folder / "schemathesis.toml").write_text(KNOWN, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{running.address}/openapi.json",
        "--header", f"Authorization: Bearer {running.tokens[Role.ADMIN]}",
        "--checks", CHECKS,
        "--phases", os.environ.get("CITYTWIN_PHASES", "fuzzing"),
        "--max-examples", examples,
        "--seed", "1",
        "--no-color",
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 500)
    assert process.returncode == 0, out.decode()[-20_000:]
    assert "passed" in out.decode()
