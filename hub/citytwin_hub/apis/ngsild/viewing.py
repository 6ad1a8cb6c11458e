"""Viewing: what a request asks for about how entities are represented, as a View.

ETSI GS CIM 009, clauses 6.3.7 (representations), 6.3.11 (times of the system), 4.21 (projections),
4.5.23 (linked entities) and 4.5.16 (GeoJSON).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from citytwin_hub.apis.ngsild import languages, projections
from citytwin_hub.apis.ngsild.asked import Asked
from citytwin_hub.apis.ngsild.projections import CORE, Projection
from citytwin_hub.apis.ngsild.view import NONE, Form, Join, View
from citytwin_hub.entities.errors import BadRequestData, InvalidRequest

JOIN_LEVEL_MAX: Final = projections.DEPTH_MAX
GEO_JSON: Final = "application/geo+json"

_JOINS: Final[Mapping[str, Join]] = {"inline": Join.INLINE, "flat": Join.FLAT}
_FORMS: Final[Mapping[str, Form]] = {
    "normalized": Form.NORMALIZED,
    "concise": Form.CONCISE,
    "keyValues": Form.SIMPLIFIED,
    "simplified": Form.SIMPLIFIED,
}


def view(asked: Asked) -> View:
    """Return how entities are to be represented; errors as ``entity_query``."""
    form, sys_attrs = _form(asked)
    attrs = asked.attributes("attrs")
    pick, omit = _projection(asked, "pick"), _projection(asked, "omit")
    projected = [each for each in (pick, omit) if each is not None]
    if attrs is not None and projected:
        raise BadRequestData("attrs cannot be given beside pick or omit: use pick for both")
    if pick is not None and omit is not None:
        projections.refuse_both(pick, omit)
    join, level = _join(asked)
    reach = level if join is not None else 0
    if any(each.depth > reach for each in projected):
        raise BadRequestData(
            "pick or omit goes on to linked entities further away than they are retrieved: say "
            "join, and a joinLevel as large as they are deep"
        )
    lang = asked.text("lang")
    datasets = asked.uris("datasetId", NONE)
    return View(
        form=form,
        sys_attrs=sys_attrs,
        languages=None if lang is None else languages.parse(lang),
        attrs=attrs if attrs is None else _no_system(attrs, asked),
        pick=pick,
        omit=omit,
        datasets=datasets and frozenset("" if each == NONE else each for each in datasets),
        geometry=_geometry(asked),
        join=join,
        join_level=level,
        contained_by=asked.uris("containedBy") or frozenset(),
    )


def _no_system(attrs: frozenset[str], asked: Asked) -> frozenset[str]:
    """Return attributes without createdAt and its kin, which every entity has."""
    return attrs - {asked.names.expand(name) for name in CORE - {"id", "type"}}


def _projection(asked: Asked, what: str) -> Projection | None:
    given = asked.values.get(what)
    if given is None:
        return None
    return projections.parse(
        given if isinstance(given, str) else asked.listed(what) or (), asked.names, what
    )


def _form(asked: Asked) -> tuple[Form, bool]:
    """Return the representation, and whether it has times of the system (clause 6.3.7, 6.3.11).

    Raises:
        InvalidRequest: there is no such representation.
    """
    form, sys_attrs = Form.NORMALIZED, False
    for option in asked.values.get("options", ()):
        if option == "sysAttrs":
            sys_attrs = True
        elif option in _FORMS:
            form = _FORMS[option]
        else:
            raise InvalidRequest(f"options: {option!r} is none of sysAttrs, {', '.join(_FORMS)}")
    wanted = asked.text("format")
    if wanted is not None:
        if wanted not in _FORMS:
            raise InvalidRequest(f"format {wanted!r} is none of {', '.join(_FORMS)}")
        form = _FORMS[wanted]
    return form, sys_attrs


def _join(asked: Asked) -> tuple[Join | None, int]:
    """Return where linked entities go, and how many links are followed (clause 4.5.23)."""
    text = asked.text("join")
    if text not in (None, NONE, *_JOINS):
        raise BadRequestData(f"join {text!r} is none of inline, flat, {NONE}")
    level = asked.number("joinLevel", 1)
    if not 1 <= level <= JOIN_LEVEL_MAX:
        raise BadRequestData(f"joinLevel is {level}: it can be 1 to {JOIN_LEVEL_MAX}")
    return _JOINS.get(text or NONE), level


def _geometry(asked: Asked) -> str | None:
    """Return the attribute that is the geometry of GeoJSON; None: no GeoJSON is wanted."""
    given = asked.text("geometryProperty")
    if asked.media == GEO_JSON:
        return asked.names.expand(given or "location")
    if given is not None:
        raise BadRequestData(f"geometryProperty is only for {GEO_JSON}: send Accept: {GEO_JSON}")
    return None
