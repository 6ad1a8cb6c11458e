"""The truth of the demo's water: a running EPANET model that devices measure and act upon.

The network is EPANET's Net3 as it ships with WNTR. Three things are changed, so that it can stand
for a town on a slope: it is turned until its head falls from south to north, its ground is flatter
so that pressure follows head, and its pumps run by tank level, not by the hours of a week's plan.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import wntr
from wntr.epanet.toolkit import ENepanet

SECOND_NS: Final = 1_000_000_000
DAY_S: Final = 86_400
ALMATY_UTC_OFFSET_S: Final = 5 * 3600
RUN_S_MAX: Final = 20 * 365 * DAY_S
"""EPANET wants an end; twenty years are one."""
STEP_S_MAX: Final = 60
CATCH_UP_S_MAX: Final = 3600
"""After a pause (a suspended laptop) the model takes up the present, not the time between."""

GROUND_FLATTENED_TO: Final = 0.3
HEAD_BEARING_DEG: Final = 107.0
"""Direction, counter-clockwise from east, in which Net3's mean head rises on its own map."""

# EPANET 2.2 toolkit codes (EN_*), from epanet2_enums.h.
_ELEVATION, _DEMAND, _HEAD, _PRESSURE, _EMITTER = 0, 9, 10, 11, 3
_FLOW, _STATUS, _SETTING = 8, 11, 12
_CONTROLS = 5
_DURATION, _HYDRAULIC_STEP, _PATTERN_START, _REPORT_STEP = 0, 1, 4, 5


@dataclass(frozen=True, slots=True)
class Network:
    """What the map and the devices need to know of the network.

    Attributes:
        nodes: id → (east, north) in metres from the centre, and ``elevations`` in metres.
        links: id → (kind, from, to, vertices in metres); kind is pipe or pump.
        junctions, tanks, reservoirs, pumps, pipes: ids by kind.
    """

    nodes: dict[str, tuple[float, float]]
    elevations: dict[str, float]
    links: dict[str, tuple[str, str, str, list[tuple[float, float]]]]
    junctions: tuple[str, ...]
    tanks: tuple[str, ...]
    reservoirs: tuple[str, ...]
    pumps: tuple[str, ...]
    pipes: tuple[str, ...]
    lengths: dict[str, float]
    diameters: dict[str, float]


class WaterTruth:
    """The running model. Pressures in metres of water, flows in m³/h, levels in metres.

    Not thread-safe: one task advances it, and the devices of the same event loop read and act.
    """

    def __init__(self, now_ns: int, *, metres_per_unit: float = 330.0) -> None:
        """Build the network and solve it for this moment of the day."""
        model = _town()
        self.network = _network(model, metres_per_unit)
        self._folder = tempfile.TemporaryDirectory(prefix="democity-")
        folder = Path(self._folder.name)
        wntr.network.write_inpfile(model, str(folder / "town.inp"), units="CMH")
        self._engine = ENepanet(version=2.2)
        self._engine.ENopen(*(str(folder / f"town.{end}") for end in ("inp", "rpt", "bin")))
        self._node = {name: self._engine.ENgetnodeindex(name) for name in self.network.nodes}
        self._link = {name: self._engine.ENgetlinkindex(name) for name in self.network.links}
        second_of_day = (now_ns // SECOND_NS + ALMATY_UTC_OFFSET_S) % DAY_S
        self._engine.ENsettimeparam(_DURATION, RUN_S_MAX)
        self._engine.ENsettimeparam(_PATTERN_START, int(second_of_day))
        self._engine.ENsettimeparam(_REPORT_STEP, RUN_S_MAX)
        self._engine.ENopenH()
        self._engine.ENinitH(0)
        self._time_ns = now_ns
        self._speeds: dict[str, float] = {}
        self._solve()

    def close(self) -> None:
        """Let go of the engine and its files."""
        self._engine.ENcloseH()
        self._engine.ENclose()
        del self._engine  # asked once more, a closed EPANET would end the process
        self._folder.cleanup()

    def advance(self, now_ns: int) -> None:
        """Bring the model to this moment; a step is at most a minute of the model's time."""
        behind_s = (now_ns - self._time_ns) // SECOND_NS
        if behind_s < 1:
            return
        if behind_s > CATCH_UP_S_MAX:
            self._time_ns = now_ns - CATCH_UP_S_MAX * SECOND_NS
            behind_s = CATCH_UP_S_MAX
        while behind_s > 0:
            self._engine.ENsettimeparam(_HYDRAULIC_STEP, int(min(behind_s, STEP_S_MAX)))
            stepped_s = self._engine.ENnextH()
            if stepped_s <= 0:
                raise RuntimeError("EPANET came to the end of its run; start the demo city again")
            behind_s -= stepped_s
            self._time_ns += stepped_s * SECOND_NS
            self._solve()

    @property
    def time_ns(self) -> int:
        """The moment that the model has come to, UTC nanoseconds."""
        return self._time_ns

    def pressure_m(self, node: str) -> float:
        """Return the pressure at a junction in metres of water."""
        return self._get_node(node, _PRESSURE)

    def head_m(self, node: str) -> float:
        """Return the hydraulic head at a node in metres above the network's datum."""
        return self._get_node(node, _HEAD)

    def level_m(self, tank: str) -> float:
        """Return the water level of a tank above its floor in metres."""
        return self._get_node(tank, _PRESSURE)

    def demand_m3h(self, node: str) -> float:
        """Return what leaves the network at a node, leaks included; negative at a source."""
        return self._get_node(node, _DEMAND)

    def flow_m3h(self, link: str) -> float:
        """Return the flow of a link, positive from its first node to its second."""
        return self._get_link(link, _FLOW)

    def is_open(self, link: str) -> bool:
        """Return whether water may pass the link now."""
        return self._get_link(link, _STATUS) > 0

    def set_open(self, link: str, is_open: bool) -> None:
        """Open or close a pipe's valve, or start or stop a pump; effective at once.

        A pump starts at the speed that was set last.
        """
        self._engine.ENsetlinkvalue(self._link[link], _STATUS, 1.0 if is_open else 0.0)
        if is_open and link in self._speeds:
            self._engine.ENsetlinkvalue(self._link[link], _SETTING, self._speeds[link])
        self._solve()

    def set_speed(self, pump: str, ratio: float) -> None:
        """Set a pump's speed as a ratio of its rated one (0 to 1.2); it starts no pump."""
        speed, link = float(np.clip(ratio, 0.0, 1.2)), self._link[pump]
        self._speeds[pump] = speed
        # A control by tank level starts its pump at the speed that it holds itself.
        for number in range(1, self._engine.ENgetcount(_CONTROLS) + 1):
            held: dict[str, Any] = self._engine.ENgetcontrol(number)
            if held["linkindex"] == link and held["setting"] > 0:
                self._engine.ENsetcontrol(
                    number, held["type"], link, speed, held["nodeindex"], held["level"]
                )
        if self.is_open(pump):
            self._engine.ENsetlinkvalue(link, _SETTING, speed)
        self._solve()

    def speed(self, pump: str) -> float:
        """Return a pump's speed as a ratio of its rated one; 0 when it is off."""
        if not self.is_open(pump):
            return 0.0
        return self._get_link(pump, _SETTING)

    def burst(self, node: str, coefficient: float) -> None:
        """Break the main at a node: it leaks coefficient * sqrt(pressure) m³/h; 0 mends it."""
        self._engine.ENsetnodevalue(self._node[node], _EMITTER, coefficient)
        self._solve()

    def _get_node(self, node: str, code: int) -> float:
        return float(self._engine.ENgetnodevalue(self._node[node], code))

    def _get_link(self, link: str, code: int) -> float:
        return float(self._engine.ENgetlinkvalue(self._link[link], code))

    def _solve(self) -> None:
        self._engine.ENrunH()


# ---- building the network
def write_network(path: Path, *, metres_per_unit: float = 330.0) -> None:
    """Write the network as an EPANET file with metres from the centre as coordinates (atomic)."""
    model = _town()
    network = _network(model, metres_per_unit)
    for name, place in network.nodes.items():
        model.get_node(name).coordinates = place
    for name, (_, _, _, vertices) in network.links.items():
        model.get_link(name).vertices = vertices[1:-1]
    partial = path.with_suffix(".partial")
    wntr.network.write_inpfile(model, str(partial), units="CMH")
    partial.replace(path)


def _town() -> Any:
    """Return Net3 changed as the module's caption says."""
    model = wntr.network.WaterNetworkModel("Net3")
    for name in list(model.control_name_list):
        # Those by the hours of one planned week go; those by tank level are a station's own logic.
        if "TIME" in str(model.get_control(name)).upper():
            model.remove_control(name)
    model.options.quality.parameter = "NONE"
    junctions = [node for _, node in model.junctions()]
    mean_m = float(np.mean([node.elevation for node in junctions]))
    for node in junctions:
        node.elevation = mean_m + GROUND_FLATTENED_TO * (node.elevation - mean_m)
    return model


def _network(model: Any, metres_per_unit: float) -> Network:
    """Return positions, turned so that head rises towards the south, and what else a map needs."""
    names = list(model.node_name_list)
    plane = np.array([model.get_node(name).coordinates for name in names])
    turn = np.radians(-90.0 - HEAD_BEARING_DEG)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    metres = _placed(plane, plane.mean(axis=0), rotation * metres_per_unit)
    nodes = {name: (float(x), float(y)) for name, (x, y) in zip(names, metres, strict=True)}
    links = {}
    for name, link in model.links():
        bends = np.array(link.vertices).reshape(-1, 2)
        path = _placed(bends, plane.mean(axis=0), rotation * metres_per_unit)
        first, last = link.start_node_name, link.end_node_name
        vertices = [nodes[first], *((float(x), float(y)) for x, y in path), nodes[last]]
        links[name] = (link.link_type.lower(), first, last, vertices)
    return Network(
        nodes=nodes,
        elevations={name: float(node.elevation) for name, node in model.junctions()},
        links=links,
        junctions=tuple(model.junction_name_list),
        tanks=tuple(model.tank_name_list),
        reservoirs=tuple(model.reservoir_name_list),
        pumps=tuple(model.pump_name_list),
        pipes=tuple(model.pipe_name_list),
        lengths={name: float(pipe.length) for name, pipe in model.pipes()},
        diameters={name: float(pipe.diameter) for name, pipe in model.pipes()},
    )


def _placed(
    plane: npt.NDArray[np.float64], centre: npt.NDArray[np.float64], turn: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return metres east and north of the centre, shape (n, 2), of map positions (n, 2)."""
    return (plane - centre) @ turn
