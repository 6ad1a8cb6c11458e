"""Watch: an alarm of what two neighbouring stations say, judged once in an interval.

The last input gives the turn; the others count as they are then. While one of them is bad or older
than ``age_s_max`` nothing is judged and an alarm stays as it is; after a gap longer than that what
came before is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from citytwin.batch import SECOND_NS, Batch, Int32
from citytwin.point import Kind, Label, Point
from citytwin.quality import SEVERITY_SHIFT, Quality, Severity
from citytwin_edge.kernels.formula import Ages, Gives, Reads, Scales
from citytwin_edge.kernels.slots import LATE_MAX
from citytwin_edge.kernels.state import Columns, load, save

OCCUPANCIES: Final = (Reads("occupancy upstream", "%"), Reads("occupancy downstream", "%"))
INCIDENT: Final = Gives(
    "incident",
    "1",
    Label(kk="Жолдағы оқиға", ru="Дорожное происшествие", en="Traffic incident"),
    kind=Kind.ALARM,
)


class WatchSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How old an input may be.

    Attributes:
        age_s_max: how old the other inputs may be, and how far apart turns, in seconds.
    """

    age_s_max: float = 150.0


class Watch:
    """Base: a kernel says in ``_judge`` whether there is an incident."""

    replaces = False

    def __init__(
        self, name: str, settings: WatchSettings, inputs: Sequence[Point], reads: Sequence[Reads]
    ) -> None:
        """Check the inputs (ConfigError)."""
        self._scales = Scales(inputs, reads)
        self.inputs = tuple(point.id for point in inputs)
        self.outputs: tuple[Point, ...] = (INCIDENT.point(inputs[0]),)
        self._name, self._age_ns = name, int(settings.age_s_max * SECOND_NS)
        self._columns: Columns = {
            "value": np.full(len(inputs), np.nan),
            "time": np.zeros(len(inputs), np.int64),
            "turn": np.zeros(1, np.int64),
            "late": np.zeros(1, np.int64),
            "raised": np.zeros(1, np.uint8),
        }
        self._history: Columns = {}

    def _keep(self, columns: Columns) -> None:
        """Add what a subclass remembers of turns; called once, by it."""
        self._columns |= columns
        self._history = {key: column.copy() for key, column in columns.items()}

    def _judge(self, values: Sequence[float], raised: bool) -> bool:
        """Return whether there is an incident, of the inputs of a turn."""
        raise NotImplementedError

    def step(self, batch: Batch) -> Batch:
        """Return the alarms that are raised and that return."""
        state, rows = self._columns, []
        values = self._scales.values(batch.point, batch.value)
        for point, time_ns, value, quality in zip(
            batch.point.tolist(),
            batch.time_ns.tolist(),
            values.tolist(),
            batch.quality.tolist(),
            strict=True,
        ):
            bad = quality >> SEVERITY_SHIFT == Severity.BAD
            state["value"][point] = np.nan if bad else value
            state["time"][point] = time_ns
            if point == len(self.inputs) - 1 and self._is_turn(time_ns):
                before = bool(state["raised"][0])
                now = self._judge(state["value"].tolist(), before)
                state["raised"][0] = now
                if now != before:
                    rows.append((time_ns, float(now)))
        if not rows:
            return Batch.empty()
        times, told = zip(*rows, strict=True)
        return Batch.of(
            [len(self.inputs)] * len(rows), times, told, [int(Quality.GOOD)] * len(rows)
        )

    def _is_turn(self, time_ns: int) -> bool:
        """Tell whether the inputs can be judged now; forget what is too long ago."""
        state = self._columns
        since = int(state["turn"][0])
        if time_ns <= since:
            state["late"][0] += 1
            if state["late"][0] <= LATE_MAX:
                return False
        fresh = np.abs(time_ns - state["time"]) <= self._age_ns
        if not (fresh.all() and np.isfinite(state["value"]).all()):
            return False
        if abs(time_ns - since) > self._age_ns or time_ns <= since:
            for key, column in self._history.items():
                state[key][...] = column
        state["turn"][0], state["late"][0] = time_ns, 0
        return True

    def held(self, inputs: Int32) -> Batch:
        """Return the end of an alarm that is raised; see :class:`citytwin.kernel.Holds`."""
        state = self._columns
        if not (len(inputs) and state["raised"][0]):
            return Batch.empty()
        return Batch.of([len(self.inputs)], [int(state["turn"][0])], [0.0])

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save(self._name, 1, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, self._name, 1, self._columns)
