"""Anomaly kernel: watches points, raises alarms within a budget, and says why.

For every input ``<point>`` there are ``<point>.anomaly`` (an alarm) and, told just before it is
raised, what explains it (docs/decisions/0018-anomaly-alarms.md). ``.anomaly-maturity`` says how far
the chain has learnt: 0 not yet useful, 1 useful after an hour, 2 good after a day. A command of 0
to it lets the point be learnt anew, and so does an exchange of its meter.

Source: ours, with docs/decisions/0018-anomaly-alarms.md for why; papers behind its formulas stand
in the modules of the chain (``likelihood``, ``drift``, ``holt_winters``) and were not read for it.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from citytwin.batch import SECOND_NS, Batch, Float64, Int32
from citytwin.errors import ConfigError, MalformedError
from citytwin.kernel import Kernel
from citytwin.point import Kind, Label, Point, Source, Span
from citytwin.quality import Quality, Severity, severity
from citytwin_edge.kernels.anomaly import budget, chain, paths
from citytwin_edge.kernels.anomaly.calendar import Calendar
from citytwin_edge.kernels.anomaly.exchange import Exchange, named
from citytwin_edge.kernels.anomaly.intake import VALUE_MAX
from citytwin_edge.kernels.anomaly.recurrence import KNOWN, days_ago
from citytwin_edge.kernels.anomaly.settings import AnomalySettings
from citytwin_edge.kernels.formula import Gives, Reads
from citytwin_edge.kernels.state import load, save

VERSION: Final = 3
NAME: Final = "anomaly"
SUFFIX: Final = ".anomaly"
GIVEN: Final = ("", "-maturity", "-score", "-threshold", "-kernel", "-expected", "-since",
                "-similar", "-similar-2", "-similar-3")  # fmt: skip
"""What follows SUFFIX in the ids of a point's outputs, in their order."""
ALARM, MATURITY, SCORE, THRESHOLD, KERNEL, EXPECTED, SINCE, SIMILAR = range(len(GIVEN) - KNOWN + 1)
_WORDS: Final = {
    "": ("ауытқу", "аномалия", "anomaly"),
    "-maturity": ("үйрену кезеңі", "степень обученности", "maturity"),
    "-score": ("ауытқу деңгейі", "степень аномалии", "anomaly score"),
    "-threshold": ("ауытқу шегі", "порог аномалии", "anomaly threshold"),
    "-kernel": ("ауытқу түрі", "вид аномалии", "kind of anomaly"),
    "-expected": ("күтілген мән", "ожидалось", "expected"),
    "-since": ("басталғаннан бері", "с начала отклонения", "since it began"),
    "-similar": ("ұқсас жағдайдан бері", "после похожего случая", "since the like"),
    "-similar-2": ("одан бұрынғы ұқсастан бері", "после случая перед ним", "since the like before"),
    "-similar-3": ("үшінші ұқсастан бері", "после третьего такого случая", "since the third like"),
}
_COLUMNS: Final = {
    SCORE: paths.SCORE, THRESHOLD: paths.THRESHOLD, KERNEL: paths.KERNEL,
    EXPECTED: paths.EXPECTED, SINCE: paths.ONSET,
}  # fmt: skip
_TRACED: Final = (SCORE, KERNEL, EXPECTED)
"""What ``trace`` has told of every look."""
_BELIEVED: Final = severity(np.arange(256, dtype=np.uint8)) != Severity.BAD
_BELIEVED[[Quality.UNCERTAIN_RANGE, Quality.UNCERTAIN_RATE, Quality.UNCERTAIN_FLATLINE]] = False
"""By quality; what rules doubt is no ordinary day to learn from."""


def path_of(channels: int, every_s: Float64, wanted: Float64, near: paths.Bools) -> paths.Path:
    """Return the compiled path where numba is installed and may run, else the one of numpy."""
    if not _may_compile():
        return paths.NumpyPath(channels, every_s, wanted, near)
    try:
        from citytwin_edge.kernels.anomaly.compiled import CompiledPath
    except (ImportError, OSError):  # it is not there, or a system with other rules forbids it
        return paths.NumpyPath(channels, every_s, wanted, near)
    return CompiledPath(channels, every_s, wanted, near)


def _may_compile() -> bool:
    """Tell whether this process may make code; where it may not, LLVM would end it."""
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:  # a service with MemoryDenyWriteExecute
        return False
    page.close()
    return True


class Anomaly:
    """The chain over some points; see the module."""

    replaces = False

    def __init__(
        self,
        points: Sequence[Point],
        settings: Sequence[AnomalySettings],
        make_path: Callable[[int, Float64, Float64, paths.Bools], paths.Path] = path_of,
        meters: Sequence[Point] = (),
    ) -> None:
        """Watch ``points``, each with its own settings; ``make_path`` is called at first use.

        ``meters`` are those of ``settings.exchange`` that are not watched themselves.
        """
        self.inputs = tuple(point.id for point in (*points, *meters))
        self.outputs = tuple(_output(point, name) for point in points for name in GIVEN)
        self._settings, self._make_path, self._watched = settings, make_path, len(points)
        self._exchange = Exchange((*points, *meters), [one.exchange for one in settings])
        self._trace = np.array([one.trace for one in settings], bool)
        calendars = [(one.time_zone, one.holidays, one.free_days) for one in settings]
        different = list(dict.fromkeys(calendars))
        self._calendars = [Calendar(*one) for one in different]
        self._calendar = np.array([different.index(one) for one in calendars], np.intp)
        self._made: paths.Path | None = None

    @property
    def _path(self) -> paths.Path:
        """What runs the chain: made late, for it may bring a compiler into memory."""
        if self._made is None:
            # Meters have a row, too: a state has one for each input.
            rest = len(self.inputs) - self._watched
            every_s = np.array([one.every_s for one in self._settings] + [1.0] * rest)
            wanted = np.array([one.budget for one in self._settings] + [1.0] * rest)
            near = np.array([one.neighbours for one in self._settings] + [False] * rest, bool)
            self._made = self._make_path(len(self.inputs), every_s, wanted, near)
        return self._made

    def step(self, batch: Batch) -> Batch:
        """Return what there is to say of these samples; the alarms come last."""
        made, first = [], 0
        for row, points in self._exchange.seen(batch):
            made.append(self._looked(batch.select(slice(first, row))))
            made.append(self._begin(points, int(batch.time_ns[row])))
            first = row
        return Batch.concat(
            [*made, self._looked(batch.select(slice(first, None)) if first else batch)]
        )

    def _looked(self, batch: Batch) -> Batch:
        if self._watched < len(self.inputs):
            batch = batch.select(batch.point < self._watched)
        batch, told = self.watch(batch)
        event, news = told[:, paths.EVENT], told[:, paths.NEWS] > 0
        raised, traced = event == budget.RAISE, self._trace[batch.point] & (told[:, 0] > 0)
        if not (news | traced | (event > 0)).any():
            return Batch.empty()
        said = [self._say(batch, MATURITY, news, told[:, paths.RIPE])]
        for given, column in _COLUMNS.items():
            rows = raised | traced if given in _TRACED else raised
            said.append(self._say(batch, given, rows, told[:, column]))
        if raised.any():
            said += self._similar(batch, raised, told[:, paths.SIMILAR])
        alarms = self._say(batch, ALARM, event > 0, (event == budget.RAISE).astype(np.float64))
        sure = np.zeros(len(alarms), np.uint8)
        said.append(Batch(alarms.point, alarms.time_ns, alarms.value, sure))
        return Batch.concat(said)

    def _similar(self, batch: Batch, raised: paths.Bools, kept: Float64) -> list[Batch]:
        """Return how many days ago the like was, of alarms that are raised; 0: none known."""
        _, _, day = self._places(batch.select(raised))
        days = np.zeros((KNOWN, len(batch)))
        for row, today in zip(np.flatnonzero(raised).tolist(), day.tolist(), strict=True):
            ago = days_ago(kept[row], today)
            days[: len(ago), row] = ago
        return [self._say(batch, SIMILAR + n, raised, days[n]) for n in range(KNOWN)]

    def watch(self, batch: Batch) -> tuple[Batch, Float64]:
        """Take samples; return those that count, and what is told of each (``paths.COLUMNS``)."""
        with np.errstate(invalid="ignore"):
            counts = _BELIEVED[batch.quality] & (abs(batch.value) <= VALUE_MAX)
        batch = batch if counts.all() else batch.select(counts)
        if not len(batch):
            return batch, np.zeros((0, paths.COLUMNS))
        places = self._places(batch)
        samples = paths.Samples(batch.point, batch.value, batch.time_ns / SECOND_NS, *places)
        return batch, self._path.run(samples)

    def _places(self, batch: Batch) -> tuple[npt.NDArray[np.int64], ...]:
        if len(self._calendars) == 1:
            return self._calendars[0].places(batch.time_ns)
        places = np.zeros((3, len(batch)), np.int64)
        for number, calendar in enumerate(self._calendars):
            rows = self._calendar[batch.point] == number
            places[:, rows] = calendar.places(batch.time_ns[rows])
        return places[0], places[1], places[2]

    def _say(self, batch: Batch, given: int, rows: npt.NDArray[np.bool_], value: Float64) -> Batch:
        number = len(self.inputs) + batch.point[rows] * len(GIVEN) + given
        return Batch(number.astype(np.int32), batch.time_ns[rows], value[rows], batch.quality[rows])

    def obey(self, output: int, value: float, time_ns: int) -> Batch:
        """Learn a point anew; see :class:`citytwin.kernel.Obeys`."""
        assert value == 0, "nothing else is writable"
        point = (output - len(self.inputs)) // len(GIVEN)
        return self._begin(np.array([point], np.int32), time_ns)

    def _begin(self, points: Int32, time_ns: int) -> Batch:
        """Forget what was learnt of some points; return that it is so, and the ends of alarms."""
        path = self._path
        raised = points[path.state[points, chain.BUDGET + budget.RAISED] > 0]
        path.state[points], path.counts[points] = 0, 0
        numbers = len(self.inputs) + len(GIVEN) * np.concatenate((points, raised))
        numbers[: len(points)] += MATURITY
        return Batch.of(numbers, time_ns, np.zeros(len(numbers)))

    def held(self, inputs: Int32) -> Batch:
        """Return the ends of alarms that are raised; see :class:`citytwin.kernel.Holds`."""
        state = self._path.state
        rows = inputs[state[inputs, chain.BUDGET + budget.RAISED] > 0]
        numbers = len(self.inputs) + rows * len(GIVEN) + ALARM
        times = (state[rows, chain.LATEST] * SECOND_NS).astype(np.int64)
        return Batch.of(numbers, times, np.zeros(len(rows)))

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        path = self._path
        learnt = {"numbers": _rows(path.state), "counts": _rows(path.counts)}
        return save(NAME, VERSION, learnt | self._exchange.columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        path = self._path
        found = {"numbers": _rows(path.state).copy(), "counts": _rows(path.counts).copy()}
        meters = {name: column.copy() for name, column in self._exchange.columns.items()}
        load(state, NAME, VERSION, found | meters)
        numbers = found["numbers"].view(np.float64).reshape(path.state.shape)
        counts = found["counts"].view(np.uint16).reshape(path.counts.shape)
        if not chain.is_sound(numbers):
            raise MalformedError("the snapshot of anomaly holds what cannot be")
        path.state[...], path.counts[...] = numbers, counts
        self._exchange.columns = meters


def _rows(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column with one item for each point, whatever its shape."""
    flat = np.ascontiguousarray(column).reshape(len(column), -1)
    return flat.view(f"V{flat.dtype.itemsize * flat.shape[1]}")[:, 0]


def _output(point: Point, name: str) -> Point:
    kk, ru, en = _WORDS[name]
    kind, own = _kind(name), point.label
    return Point(
        id=point.id + SUFFIX + name,
        unit=_unit(name, point.unit),
        kind=kind,
        source=Source.DERIVED,
        writable=Span(0.0, 0.0) if name == GIVEN[MATURITY] else None,
        label=own if kind == Kind.ALARM else Label(_joined(own.kk, kk), _joined(own.ru, ru),
                                                   _joined(own.en, en)),
        device_label=point.device_label,
        place=point.place,
        feeds=point.feeds,
    )  # fmt: skip


def _unit(name: str, of_input: str) -> str:
    if name.startswith(GIVEN[SIMILAR]):
        return "d"
    return {"-expected": of_input, "-since": "s"}.get(name, "1")


def _kind(name: str) -> Kind:
    return {"": Kind.ALARM, "-maturity": Kind.STATE, "-kernel": Kind.STATE}.get(name, Kind.ANALOG)


def _joined(label: str, what: str) -> str:
    return f"{label}: {what}"[:120] if label else what


class AnomalyType:
    """What the entry point names: the same chain for what other kernels give."""

    settings: type[msgspec.Struct] = AnomalySettings
    summary = "alarms on what is out of the ordinary at each of some points, within a budget"
    reads = (Reads("any number of points, each watched by itself", "any unit"),)
    gives = tuple(
        Gives(f"{NAME}{name}", _unit(name, "that of the input"), Label(*words), kind=_kind(name))
        for name, words in _WORDS.items()
    )

    def build(self, settings: AnomalySettings, inputs: Sequence[Point]) -> Kernel:
        """Return the kernel; see :class:`citytwin.kernel.KernelType`.

        Raises:
            ConfigError: an input is an alarm, or none of them is the meter that is named.
        """
        meters = [point for point in inputs if named(point) == settings.exchange]
        if settings.exchange and not meters:
            raise ConfigError(
                f'exchange "{settings.exchange}" is none of the inputs; add it to them'
            )
        points = [point for point in inputs if point not in meters]
        for point in points:
            if point.kind == Kind.ALARM:
                raise ConfigError(f"{point.id} is an alarm, which has no ordinary course")
        if not points:
            raise ConfigError("there is no input to watch beside the meter")
        return Anomaly(points, [settings] * len(points), meters=meters)

    def learns_by(self, settings: AnomalySettings) -> object:
        """Return what the row of a point stands on; see :class:`citytwin.kernel.KernelType`."""
        return settings.learns_by


ANOMALY: Final = AnomalyType()
