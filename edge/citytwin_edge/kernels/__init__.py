"""Kernels: the computations that run on the gateway, one file each, numpy only; and vendors'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from citytwin.kernel import Kernel
from citytwin.point import Kind, Point
from citytwin_edge.kernels.anomaly.exchange import named
from citytwin_edge.kernels.anomaly.kernel import Anomaly
from citytwin_edge.kernels.counter import CounterFlow
from citytwin_edge.kernels.deadband import Deadband
from citytwin_edge.kernels.rules import Rules
from citytwin_edge.kernels.settings import AddedKernel, PointRules
from citytwin_edge.kernels.swinging_door import SwingingDoor

T = TypeVar("T")

__all__ = ["AddedKernel", "PointRules", "build"]


def build(
    points: Sequence[tuple[Point, PointRules]], added: Sequence[AddedKernel] = ()
) -> dict[str, Kernel]:
    """Return the kernels that these points ask for, by name, in the order in which they run.

    Rules see every sample first; what is derived is derived from all samples, by ours and then by
    those that vendors bring; thinning comes last.
    """
    kernels: dict[str, Kernel] = {}
    numeric = [(point, rules) for point, rules in points if point.kind != Kind.TEXT]
    if numeric:
        kernels["rules"] = Rules(*_columns(numeric))
    counted = [(point, rules.counter) for point, rules in numeric if rules.counter is not None]
    if counted:
        kernels["counter"] = CounterFlow([p for p, _ in counted], [c for _, c in counted])
    watched = [(point, rules.anomaly) for point, rules in numeric if rules.anomaly is not None]
    if watched:
        wanted = {rules.exchange for _, rules in watched} - {named(point) for point, _ in watched}
        meters = [point for point, _ in points if named(point) in wanted]
        kernels["anomaly"] = Anomaly(*_columns(watched), meters=meters)
    kernels |= {one.key: one.build() for one in added}
    banded = [one for one in numeric if one[1].deadband is not None]
    if banded:
        kernels["deadband"] = Deadband(*_columns(banded))
    doored = [one for one in numeric if one[1].swinging_door is not None]
    if doored:
        kernels["swinging-door"] = SwingingDoor(*_columns(doored))
    return kernels


def _columns(points: Sequence[tuple[Point, T]]) -> tuple[list[Point], list[T]]:
    return [point for point, _ in points], [rules for _, rules in points]
