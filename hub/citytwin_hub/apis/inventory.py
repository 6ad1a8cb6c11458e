"""Inventory over REST: what the city has and what is wrong in it, as JSON and as a page."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from citytwin_hub.apis.admitting import ApiError, Reader
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.apis.refusing import answered
from citytwin_hub.apis.rest import CONFLICT, NOT_FOUND, REFUSALS
from citytwin_hub.entities.inventory import LOCATION, TITLES, Inventory
from citytwin_hub.entities.inventory_run import Bounds, inventory
from citytwin_hub.entities.inventory_shapes import GAP_M
from citytwin_hub.entities.relations import local_name
from citytwin_hub.entities.store import Box, Hints
from citytwin_hub.policy.permit import Permit

LISTED_MAX: Final = 10_000
LISTED: Final = 1000
GAP_M_MAX: Final = 100.0
TYPES_MAX: Final = 100
_STYLE: Final = (
    "body{font:15px sans-serif;max-width:80em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.25em .8em;text-align:left;"
    "border-bottom:1px solid #ccc;vertical-align:top}"
)

router = APIRouter(prefix="/api/v1", responses=REFUSALS | NOT_FOUND | CONFLICT)
_turn = threading.Lock()


class FindingShape(BaseModel):
    """Something that somebody should look at."""

    kind: str
    id: str
    what: str
    remedy: str
    other: str
    place: tuple[float, float] | None


class Texts(BaseModel):
    """A text in three languages."""

    kk: str
    ru: str
    en: str


class ShareShape(BaseModel):
    """How many of a class have an attribute."""

    kind: str
    attribute: str
    have: int
    of: int


class InventoryShape(BaseModel):
    """What there is and what is wrong; counts are of all, the findings go up to ``limit`` each."""

    classes: dict[str, int]
    counts: dict[str, int]
    titles: dict[str, Texts]
    findings: list[FindingShape]
    shares: list[ShareShape]
    notes: list[str]


BoxText = Annotated[str, Query(max_length=100, pattern=r"^$|^-?\d+(\.\d+)?(,-?\d+(\.\d+)?){3}$")]
Tenant = Annotated[str, Query(max_length=63)]


# Not coroutines: each reads a file, and takes its time.
@router.get("/inventory", response_model=InventoryShape)
def show(
    request: Request,
    permit: Reader,
    bbox: BoxText = "",
    within: BoxText = "",
    type: Annotated[list[str], Query(max_length=TYPES_MAX)] = [],  # noqa: B006  # FastAPI copies it
    gap_m: Annotated[float, Query(gt=0, le=GAP_M_MAX)] = GAP_M,
    limit: Annotated[int, Query(ge=1, le=LISTED_MAX)] = LISTED,
    tenant: Tenant = "",
) -> dict[str, Any]:
    """Look through the city: gaps, pieces, duplicates, overlaps, elevations, what is missing."""
    return told(_made(request, permit, bbox, within, type, gap_m, limit, tenant))


@router.get(
    "/inventory/page",
    response_model=None,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def page(
    request: Request,
    permit: Reader,
    bbox: BoxText = "",
    within: BoxText = "",
    gap_m: Annotated[float, Query(gt=0, le=GAP_M_MAX)] = GAP_M,
    limit: Annotated[int, Query(ge=1, le=LISTED_MAX)] = LISTED,
    lang: Annotated[str, Query(pattern="^(kk|ru|en)$")] = "en",
    tenant: Tenant = "",
) -> HTMLResponse:
    """Show the same as a page that needs nothing from elsewhere."""
    made = _made(request, permit, bbox, within, [], gap_m, limit, tenant)
    return HTMLResponse(page_of(told(made), lang))


def _made(
    request: Request,
    permit: Permit,
    bbox: str,
    within: str,
    types: list[str],
    gap_m: float,
    limit: int,
    tenant: str,
) -> Inventory:
    broker: Broker = request.app.state.broker
    entities = answered(lambda: broker.seen(broker.tenant(tenant), permit), "tenant").entities
    part, city = _bounds(bbox, "bbox"), _bounds(within, "within")
    wanted = None
    if types:
        known = entities.store.types()
        wanted = [iri for iri in known if iri in types or local_name(iri) in types]
    box = None if part is None else Box(LOCATION, *part)
    if not _turn.acquire(blocking=False):
        raise ApiError(409, "an inventory is being made; ask again when it is done")
    try:
        made: Inventory = answered(
            lambda: inventory(
                entities.select(Hints(types=wanted, box=box)),
                limit=limit,
                part=part,
                city=city,
                gap_m=gap_m,
                whole=wanted is None,
            ),
            "bbox",
        )
    finally:
        _turn.release()
    return made


def _bounds(text: str, field: str) -> Bounds | None:
    if not text:
        return None
    found = Bounds(*map(float, text.split(",")))
    if not (-180 <= found.west < found.east <= 180 and -90 <= found.south < found.north <= 90):
        raise ApiError(422, f"{field} must be west,south,east,north in degrees", field)
    return found


def told(found: Inventory) -> dict[str, Any]:
    """Return an inventory as JSON."""
    return {
        "classes": dict(found.classes),
        "counts": dict(found.counts),
        "titles": {
            kind: {"kk": one.kk, "ru": one.ru, "en": one.en} for kind, one in TITLES.items()
        },
        "findings": [one._asdict() for one in found.findings],
        "shares": [
            {"kind": one.kind, "attribute": one.attribute, "have": one.have, "of": one.of}
            for one in found.shares
        ],
        "notes": found.notes,
    }


def page_of(shown: dict[str, Any], lang: str) -> str:
    """Return an inventory as a page."""
    classes = _table(("class", "count"), sorted(shown["classes"].items()))
    shares = _table(
        ("class", "attribute", "have it", "of", "%"),
        (
            (one["kind"], one["attribute"], one["have"], one["of"],
             f"{100 * one['have'] / one['of']:.1f}")
            for one in shown["shares"]
        ),
    )  # fmt: skip
    parts = []
    for kind, count in shown["counts"].items():
        some = [one for one in shown["findings"] if one["kind"] == kind]
        rows = ((one["id"], one["what"], one["remedy"], _place(one["place"])) for one in some)
        title = html.escape(shown["titles"][kind][lang])
        parts.append(f"<h2>{title}: {count}</h2>")
        parts.append(_table(("object", "what", "what to do", "place"), rows))
        if len(some) < count:
            parts.append(f"<p>… {len(some)} / {count}</p>")
    notes = "".join(f"<p>{html.escape(one)}</p>" for one in shown["notes"])
    return (
        f'<!doctype html><html lang="{lang}"><meta charset="utf-8"><title>CityTwin</title>'
        f"<style>{_STYLE}</style><h1>CityTwin: inventory</h1>{notes}{classes}"
        f"{''.join(parts)}<h2>%</h2>{shares}</html>\n"
    )


def _place(place: tuple[float, float] | None) -> str:
    return "" if place is None else f"{place[1]:.6f}, {place[0]:.6f}"


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    top = "".join(f"<th>{html.escape(one)}" for one in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"
