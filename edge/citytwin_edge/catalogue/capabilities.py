"""Capabilities: what an installed adapter is, can do, takes and says, from its code alone.

Ours and a vendor's alike: whatever is found by entry point can be described.
"""

from __future__ import annotations

import importlib
from typing import Any

import msgspec

from citytwin.errors import CityTwinError
from citytwin_edge import plugins
from citytwin_edge.catalogue import abilities
from citytwin_edge.catalogue.abilities import Form, Limit, Reason
from citytwin_edge.catalogue.fields import Table, tables, toml
from citytwin_edge.catalogue.installed import distribution, nearest
from citytwin_edge.catalogue.meanings import caption, needed, section
from citytwin_edge.catalogue.shelf import Shelf


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one adapter.

    Attributes:
        name: its entry point's, as ``adapter = "…"`` names it.
        title: what it is for.
        distribution: the package that brought it, with its version; empty where that is not known.
        guide: where a technician reads how it is used; empty where it does not say.
        can: what it can do, in words of :mod:`citytwin_edge.catalogue.abilities`, all forms
            together.
        forms: what it builds, where its code says so.
        device: its ``[[device]]`` table and those in it.
        point: its ``[[device.point]]`` table and those in it.
        examples: connections that are whole, each as lines of TOML.
        limits: fixed in its code.
        reasons: qualities that its samples can have.
        refuses: what is wrong with a configuration that it does not take.
        profiles: names of the profiles on the shelf that use it.
    """

    name: str
    title: str
    distribution: str
    guide: str
    can: tuple[str, ...]
    forms: tuple[Form, ...]
    device: tuple[Table, ...]
    point: tuple[Table, ...]
    examples: tuple[str, ...]
    limits: tuple[Limit, ...]
    reasons: tuple[Reason, ...]
    refuses: str
    profiles: tuple[str, ...]


def described(name: str, shelf: Shelf) -> Capabilities:
    """Return what is known of an installed adapter; imports it.

    Raises:
        ConfigError: there is none, or it cannot be imported.
        CityTwinError: Python has left the docstrings out.
    """
    needed()
    kind: Any = plugins.adapter(nearest(name))
    place = plugins.installed()[name]
    module = place.partition(":")[0]
    names = abilities.modules(place)
    built = abilities.forms(kind)
    can = [word for form in built for word in form.can]
    can = [word for word in abilities.CAPABILITIES if word in can] + abilities.of_type(kind)
    if abilities.taps(names):
        can.append(abilities.TAPS)
    return Capabilities(
        name=name,
        title=caption(importlib.import_module(module)),
        distribution=distribution(name),
        guide=str(getattr(kind, "guide", "")),
        can=tuple(can),
        forms=tuple(built),
        device=tuple(tables(kind.device_settings, "device")),
        point=tuple(tables(kind.point_settings, "device.point")),
        examples=tuple(
            "\n".join(f"{field} = {toml(value)}" for field, value in one.items())
            for one in getattr(kind, "examples", ())
        ),
        limits=tuple(abilities.limits(names)),
        reasons=tuple(abilities.reasons(names)),
        refuses=section(kind.build.__doc__ or "", "Raises").get("ConfigError", ""),
        profiles=tuple(using(name, shelf)),
    )


def using(name: str, shelf: Shelf) -> list[str]:
    """Return the profiles that an adapter reads; one whose file is wrong is left out."""
    found = []
    for one in shelf.names():
        try:
            if shelf.profile(one).adapter == name:
                found.append(one)
        except CityTwinError:  # `citytwin-edge profiles check` says what is wrong with it
            continue
    return found
