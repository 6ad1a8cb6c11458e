"""Kernel tables: ``[[kernel]]``, a calculation over points, checked and put in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from citytwin.config import At, Document
from citytwin.errors import CityTwinError, ConfigError, InputError
from citytwin.kernel import Kernel, KernelType, Obeys
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


class _Table(NamedTuple):
    """One ``[[kernel]]``, read and not built yet."""

    at: At
    section: KernelSection
    kind: KernelType
    settings: Any
    inputs: tuple[str, ...]


def kernels_of(
    document: Document, gateway: str, devices: Sequence[Device]
) -> tuple[AddedKernel, ...]:
    """Return the kernels of a gateway's file, each behind those whose outputs it reads.

    An input may be what a device has, what the gateway derives from that, or what another kernel
    gives, wherever that stands in the file.

    Raises:
        ConfigError: something is wrong with one, or some feed each other in a circle.
    """
    written = tables(document, document.data, (), "kernel", KERNELS_MAX)
    if not written:
        return ()
    points = [(one.point, one.rules) for device in devices for one in device.points]
    known = {point.id: point for point, _ in points}
    for ours in build(points).values():
        known |= {point.id: point for point in ours.outputs}
    waiting = [
        _table(document, table, ("kernel", index), gateway) for index, table in enumerate(written)
    ]
    document.unique([one.section.name for one in waiting], ("kernel",))
    made: list[AddedKernel] = []
    while waiting:
        ready = [one for one in waiting if all(name in known for name in one.inputs)]
        if not ready:
            raise _stuck(document, waiting, known)
        for one in ready:
            made.append(_added(document, one, known))
            known |= {
                point.id: point for point in _built(document, made[-1], one.at, known).outputs
            }
        waiting = [one for one in waiting if one not in ready]
    return tuple(made)


def _table(document: Document, table: dict[str, Any], at: At, gateway: str) -> _Table:
    section = document.convert(KernelSection, table, at)
    segment_at(document, section.name, "kernel", (*at, "name"))
    try:
        kind = plugins.kernel(section.kernel)
    except ConfigError as error:
        raise document.error(str(error), (*at, "kernel")) from None
    own = names(KernelSection)
    rest = {name: value for name, value in table.items() if name not in own}
    settings = document.convert(kind.settings, rest, at, also=own)
    if not section.inputs:
        wanted = f"it needs at least one; see: citytwin-edge kernels show {section.kernel}"
        raise document.error(wanted, (*at, "inputs"))
    for number, name in enumerate(section.inputs):
        if name in section.inputs[:number]:
            raise document.error(f'"{name}" is there already', (*at, "inputs", number))
    return _Table(at, section, kind, settings, tuple(f"{gateway}/{one}" for one in section.inputs))


def _added(document: Document, one: _Table, known: dict[str, Point]) -> AddedKernel:
    for number, name in enumerate(one.inputs):
        if known[name].kind == Kind.TEXT:
            place = (*one.at, "inputs", number)
            raise document.error(f'"{one.section.inputs[number]}" is a text, not a number', place)
    points = tuple(known[name] for name in one.inputs)
    return AddedKernel(one.section.name, one.section.kernel, one.kind, one.settings, points)


def _stuck(document: Document, waiting: Sequence[_Table], known: Collection[str]) -> ConfigError:
    """Return what is wrong when each waits for a point that nobody gives: a name, or a circle."""
    path: list[_Table] = []
    one, number = waiting[0], 0
    while one not in path:
        path.append(one)
        number = next(index for index, name in enumerate(one.inputs) if name not in known)
        # An output's id is that of an input and more.
        givers = [
            other
            for other in waiting
            if other is not one
            and any(one.inputs[number].startswith(f"{i}.") for i in other.inputs)
        ]
        if not givers:
            return document.error(
                f'"{one.section.inputs[number]}" is no point that it could read; '
                + _nearest(one.inputs[number], known),
                (*one.at, "inputs", number),
            )
        one = givers[0]
    last = path[-1]
    circle = [*path[path.index(one) :], one]
    number = next(index for index, name in enumerate(last.inputs) if name not in known)
    return document.error(
        f'"{last.section.inputs[number]}" can never be there: kernels wait for each other, '
        + " → ".join(f'"{each.section.name}"' for each in reversed(circle)),
        (*last.at, "inputs", number),
    )


def _nearest(name: str, known: Collection[str]) -> str:
    """Return what to write in place of a name that is no point."""
    import difflib  # who makes no mistake does not load it

    gateway, _, wanted = name.partition("/")
    short = [one.partition("/")[2] for one in known]
    close = difflib.get_close_matches(wanted.removeprefix(f"{gateway}/"), short, 1, 0.7)
    return f'did you mean "{close[0]}"?' if close else "write device/point"


def _built(document: Document, one: AddedKernel, at: At, known: dict[str, Point]) -> Kernel:
    """Build it as the agent will, and hold it to what it promises of its points."""
    try:
        kernel: object = one.build()  # whatever a vendor's code returns
    except InputError as error:
        place = (*at, "inputs", error.number)
        raise document.error(str(error), place) from None
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
        deaf = point.writable is not None and not isinstance(kernel, Obeys)
        if point.source != Source.DERIVED or deaf:
            raise document.error(
                f'kernel "{one.kernel}" gives "{point.id}" without source=Source.DERIVED, or as '
                "something to command without a method obey; tell its maker",
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
