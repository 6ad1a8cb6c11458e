"""Calculations: what an installed kernel calculates, reads, gives and takes, from its code alone.

Ours say their inputs and outputs; of a vendor's that does not, its settings and texts are known.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import msgspec

from citytwin_edge import plugins
from citytwin_edge.catalogue.fields import Table, tables
from citytwin_edge.catalogue.installed import distribution, nearest
from citytwin_edge.catalogue.meanings import caption, needed, paragraphs, section


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One place in ``inputs``.

    Attributes:
        name: what is read there.
        unit: UCUM code in which is calculated; a point in a unit that can become it will do.
    """

    name: str
    unit: str


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One point that a kernel gives.

    Attributes:
        name: what stands behind the first input's id and a dot.
        unit: UCUM code.
        kind: what its numbers mean: "analog", "counter", "state", "alarm".
        label: for people, by language.
        attribute: of the city object that the first input feeds; empty for none.
    """

    name: str
    unit: str
    kind: str
    label: dict[str, str]
    attribute: str


class Calculation(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one kernel.

    Attributes:
        name: its entry point's, as ``kernel = "…"`` names it.
        domain: the folder that it lies in: "heat"; empty for a vendor's.
        summary: what it calculates and by which source, one line.
        about: more of that, a paragraph each, as Markdown.
        distribution: the package that brought it, with its version; empty where that is not known.
        inputs: in order; None where its code does not say.
        outputs: in order; None where its code does not say.
        fields: its ``[[kernel]]`` table and those in it, without the fields of every kernel.
        refuses: what is wrong with settings and inputs that it does not take.
    """

    name: str
    domain: str
    summary: str
    about: tuple[str, ...]
    distribution: str
    inputs: tuple[Input, ...] | None
    outputs: tuple[Output, ...] | None
    fields: tuple[Table, ...]
    refuses: str


def calculation(name: str) -> Calculation:
    """Return what is known of an installed kernel; imports it.

    Raises:
        ConfigError: there is none, or it cannot be imported.
        CityTwinError: Python has left the docstrings out.
    """
    needed()
    kind: Any = plugins.kernel(nearest(name, plugins.KERNELS))
    place = plugins.installed(plugins.KERNELS)[name].partition(":")[0]
    module = importlib.import_module(place)
    reads, gives = getattr(kind, "reads", None), getattr(kind, "gives", None)
    ours = place.startswith("citytwin_edge.kernels.")
    make = getattr(kind, "make", kind.build)
    return Calculation(
        name=name,
        domain=place.split(".")[2] if ours and place.count(".") > 2 else "",
        summary=str(getattr(kind, "summary", "")) or caption(module),
        about=tuple(paragraphs((inspect.getdoc(module) or "").partition("\n\n")[2])),
        distribution=distribution(name, plugins.KERNELS),
        inputs=None if reads is None else tuple(_input(one) for one in reads),
        outputs=None if gives is None else tuple(_output(one) for one in gives),
        fields=tuple(tables(kind.settings, "kernel")),
        refuses=section(make.__doc__ or "", "Raises").get("ConfigError", ""),
    )


def _input(one: Any) -> Input:
    return Input(name=one.name, unit=one.unit)


def _output(one: Any) -> Output:
    return Output(
        name=one.name,
        unit=one.unit,
        kind=str(one.kind),
        label={key: text for key, text in msgspec.to_builtins(one.label).items() if text},
        attribute=one.attribute,
    )
