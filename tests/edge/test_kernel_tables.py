"""``[[kernel]]``: what a vendor's kernel may read and give, and every mistake in a sentence."""

import pytest

from citytwin.errors import ConfigError
from citytwin_edge.cli import main
from citytwin_edge.config import load
from citytwin_edge.kernels import build
from tests.edge.vendor_kernels import vendor

__all__ = ["vendor"]

DEVICE = """\
[gateway]
name = "g"
[[device]]
name = "d"
adapter = "modbus"
host = "10.0.0.1"
[[device.point]]
name = "level"
unit = "m"
table = "holding"
address = 0
deadband = 0.1
[[device.point]]
name = "count"
unit = "m3"
kind = "counter"
table = "holding"
address = 1
counter = { flow_unit = "m3/h", factor = 3600, flow_max = 10 }
[[device.point]]
name = "serial"
kind = "text"
type = "string"
length = 2
table = "holding"
address = 2
"""
KERNEL = '[[kernel]]\nname = "sum"\nkernel = "total"\ninputs = ["d/level"]\n'


def written(tmp_path, text):
    path = tmp_path / "edge.toml"
    path.write_text(DEVICE + text)
    return path


def ids(config):
    points = [(one.point, one.rules) for one in config.points]
    return {name: one.outputs for name, one in build(points, config.kernels).items()}


def test_a_vendors_kernel_stands_between_what_derives_and_what_thins(tmp_path, vendor):
    config = load(written(tmp_path, KERNEL + "factor = 2.5\n"))
    (one,) = config.kernels
    assert (one.name, one.kernel, one.settings.factor) == ("sum", "total", 2.5)
    assert list(ids(config)) == ["rules", "counter", "kernel:sum", "deadband"]
    assert [point.id for point in ids(config)["kernel:sum"]] == ["g/d/level.total"]


def test_it_may_read_what_others_derive(tmp_path, vendor):
    text = KERNEL + (
        '[[kernel]]\nname = "two"\nkernel = "total"\ninputs = ["d/level.total", "d/count.flow"]\n'
    )
    assert [len(one.inputs) for one in load(written(tmp_path, text)).kernels] == [1, 2]


def linked(name, *inputs):
    listed = ", ".join(f'"{one}"' for one in inputs)
    return f'[[kernel]]\nname = "{name}"\nkernel = "total"\ninputs = [{listed}]\n'


def test_the_order_is_worked_out(tmp_path, vendor):
    text = (
        linked("last", "d/level.total.total", "d/count.flow")
        + linked("middle", "d/level.total")
        + linked("first", "d/level")
    )
    config = load(written(tmp_path, text))
    assert [one.name for one in config.kernels] == ["first", "middle", "last"]
    assert [point.id for point in ids(config)["kernel:last"]] == ["g/d/level.total.total.total"]


def test_kernels_that_wait_for_each_other_are_refused(tmp_path, vendor):
    text = linked("a", "d/level", "d/count.total") + linked("b", "d/count", "d/level.total")
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text))
    said = str(caught.value)
    assert ':34: kernel "b", field "inputs", value 2' in said
    assert '"d/level.total" can never be there' in said
    assert 'kernels wait for each other, "a" → "b" → "a"' in said


def test_one_that_waits_for_itself_is_refused(tmp_path, vendor):
    with pytest.raises(ConfigError, match=r'"d/level.total" is no point that it could read'):
        load(written(tmp_path, linked("a", "d/level", "d/level.total")))


def test_the_command_takes_it(tmp_path, vendor, capsys):
    assert main(["check", "--config", str(written(tmp_path, KERNEL))]) == 0
    said = capsys.readouterr().out
    assert "nothing is wrong" in said
    assert "kernel sum (total) gives g/d/level.total\n" in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"total"', '"fly"', r':29: .*no kernel "fly"; installed are .*"none", .*"total"'),
        ('"total"', '"totals"', r'no kernel "totals"; did you mean "total".* kernels list'),
        ('"total"', '"none"', r"\(acme_kernels:NONE\) has no settings; it is none"),
        ('"d/level"', '"d/depth"', r'"d/depth" is no point that it could read; write device/point'),
        ('"d/level"', '"d/leval"', r'value 1: "d/leval" is no point .* did you mean "d/level"'),
        ('"d/level"', '"g/d/level"', r'no point that it could read; did you mean "d/level"'),
        ('"d/level"', '"d/serial"', '"d/serial" is a text, not a number'),
        ('"d/level"', '"d/level", "d/level"', '"d/level" is there already'),
        ('["d/level"]', "[]", 'field "inputs": it needs at least one; see: .* show total'),
        ("inputs", "input", 'field "inputs" is missing'),
        ('"sum"', '"Sum"', "kernel 'Sum' is not a name"),
        ("]\n", ']\nfactr = 2\n', r':31: kernel "sum", field "factr".*did you mean "factor"'),
        ("]\n", ']\nfactor = "x"\n', 'field "factor": expected a number, got the text "x"'),
        ("]\n", ']\nbroken = "build"\n', 'kernel "sum": it wants two inputs'),
        ("]\n", ']\nbroken = "mistake"\n',
         r'kernel "total" has a mistake: TypeError: .*\(acme_kernels.py, line \d+\); tell its'),
        ("]\n", ']\nbroken = "source"\n', '"g/d/level.total" without source=Source.DERIVED'),
        ("]\n", ']\nbroken = "inputs"\n', "does not keep the contract of citytwin.kernel"),
        ("]\n", ']\nbroken = "name"\n', '"g/other/x.total", which is not derived from one of its'),
    ],
)  # fmt: skip
def test_mistakes(tmp_path, vendor, old, new, words):
    with pytest.raises(ConfigError, match=words):
        load(written(tmp_path, new.join(KERNEL.rsplit(old, 1))))


def test_what_it_gives_must_be_new(tmp_path, vendor):
    text = KERNEL.replace("level", "count") + 'broken = "flow"\n'
    with pytest.raises(ConfigError, match=r'"g/d/count.flow", which there is already'):
        load(written(tmp_path, text))


def test_each_needs_its_own_name(tmp_path, vendor):
    twice = KERNEL + KERNEL.replace("d/level", "d/count")
    with pytest.raises(ConfigError, match='"sum" is the name on line 28 already'):
        load(written(tmp_path, twice))


def test_without_one_nothing_is_looked_for(tmp_path):
    assert load(written(tmp_path, "")).kernels == ()


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ('["d/level",\n"d/count"]', r':31: kernel "f", field "inputs", value 2: it reads 1, not 2'),
        ('[\n"d/count.flow"]', r':31: kernel "f", field "inputs", value 1: .* is in m3/h$'),
    ],
)
def test_an_input_that_is_wrong_is_told_where_it_stands(tmp_path, inputs, words):
    text = f'[[kernel]]\nname = "f"\nkernel = "interval-energy"\ninputs = {inputs}\n'
    with pytest.raises(ConfigError, match=words):
        load(written(tmp_path, text))
