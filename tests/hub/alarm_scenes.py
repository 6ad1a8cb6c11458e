"""A hub's alarms with registry and twin, to which gateways say what a test says."""

import numpy as np

from citytwin import Batch, Kind, Label, Point
from citytwin_hub.alarms import Alarms
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.readers import Entry
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin

NOW, SECOND = 1_767_225_600 * 10**9, 10**9
POINTS = [
    Point(id="g/ps/level", unit="m", label=Label("", "", "Level")),
    Point(id="g/ps/flow"),
    Point(id="g/ps/level.alarm", kind=Kind.ALARM),
    Point(id="g/other/flow"),
]
BAD = 0x81


class Room:
    def __init__(self, folder, twin=None):
        self.folder = folder
        self.registry = Registry(folder / "registry.db")
        self.level, self.flow, self.alarm, self.other = self.registry.rows(POINTS).tolist()
        self.twin = twin or Twin()
        self.alarms = Alarms(folder / "alarms.db", self.registry, self.twin)

    def restart(self):
        self.alarms.close()
        self.registry.close()
        return Room(self.folder, self.twin)

    def transition(self, raised, at_s, received_s=None):
        received_ns = NOW + (at_s if received_s is None else received_s) * SECOND
        batch = Batch.of([self.alarm], NOW + at_s * SECOND, [float(raised)])
        record = Record(RecordKind.ALARM, b"s" * 16, 1, received_ns, "g", b"")
        self.twin.apply(batch, received_ns)
        self.alarms.entry(Entry(record, batch))

    def measure(self, values, at_s):
        at_ns = NOW + at_s * SECOND
        quality = [BAD if value is None else 0 for value in values.values()]
        numbers = [np.nan if value is None else value for value in values.values()]
        self.twin.apply(Batch.of(list(values), at_ns, numbers, quality), at_ns)

    def check(self, at_s, heard_s=None, **options):
        heard = NOW + (at_s if heard_s is None else heard_s) * SECOND
        self.alarms.check({"g": heard}, NOW + at_s * SECOND, **options)

    @property
    def shown(self):
        return [(one["kind"], one["point"], one["state"]) for one in self.alarms.described()]
