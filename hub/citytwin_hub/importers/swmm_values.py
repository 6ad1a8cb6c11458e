"""SWMM's values: what a storage unit or a link is besides its place and its ends, in SI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from citytwin_hub.importers.frame import Draft
from citytwin_hub.importers.swmm_text import Units


class Values:
    """Gives objects the attributes of their class."""

    def __init__(self, units: Units, inverts: Mapping[str, float], *, by_elevation: bool) -> None:
        """Take the units, the nodes' inverts by name in capitals, and what LINK_OFFSETS says."""
        self._units, self._inverts, self._by_elevation = units, inverts, by_elevation

    def give(self, draft: Draft, one: Any) -> None:
        """Give what swmm-api read of a storage unit or link."""
        getattr(self, f"_{one.__class__.__name__.lower()}")(draft, one)

    def _storage(self, draft: Draft, one: Any) -> None:
        draft.value("storageShape", one.kind)
        draft.value("evaporationFraction", one.frac_evaporation, "C62")
        if one.kind == "TABULAR":
            draft.tie("storageCurve", ("Curve", str(one.data)))
        elif one.kind == "FUNCTIONAL":
            coefficient, exponent, constant = one.data
            draft.value("areaCoefficient", self._units.power(coefficient, 2 - exponent))
            draft.value("areaExponent", exponent, "C62")
            draft.value("areaConstant", self._units.area(constant), "MTK")

    def _offset(self, draft: Draft, name: str, value: Any, node: str) -> None:
        """Give a height above a node's invert."""
        if isinstance(value, str):  # "*": at the invert
            value = 0.0
        elif self._by_elevation:
            value -= self._inverts.get(node.upper(), float("nan"))
        draft.value(name, self._units.length(value), "MTR")

    def _conduit(self, draft: Draft, one: Any) -> None:
        draft.value("length", self._units.length(one.length), "MTR")
        draft.value("manningRoughness", one.roughness)
        self._offset(draft, "upstreamOffset", one.offset_upstream, one.from_node)
        self._offset(draft, "downstreamOffset", one.offset_downstream, one.to_node)
        draft.value("initialFlow", self._units.flow(one.flow_initial), "MQS")
        if one.flow_max and one.flow_max > 0:
            draft.value("maximumFlow", self._units.flow(one.flow_max), "MQS")

    def _pump(self, draft: Draft, one: Any) -> None:
        draft.value("initialStatus", one.status.upper())
        if one.curve_name != "*":
            draft.tie("pumpCurve", ("Curve", one.curve_name))
        draft.value("startDepth", self._units.length(one.depth_on), "MTR")
        draft.value("stopDepth", self._units.length(one.depth_off), "MTR")

    def _orifice(self, draft: Draft, one: Any) -> None:
        draft.value("orificeType", one.orientation.upper())
        self._offset(draft, "crestHeight", one.offset, one.from_node)
        draft.value("dischargeCoefficient", one.discharge_coefficient, "C62")

    def _weir(self, draft: Draft, one: Any) -> None:
        draft.value("weirType", one.form)
        self._offset(draft, "crestHeight", one.height_crest, one.from_node)
        # Q = C · L · h^1.5, and the exponents of other forms also add up to 2.5: C is m^0.5/s.
        draft.value("weirCoefficient", self._units.power(one.discharge_coefficient, 0.5))

    def _outlet(self, draft: Draft, one: Any) -> None:
        draft.value("ratingType", one.curve_type)
        self._offset(draft, "crestHeight", one.offset, one.from_node)
        if isinstance(one.curve_description, str):
            draft.tie("ratingCurve", ("Curve", one.curve_description))
        elif one.curve_description:
            coefficient, exponent = one.curve_description
            scaled = self._units.flow(coefficient)
            draft.value("ratingCoefficient", self._units.power(scaled, -exponent))
            draft.value("ratingExponent", exponent, "C62")
