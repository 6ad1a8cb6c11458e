"""Explained: which point of a plant is to blame, and what it ought to be, where that is known."""

import numpy as np
import pytest

from citytwin import Batch, Kind, Label, Point
from citytwin_hub.explained import (
    BLOCKS_MAX,
    EVENT,
    LIMIT,
    PLANT,
    Explained,
    Why,
    behind,
    kind_of,
    severity_of,
)
from citytwin_hub.messages import alarm_text
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin

NOW, SECOND = 1_767_225_600 * 10**9, 10**9
HOUSE = Label("Сорғы үйі", "Насосная", "Pump house")
ALARM = "g/house/flow.plant"


class Plant:
    """Two inputs of a plant, and what the kernel tells of them."""

    def __init__(self, folder, alarms=(ALARM,)):
        self.registry, self.twin = Registry(folder / "registry.db"), Twin()
        self.rows = {}
        for name, unit in (("flow", "m3/h"), ("pressure", "bar")):
            label = Label("", "", name.capitalize())
            own = {"id": f"g/house/{name}", "unit": unit, "label": label, "device_label": HOUSE}
            self.add(Point(**own))
            self.add(Point(id=f"g/house/{name}.plant-share"))
            self.add(Point(id=f"g/house/{name}.plant-expected", unit=unit))
        for alarm in alarms:
            self.add(Point(id=alarm, kind=Kind.ALARM, device_label=HOUSE))
        self.explained = Explained(self.registry, self.twin)

    def add(self, point):
        self.rows[point.id] = int(self.registry.rows([point])[0])

    def tell(self, at_s, **values):
        """Say values by name behind ``g/house/``; ``_`` stands for the dot and ``__`` for -."""
        rows = [
            self.rows["g/house/" + name.replace("__", "-").replace("_", ".")] for name in values
        ]
        at_ns = NOW + at_s * SECOND
        self.twin.apply(Batch.of(rows, at_ns, list(values.values())), at_ns)

    def said(self, since_s, returned_s=0):
        why = self.explained.behind(
            ALARM, NOW + since_s * SECOND, returned_s and NOW + returned_s * SECOND
        )
        return alarm_text("plant", "g", ALARM, self.explained.point(ALARM), None, why)


@pytest.fixture
def plant(tmp_path):
    return Plant(tmp_path)


def test_the_end_of_an_id_says_the_kind():
    assert [kind_of(f"g/d/p.{end}") for end in ("alarm", "plant", "leak")] == [LIMIT, PLANT, EVENT]
    assert kind_of("g/d/door") == EVENT
    assert behind("g/d/p.alarm") == behind("g/d/p.anomaly") == "g/d/p"
    assert behind("g/d/p.leak") == "g/d/p.leak"


def test_a_plants_alarm_names_who_accounts_for_most_of_it(plant):
    plant.tell(9, flow_plant__share=0.9)
    plant.tell(10, flow=40.0, pressure=3.0)
    plant.tell(10, flow_plant__share=0.1, pressure_plant__share=0.8)
    plant.tell(10, flow_plant__expected=41.0, pressure_plant__expected=4.5, flow_plant=1.0)
    assert plant.said(10) == {
        "kk": "Сорғы үйі: қондырғы әдеттегідей емес, ең алдымен Pressure (3 бар), "
        "күтілгені 4,5 бар",
        "ru": "Насосная: установка ведёт себя необычно, прежде всего Pressure (3 бар), "
        "ожидалось 4,5 бар",
        "en": "Pump house: the plant behaves unusually, most of all Pressure (3 bar), "
        "expected 4.5 bar",
    }
    plant.tell(20, flow_plant__share=0.7)
    assert "most of all Flow (40 m³/h), expected 41 m³/h" in plant.said(10)["en"], "as it is now"


def test_nobody_is_blamed_without_a_reason(plant):
    assert plant.said(10)["en"] == "Pump house: the plant behaves unusually"
    plant.tell(9, pressure_plant__share=0.8)
    assert plant.said(10)["en"] == "Pump house: the plant behaves unusually", "of an alarm before"
    plant.tell(10, pressure_plant__share=0.8)
    assert "most of all Pressure" in plant.said(10)["en"]
    assert plant.said(10, 11)["en"] == "Pump house: the plant behaves unusually", "it is over"
    plant.tell(12, pressure_plant__share=np.nan)
    assert plant.said(10)["en"] == "Pump house: the plant behaves unusually", "a farewell"


def test_of_two_plants_in_alarm_none_takes_the_others_blame(tmp_path):
    plant = Plant(tmp_path, (ALARM, "g/house/pressure.plant"))
    plant.tell(10, pressure_plant__share=0.8, flow_plant=1.0)
    assert "most of all Pressure" in plant.said(10)["en"]
    plant.tell(11, pressure_plant=1.0)
    assert plant.said(10)["en"] == "Pump house: the plant behaves unusually"


def test_a_cause_at_another_device_is_named_with_it(plant):
    plant.add(Point(id="g/tank/level", unit="m"))
    plant.add(Point(id="g/tank/level.plant-share"))
    rows = [plant.rows["g/tank/level.plant-share"]]
    plant.twin.apply(Batch.of(rows, NOW + 10 * SECOND, [0.9]), NOW + 10 * SECOND)
    assert plant.said(10)["en"].endswith("most of all tank: level")


def test_only_what_explains_alarms_is_remembered_and_only_for_a_while(plant):
    names = ("flow", "flow.plant", "flow.plant-since", "flow.plant-share")
    plant.add(Point(id="g/house/flow.plant-since", unit="s"))
    rows = [plant.rows[f"g/house/{name}"] for name in names]
    for at_s in range(5):
        batch = Batch.of([*rows, 10_000], NOW + at_s * SECOND, [1.0, 1.0, float(at_s), 0.5, 7.0])
        assert plant.explained.take("g", batch).tolist() == [1], "the alarm, not who is unknown"
    told = [plant.explained.told("g", ALARM, NOW + at_s * SECOND) for at_s in range(5)]
    assert [one.since_s for one in told] == [None] * (5 - BLOCKS_MAX) + [3.0, 4.0]
    assert plant.explained.told("other", ALARM, NOW + 4 * SECOND) == Why()
    assert plant.explained.take("g", Batch.empty()).tolist() == []


@pytest.mark.parametrize(
    ("kind", "over", "severity"),
    [
        ("anomaly", 0.0, "low"),
        ("anomaly", 0.19, "low"),
        ("anomaly", 0.25, "medium"),
        ("anomaly", 0.79, "medium"),
        ("anomaly", 0.81, "high"),
        ("anomaly", None, "medium"),
        ("limit", 3.0, "medium"),
        ("plant", None, "medium"),
        ("refused", None, "medium"),
        ("device", None, "high"),
        ("gateway", None, "high"),
    ],
)
def test_how_far_a_score_is_over_its_threshold_is_how_severe_it_is(kind, over, severity):
    why = Why() if over is None else Why(score=2.5 + over, threshold=2.5)
    assert severity_of(kind, why) == severity
