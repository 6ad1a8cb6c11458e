"""A gateway's file: what a good one comes to, and what is said of a bad one."""

from typing import Any

import numpy as np
import pytest

from citytwin import Kind, Label, Place, Site, Span
from citytwin.errors import ConfigError
from citytwin.testing import VirtualClock
from citytwin_edge.adapters.modbus import MODBUS
from citytwin_edge.config import DEVICES_MAX, load

GOOD = """\
[gateway]
name = "medeu-1"
hub = "hub.example"
state = "state"
place = [76.95, 43.24]
label = { kk = "Медеу", en = "Medeu" }

[outbox]
size_mb_max = 16
flush_ms = 100

[[device]]
name = "ps-03"
adapter = "modbus"
host = "10.0.0.7"
unit = 3
period_s = 2
place = [76.951, 43.231, 900]
label = { en = "Pump house" }

[[device.point]]
name = "flow"
unit = "m3/h"
table = "holding"
address = 0
scale = 0.1
valid = [0, 500]
normal = [10, 400]
writable = [0, 100]
feeds = "urn:ngsi-ld:Pump:ps-03"
attribute = "flow"
deadband = 0.5
silence_s_max = 60

[[device.point]]
name = "total"
unit = "m3"
kind = "counter"
table = "holding"
address = 2
type = "uint32"
counter = { flow_unit = "m3/h", factor = 3600, flow_max = 500 }

[[device]]
name = "ps-04"
adapter = "modbus"
host = "10.0.0.7"
unit = 4
[[device.point]]
name = "name"
kind = "text"
table = "holding"
address = 9
type = "string"
length = 4
[[device.point]]
name = "mode"
kind = "state"
table = "coil"
address = 1

[[interlock]]
target = "ps-03/flow"
guard = "ps-04/mode"
span = [1, inf]
"""


def written(tmp_path, text):
    path = tmp_path / "edge.toml"
    path.write_text(text)
    return path


def test_what_a_good_file_comes_to(tmp_path):
    config = load(written(tmp_path, GOOD))
    assert (config.name, config.hub) == ("medeu-1", "hub.example:7443")
    assert config.state == tmp_path / "state"
    assert config.outbox_bytes_max == 16 * 1024 * 1024
    assert config.flush_ns == 100_000_000
    flow, total, name, mode = (one.point for one in config.points)
    assert flow.id == "medeu-1/ps-03/flow"
    assert flow.place == Place(76.951, 43.231, 900)
    assert mode.place == Place(76.95, 43.24), "a device stands where its gateway stands"
    assert flow.device_label == Label(en="Pump house")
    assert (flow.valid, flow.writable) == (Span(0, 500), Span(0, 100))
    assert (flow.feeds, flow.attribute) == ("urn:ngsi-ld:Pump:ps-03", "flow")
    assert (total.kind, name.kind) == (Kind.COUNTER, Kind.TEXT)
    rules = config.points[0].rules
    assert (rules.deadband, rules.silence_s_max) == (0.5, 60)
    (lock,) = config.interlocks
    assert (lock.target, lock.guard, lock.span.low) == (flow.id, mode.id, 1)


async def test_a_device_becomes_an_adapter_and_a_spec(tmp_path):
    device = load(written(tmp_path, GOOD)).devices[0]
    adapter: Any = device.build(Site(VirtualClock(), lambda _text: 0))
    assert adapter.requests == 1
    spec = device.spec(adapter, np.array([5, 6], np.int32))
    assert (spec.name, spec.period_ns, spec.timeout_ns) == ("ps-03", 2 * 10**9, 10 * 10**9)
    assert spec.scale.tolist() == [0.1, 1.0]


@pytest.mark.parametrize(
    ("written_s", "device", "stale_after_s", "together"),
    [
        (None, 0, 300, True),  # it measures
        (None, 1, 0, True),  # it has a text and a state only
        (60, 0, 60, False),
        (60, 1, 60, False),
        (0, 0, 0, False),
    ],
)
def test_when_a_device_that_says_nothing_is_stale(
    tmp_path, written_s, device, stale_after_s, together
):
    text = (
        GOOD
        if written_s is None
        else GOOD.replace(
            'adapter = "modbus"\n', f'adapter = "modbus"\nstale_after_s = {written_s}\n'
        )
    )
    one = load(written(tmp_path, text)).devices[device]
    adapter = one.build(Site(VirtualClock(), lambda _text: 0))
    spec = one.spec(adapter, np.array([5, 6], np.int32))
    assert (spec.stale_after_ns, spec.stale_together) == (stale_after_s * 10**9, together)


def test_the_smallest_file(tmp_path):
    config = load(written(tmp_path, '[gateway]\nname = "a"'))
    assert (config.hub, config.devices, config.interlocks) == ("", (), ())
    assert str(config.state) == "/var/lib/citytwin-edge"


FLOW = 'device "ps-03", point "flow", '
BAD = [
    # the file as a whole
    ("[gateway]\n", "[gatewai]\n", 1, "is not known here; allowed are gateway, outbox, page"),
    ("[outbox]", "[[outbox]]", 8, "expected a table"),
    ('name = "medeu-1"', 'name = "Medeu 1"', 2,
     "gateway 'Medeu 1' is not a name: use lower-case Latin letters"),
    ('name = "medeu-1"', "", 1, 'table "gateway": field "name" is missing'),
    ('"hub.example"', '"http://hub.example"', 3, "is not an address; write host or host:port"),
    ('"hub.example"', '"::1"', 3, "stands in brackets"),
    ('"hub.example"', '"hub.example:x"', 3, "write host or host:port"),
    ("place = [76.95, 43.24]", "place = [43.24, 176.95]", 5, "is not [longitude, latitude]"),
    ("place = [76.95, 43.24]", "place = [1]", 5, "expected a list [lon, lat, elevation_m]"),
    ('kk = "Медеу"', 'kz = "Медеу"', 6, 'field "kz": is not known here'),
    ("size_mb_max = 16", "size_mb_max = 0", 9, "expected a number from 1 to 1000000, got 0"),
    ("flush_ms = 100", "flush_ms = 5", 10, "expected a whole number from 10 to 600000, got 5"),
    ("flush_ms = 100", "flushms = 5", 10, 'did you mean "flush_ms"?'),
    # devices
    ('[[device]]\nname = "ps-03"', '[device]\nname = "ps-03"', 44, "Cannot overwrite a value"),
    ('name = "ps-03"', 'name = "ps 03"', 13, "device 'ps 03' is not a name"),
    ('name = "ps-03"', 'name = "agent"', 13, '"agent" is the gateway\'s own device'),
    ('name = "ps-03"', f'name = "{"x" * 56}"', 13, "has over 55 characters"),
    ('name = "ps-04"', 'name = "ps-03"', 45, '"ps-03" is the name on line 13 already'),
    ('adapter = "modbus"\nhost = "10.0.0.7"\nunit = 3', 'adapter = "modbuss"', 14,
     'device "ps-03", field "adapter": there is no adapter "modbuss"; did you mean "modbus"?'),
    ('adapter = "modbus"\nhost = "10.0.0.7"\nunit = 3', "", 12, 'needs profile = "vendor/model"'),
    ("period_s = 2", "period_s = 0", 17, "expected a number above 0 and of at most 86400, got 0"),
    ("period_s = 2", "period_s = inf", 17, "of at most 86400, got inf"),
    ("period_s = 2", "perod_s = 2", 17,
     'device "ps-03", field "perod_s": is not known here; did you mean "period_s"?'),
    ("unit = 3", "unit = 256", 16,
     'device "ps-03", field "unit": expected a whole number from 0 to 255, got 256'),
    ('host = "10.0.0.7"\nunit = 3', "unit = 3", 12,
     'device "ps-03": needs host, a name or address, or serial'),
    ("unit = 4", "unit = 3", 44, 'unit 3 at 10.0.0.7:502 is device "ps-03" on line 12 already'),
    ("unit = 4", 'unit = 4\ntransport = "rtu-over-tcp"', 44,
     "one line has one set of settings"),
    # points
    ('name = "flow"', 'name = "Flow"', 22, "point 'Flow' is not a name"),
    ('name = "total"', 'name = "flow"', 36, '"flow" is the name on line 22 already'),
    ('unit = "m3/h"\ntable', 'unit = "m³/h"\ntable', 23,
     "unit 'm³/h' is not a UCUM code that CityTwin knows; did you mean m3/h"),
    ("scale = 0.1", 'scale = "0,1"', 26,
     FLOW + 'field "scale": expected a number from -1e+300 to 1e+300, got the text "0,1"'),
    ("scale = 0.1", "scale = 0", 26, FLOW + 'field "scale": must not be 0'),
    ("scale = 0.1", "scale = inf", 26, "got inf"),
    ("scale = 0.1", "skale = 0.1", 26, 'did you mean "scale"?'),
    ("valid = [0, 500]", "valid = [500, 0]", 27, "low 500.0 must not be above high 0.0"),
    ("valid = [0, 500]", "valid = [0]", 27, "expected a list [low, high]; an open end is inf"),
    ("valid = [0, 500]", "valid = [0, 50]", 29,
     'field "writable": [0, 100] must lie within valid, [0, 50]'),
    ("writable = [0, 100]", "writable = [0, inf]", 29, "needs two finite limits"),
    ('feeds = "urn:ngsi-ld:Pump:ps-03"', 'feeds = "pump"', 30, "is not a URN such as"),
    ('feeds = "urn:ngsi-ld:Pump:ps-03"\n', "", 30, 'field "attribute": goes with feeds'),
    ("deadband = 0.5", "deadband = -1", 32, "deadband must be above 0"),
    ("deadband = 0.5", "deadband = 0.5\nswinging_door = 1", 32, "exclude each other"),
    ("deadband = 0.5\n", "", 32, 'field "silence_s_max": goes with deadband or swinging_door'),
    ("deadband = 0.5", 'kind = "text"', 26,
     'field "scale": says nothing of a point of kind "text"; it goes with kind = "analog"'),
    ('kind = "counter"', 'kind = "analog"', 42,
     'table "counter": says nothing of a point of kind "analog"; it goes with kind = "counter"'),
    ('kind = "counter"', 'kind = "total"', 38, 'expected one of "analog", "counter", "state"'),
    ("factor = 3600", "factor = -1", 42,
     'table "counter", field "factor": factor and flow_max must be above 0'),
    ("factor = 3600", "faktor = 3600", 42, 'field "faktor": is not known here; did you mean'),
    ('flow_unit = "m3/h"', 'flow_unit = "qm/h"', 42, "unit 'qm/h' is not a UCUM code"),
    ("normal = [10, 400]", "alarm_delay_s = 5", 28, "goes with normal"),
    ('name = "total"', 'name = "flow.alarm"', 36, 'is the name of what is derived from "flow"'),
    ('name = "total"', f'name = "{"x" * 60}"', 36, "with what is derived from it: point"),
    ('table = "coil"', 'table = "koil"', 59,
     'device "ps-04", point "mode", field "table": expected one of "coil", "discrete"'),
    ("address = 9", "address = -1", 53, "expected a whole number from 0 to 65536, got -1"),
    ("length = 4", "", 49, 'point "name": '),
    ('[[device.point]]\nname = "flow"', '[[device.pint]]\nname = "flow"', 21,
     'device "ps-03", [[pint]]: is not known here; did you mean "point"?'),
    # interlocks
    ('target = "ps-03/flow"', 'target = "ps-03/flo"', 63, "is no point of this gateway"),
    ('guard = "ps-04/mode"', 'guard = "mode"', 64, "write device/point"),
    ('target = "ps-03/flow"', 'target = "ps-04/mode"', 63, "is not writable"),
    ("span = [1, inf]", "span = [1, 0]", 65, "must not be above"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "words"), BAD)
def test_a_bad_file(tmp_path, old, new, line, words):
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, GOOD.replace(old, new, 1)))
    said = str(caught.value)
    assert f"edge.toml:{line}: " in said
    assert any(word in said for word in words.split("|")), said
    assert "\n" not in said
    assert "`" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"there is no table \[gateway"),
        ("gateway = 3", r"there is no table \[gateway"),
        ('[gateway]\nname = "a"\n[device]\nname = "b"', r"toml:3: .*is written as \[\[device"),
        ('[gateway]\nname = "a"\ndevice = [1]', "is not known here|is written as"),
        ('[gateway]\nname = "a"\n[[device]]\nname = "b"\nadapter = "modbus"\nhost = "h"',
         'edge.toml:3: device "b": has no \\[\\[device.point\\]\\]; it needs at least one'),
        ('[gateway]\nname = "a"\n[[device]]\nname = "b"\nadapter = "modbus"\nhost = "h"\npoint = 1',
         "edge.toml:7: .* is written as \\[\\[device.point\\]\\]"),
        ('[gateway]\nname = "a"\n' + "[[device]]\n" * (DEVICES_MAX + 1),
         "edge.toml:3: .* at most 1000 of \\[\\[device\\]\\]"),
    ],
)  # fmt: skip
def test_a_file_of_another_shape(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        load(written(tmp_path, text))


def test_too_many_points(tmp_path, monkeypatch):
    monkeypatch.setattr("citytwin_edge.config.POINTS_MAX", 3)
    with pytest.raises(ConfigError, match="a gateway has at most 3 points"):
        load(written(tmp_path, GOOD))


def test_points_of_a_device_that_adapters_refuse_are_named(tmp_path):
    text = GOOD.replace("unit = 4", "unit = 4\none_based = true").replace(
        "address = 9", "address = 0"
    )
    with pytest.raises(ConfigError, match=r'edge.toml:50: device "ps-04", point "name": '):
        load(written(tmp_path, text))


def test_an_adapter_that_can_do_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(MODBUS, "build", lambda *_: object(), raising=False)
    with pytest.raises(ConfigError, match=r'edge.toml:14: .*"modbus" neither reads nor listens'):
        load(written(tmp_path, GOOD))
