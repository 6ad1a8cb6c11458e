"""Tables of devices that a gateway's file and a profile make together."""

import pytest

from citytwin import Kind, Span
from citytwin.errors import ConfigError
from citytwin_edge.config import load as load_gateway
from tests.edge.catalogue.profiles import METER, put

GATEWAY = """\
[gateway]
name = "g"

[[device]]
name = "meter"
profile = "acme/m1"
host = "10.0.0.7"
"""


def gateway(folder, more=""):
    path = folder / "edge.toml"
    path.write_text(GATEWAY + more)
    return load_gateway(path)


def test_a_device_with_a_profile_needs_its_connection_only(tmp_path):
    put(tmp_path)
    (device,) = gateway(tmp_path).devices
    assert (device.adapter, device.settings.order, device.settings.host) == (
        "modbus", "CDAB", "10.0.0.7",
    )  # fmt: skip
    assert (device.pace.period_ns, device.pace.slow_period_ns) == (2 * 10**9, 30 * 10**9)
    voltage, current, energy, relay = device.points
    assert voltage.point.label.ru == "Фазное напряжение L1"
    assert voltage.point.device_label.en == "Meter Acme M1"
    assert (voltage.point.attribute, voltage.slow) == ("", False)
    assert current.point.valid == Span(-100, 100)
    assert (energy.point.kind, energy.scale, energy.slow) == (Kind.COUNTER, 0.01, True)
    assert relay.point.writable == Span(0, 1)
    assert relay.write is not None
    assert (relay.write.interval_s_min, relay.write.failsafe) == (5, 0)


def test_what_is_held_is_not_set_when_the_hub_is_gone(tmp_path):
    put(tmp_path)
    (relay,) = gateway(tmp_path).failsafe
    assert relay.endswith("/relay")
    put(tmp_path, METER.replace("failsafe = 0", 'failsafe = "hold"'))
    assert gateway(tmp_path).failsafe == {}
    put(tmp_path, METER.replace("failsafe = 0", 'failsafe = "keep"'))
    with pytest.raises(ConfigError, match="failsafe"):
        gateway(tmp_path)


def test_a_gateway_says_what_is_different_there(tmp_path):
    put(tmp_path)
    more = (
        'order = "ABCD"\npoints = ["energy"]\nfeeds = "urn:ngsi-ld:Device:m-1"\n'
        '[[device.point]]\nname = "voltage-l1"\nunit = "kV"\nnormal = [0.2, 0.25]\n'
        '[[device.point]]\nname = "own"\ntable = "holding"\naddress = 5\n'
    )
    (device,) = gateway(tmp_path, more).devices
    voltage, energy, own = device.points
    assert device.settings.order == "ABCD"
    assert (voltage.scale, voltage.point.valid) == (0.001, Span(0, 0.3))
    assert voltage.point.normal == Span(0.2, 0.25)
    assert energy.point.attribute == "totalActiveEnergyImport"
    assert energy.point.feeds == "urn:ngsi-ld:Device:m-1"
    assert own.point.name == "own"


@pytest.mark.parametrize(
    ("more", "line", "words"),
    [
        ('points = ["volts"]', 8, 'profile "acme/m1" has no point "volts"; it has voltage-l1, cu'),
        ('points = "all"', 8, "is a list of names of points"),
        ('adapter = "mqtt"', 8, 'comes from the profile: "modbus"'),
        ('[[device.point]]\nname = "energy"\nunit = "m"', 8, "do not measure the same"),
        ('[[device.point]]\nname = "energy"\naddress = "x"', 10, "expected a whole number"),
        ('[[device.point]]\nname = "energy"\n[[device.point]]\nname = "energy"', 11, "already"),
        ("speed = 7", 8, "is not known here"),
    ],
)
def test_mistakes_of_a_gateway_are_told_where_they_are(tmp_path, more, line, words):
    put(tmp_path)
    with pytest.raises(ConfigError) as caught:
        gateway(tmp_path, more)
    assert f"edge.toml:{line}: " in str(caught.value)
    assert words in str(caught.value)


def test_a_device_without_a_profile_has_nothing_to_choose(tmp_path):
    path = tmp_path / "edge.toml"
    path.write_text(
        '[gateway]\nname = "g"\n[[device]]\nname = "m"\nadapter = "modbus"\nhost = "h"\n'
        'feeds = "urn:ngsi-ld:Device:m-1"\n'
    )
    with pytest.raises(ConfigError, match=r'edge.toml:7: .*"feeds": goes with profile'):
        load_gateway(path)


def test_a_device_of_slow_points_is_slow_as_a_whole(tmp_path):
    put(tmp_path)
    (device,) = gateway(tmp_path, 'points = ["energy"]\n').devices
    assert device.is_slow
