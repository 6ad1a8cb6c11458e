"""Kernel tables: ``[[kernel]]``, a calculation that a vendor's distribution brings, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from citytwin.config import At, Document
from citytwin.errors import CityTwinError, ConfigError
from citytwin.kernel import Kernel
from citytwin.point import Kind, Point, Source
from citytwin_edge import plugins
from citytwin_edge.device_tables import names, segment_at, tables
from citytwin_edge.gateway import Device
from citytwin_edge.kernels import AddedKernel, build

KERNELS_MAX: Final = 1000


class KernelSection(msgspec.Struct, kw_only=True):
    """What every ``[[kernel]]`` has; the rest belongs to the kernel.

    Attributes:
        name: what it is called on this gateway.
        kernel: the entry point (group ``citytwin.kernels``).
        inputs: device/point of each input, in the order that the kernel says.
    """

    name: str
    kernel: str
    inputs: tuple[str, ...]


def kernels_of(
    document: Document, gateway: str, devices: Sequence[Device]
) -> tuple[AddedKernel, ...]:
    """Return the kernels of a gateway's file, in its order.

    An input may be what a device has, what the gateway derives from that, or an output of a kernel
    further up in the file.

    Raises:
        ConfigError: something is wrong with one.
    """
    written = tables(document, document.data, (), "kernel", KERNELS_MAX)
    if not written:
        return ()
    points = [(one.point, one.rules) for device in devices for one in device.points]
    known = {point.id: point for point, _ in points}
    for ours in build(points).values():
        known |= {point.id: point for point in ours.outputs}
    made: list[AddedKernel] = []
    for index, table in enumerate(written):
        one = _kernel(document, table, ("kernel", index), known, gateway)
        outputs = _built(document, one, ("kernel", index), known).outputs
        known |= {point.id: point for point in outputs}
        made.append(one)
    document.unique([one.name for one in made], ("kernel",))
    return tuple(made)


def _kernel(
    document: Document, table: dict[str, Any], at: At, known: dict[str, Point], gateway: str
) -> AddedKernel:
    section = document.convert(KernelSection, table, at)
    segment_at(document, section.name, "kernel", (*at, "name"))
    try:
        kind = plugins.kernel(section.kernel)
    except ConfigError as error:
        raise document.error(str(error), (*at, "kernel")) from None
    own = names(KernelSection)
    rest = {name: value for name, value in table.items() if name not in own}
    settings = document.convert(kind.settings, rest, at, also=own)
    inputs = tuple(f"{gateway}/{one}" for one in section.inputs)
    for number, name in enumerate(inputs):
        place = (*at, "inputs", number)
        if name not in known:
            raise document.error(
                f'"{section.inputs[number]}" is no point that it could read; write device/point',
                place,
            )
        if known[name].kind == Kind.TEXT:
            raise document.error(f'"{section.inputs[number]}" is a text, not a number', place)
        if name in inputs[:number]:
            raise document.error(f'"{section.inputs[number]}" is there already', place)
    if not inputs:
        raise document.error("it needs at least one", (*at, "inputs"))
    points = tuple(known[name] for name in inputs)
    return AddedKernel(section.name, section.kernel, kind, settings, points)


def _built(document: Document, one: AddedKernel, at: At, known: dict[str, Point]) -> Kernel:
    """Build it as the agent will, and hold it to what it promises of its points."""
    try:
        kernel: object = one.build()  # whatever a vendor's code returns
    except CityTwinError as error:
        raise document.error(str(error), at) from None
    ids = tuple(point.id for point in one.inputs)
    if not isinstance(kernel, Kernel) or tuple(kernel.inputs) != ids:
        raise document.error(
            f'kernel "{one.kernel}" does not keep the contract of citytwin.kernel: it has other '
            "inputs than it was given, or lacks a method; tell its maker",
            (*at, "kernel"),
        )
    seen = set(known)
    for point in kernel.outputs:
        origin = point.id.rpartition(".")[0]
        if point.source != Source.DERIVED or point.writable is not None:
            raise document.error(
                f'kernel "{one.kernel}" gives "{point.id}" without source=Source.DERIVED, or as '
                "something to command; tell its maker",
                (*at, "kernel"),
            )
        if origin not in ids:
            raise document.error(
                f'kernel "{one.kernel}" gives "{point.id}", which is not derived from one of its '
                "inputs (its id, a dot, a name); tell its maker",
                (*at, "kernel"),
            )
        if point.id in seen:
            raise document.error(
                f'gives "{point.id}", which there is already; each point has one source', at
            )
        seen.add(point.id)
    return kernel
