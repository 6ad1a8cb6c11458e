"""What the hub may not change from afar: what can be commanded, and what guards it."""

import pytest

from citytwin_edge.config import load
from citytwin_edge.remote_limits import forbidden

HEAD = '[gateway]\nname = "g"\nstate = "state"\n'
PUMP = (
    '[[device]]\nname = "plc"\nadapter = "modbus"\nhost = "10.0.0.1"\n'
    '[[device.point]]\nname = "speed"\ntable = "holding"\naddress = 0\nwritable = [0, 50]\n'
    "write = { step = 1 }\n"
    '[[device.point]]\nname = "level"\ntable = "holding"\naddress = 1\n'
)
METER = (
    '[[device]]\nname = "meter"\nadapter = "modbus"\nhost = "10.0.0.2"\n'
    '[[device.point]]\nname = "flow"\ntable = "holding"\naddress = 0\n'
)
LOCK = '[[interlock]]\ntarget = "plc/speed"\nguard = "plc/level"\nspan = [1, 9]\n'
TEXT = HEAD + PUMP + METER + LOCK


def of(tmp_path, text):
    path = tmp_path / "edge.toml"
    path.write_text(text)
    return load(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "writable = [0, 50]",
            "writable = [0, 51]",
            "speed, which can be commanded, would",
        ),
        ("step = 1", "step = 2", "another write"),
        ("writable = [0, 50]", "writable = [0, 50]\nscale = 10", "another place or scale"),
        ("address = 0\nwritable", "address = 7\nwritable", "another place or scale"),
        ('host = "10.0.0.1"', 'host = "10.0.0.3"', "another place or scale"),
        ('name = "flow"\n', 'name = "flow"\nwritable = [0, 1]\n', "g/meter/flow would become writ"),
        (LOCK, "", "the interlock of g/plc/speed by g/plc/level would be gone or looser"),
        ("span = [1, 9]", "span = [0, 9]", "gone or looser"),
        ("address = 1\n", "address = 2\n", "g/plc/level, which guards g/plc/speed, would have"),
        (
            'state = "state"',
            'state = "state"\nremote_config = "all"',
            "only somebody at",
        ),
        (
            'state = "state"',
            'state = "state"\nremote_config = "off"',
            "only somebody at",
        ),
    ],
)
def test_what_would_widen_it_is_forbidden(tmp_path, old, new, words):
    assert old in TEXT
    before, after = of(tmp_path, TEXT), of(tmp_path, TEXT.replace(old, new))
    assert words in forbidden(before, after)
    if "remote_config" not in new:
        everything = HEAD + 'remote_config = "all"\n'
        pair = [
            of(tmp_path, one.replace(HEAD, everything)) for one in (TEXT, TEXT.replace(old, new))
        ]
        assert forbidden(*pair) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("writable = [0, 50]", "writable = [10, 40]"),
        ("span = [1, 9]", "span = [2, 8]"),
        (PUMP + METER + LOCK, METER),
        ("writable = [0, 50]\nwrite = { step = 1 }\n", ""),
        ('name = "flow"\n', 'name = "flow"\nscale = 10\nnormal = [0, 1]\n'),
        ('host = "10.0.0.2"', 'host = "10.0.0.4"\nperiod_s = 5'),
        ('name = "plc"\n', 'name = "plc"\nperiod_s = 5\nlabel = { en = "PLC" }\n'),
        ('state = "state"', 'state = "state"\nhub = "other.example"'),
    ],
)
def test_everything_else_is_allowed(tmp_path, old, new):
    assert old in TEXT
    text = TEXT.replace(old, new)
    if "writable" not in text:
        text = text.replace(LOCK, "")
    assert forbidden(of(tmp_path, TEXT), of(tmp_path, text)) == ""


def test_nothing_is_allowed_where_it_is_off(tmp_path):
    config = of(tmp_path, TEXT.replace(HEAD, HEAD + 'remote_config = "off"\n'))
    assert "changed at the gateway only" in forbidden(config, config)
