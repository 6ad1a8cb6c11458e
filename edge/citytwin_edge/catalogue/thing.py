"""Thing: a profile as a W3C Thing Description 1.1 (Web of Things, 2023-12-05).

Every property is read and commanded through the hub, whatever the device speaks; who gives the
device another name changes ``gateway`` and ``device`` of the links.
"""

from __future__ import annotations

import math
from typing import Any, Final

from citytwin.point import Kind, Label
from citytwin.units import unit
from citytwin_edge.catalogue.golden import device_like
from citytwin_edge.catalogue.profile import Profile, ProfilePoint
from citytwin_edge.device_tables import Owner
from citytwin_edge.gateway import GatewayPoint

CONTEXT: Final = "https://www.w3.org/2022/wot/td/v1.1"
UNITS: Final = "https://ucum.org/ucum#"
NGSI_LD: Final = "https://uri.etsi.org/ngsi-ld/"
MODELS: Final = "https://smartdatamodels.org/"
BASE: Final = "https://hub.example/api/v1/"

Json = dict[str, Any]


def thing_description(profile: Profile, owner: Owner) -> Json:
    """Return the Thing Description of a device of this profile, as a dict ready for JSON.

    Raises:
        ConfigError: the profile does not suit its adapter.
    """
    device = device_like(profile, owner)
    pairs = list(zip(profile.points, device.points, strict=True))
    file = profile.file
    return {
        "@context": [CONTEXT, {"ucum": UNITS, "ngsi-ld": NGSI_LD, "sdm": MODELS}],
        "@type": [f"sdm:{file.type}"],
        "id": f"urn:citytwin:profile:{profile.name.replace('/', ':')}",
        "title": profile.product,
        "titles": _languages(Label(*(f"{text} {profile.product}" for text in _texts(file.title)))),
        "description": file.title.en,
        "descriptions": _languages(file.title),
        "base": BASE,
        "securityDefinitions": {"token": {"scheme": "bearer", "in": "header"}},
        "security": ["token"],
        "links": [
            {"rel": "service-doc", "href": manual.url, "type": "text/html"}
            for manual in file.manual
        ],
        "properties": {point.name: _property(point, made) for point, made in pairs},
    }


def _property(point: ProfilePoint, made: GatewayPoint) -> Json:
    of = made.point
    found: Json = {
        "title": point.label.en,
        "titles": _languages(point.label),
        "type": "string" if of.kind == Kind.TEXT else "number",
        "readOnly": of.writable is None,
        "observable": True,
        "forms": [{"href": f"points?q={of.id}", "op": ["readproperty"],
                   "contentType": "application/json"}],
    }  # fmt: skip
    if of.kind != Kind.TEXT:
        found["unit"] = unit(of.unit).ucum
    if "attribute" in point.fields:
        found["@type"] = f"sdm:{point.fields['attribute']}"
    span = of.writable or of.valid
    ends = {} if span is None else {"minimum": span.low, "maximum": span.high}
    found |= {name: end for name, end in ends.items() if math.isfinite(end)}
    if of.writable is not None:
        found["forms"].append(
            {"href": "commands", "op": ["writeproperty"], "htv:methodName": "POST",
             "contentType": "application/json"}
        )  # fmt: skip
        if made.write is not None and made.write.step is not None:
            found["multipleOf"] = made.write.step
    return found


def _texts(label: Label) -> tuple[str, str, str]:
    return label.kk, label.ru, label.en


def _languages(label: Label) -> dict[str, str]:
    return dict(zip(("kk", "ru", "en"), _texts(label), strict=True))
