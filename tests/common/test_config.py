"""Configuration errors name file, line, device, point and field, and what is allowed."""

from typing import Annotated, Literal

import msgspec
import pytest

from citytwin.config import FILE_BYTES_MAX, Document, load
from citytwin.errors import ConfigError
from citytwin.point import Label, Span


class Extra(msgspec.Struct, forbid_unknown_fields=True):
    factor: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    name: str = ""


class Point(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    scale: float = 1.0
    valid: Span | None = None
    order: Literal["ABCD", "CDAB"] = "ABCD"
    bits: Annotated[tuple[int, ...], msgspec.Meta(max_length=2)] = ()
    extra: Extra | None = None


class Device(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    period_s: float = 1.0
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 502
    label: Label = Label()
    point: list[Point] = []


class Gateway(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    place: list[float] | None = None

    def __post_init__(self):
        if self.name == "bad":
            raise ValueError("name must not be bad")


class File(msgspec.Struct, forbid_unknown_fields=True):
    gateway: Gateway
    device: list[Device] = []


GOOD = """\
[gateway]
name = "medeu-1"

[[device]]
name = "ps-03"
period_s = 2
port = 1502
label = { en = "Pump" }

[[device.point]]
name = "flow"
scale = 0.1
valid = [0, 5]
order = "CDAB"

[[device.point]]
name = "level"
[device.point.extra]
factor = 2

[[device]]
name = "ps-04"
point = [
  { name = "a" },
  { name = "b", bits = [
      1,
      2] },
]
"""


def written(tmp_path, text):
    path = tmp_path / "edge.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_good_file(tmp_path):
    file = load(written(tmp_path, GOOD), File)
    assert [device.name for device in file.device] == ["ps-03", "ps-04"]
    assert file.device[0].point[0].valid == Span(0, 5)
    assert file.device[0].point[1].extra == Extra(factor=2)
    assert file.device[1].point[1].bits == (1, 2)


@pytest.mark.parametrize("spoil", [lambda t: b"\xef\xbb\xbf" + t.encode(),
                                   lambda t: t.replace("\n", "\r\n")])  # fmt: skip
def test_what_windows_editors_write_is_read(tmp_path, spoil):
    assert load(written(tmp_path, spoil(GOOD)), File).gateway.name == "medeu-1"
    with pytest.raises(ConfigError, match=r"edge.toml:12: device"):
        load(written(tmp_path, spoil(GOOD.replace("0.1", '"0,1"'))), File)


FLOW = 'device "ps-03", point "flow", '


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("scale = 0.1", 'scale = "0,1"', 12,
         FLOW + 'field "scale": expected a number, got the text "0,1"'),
        ("scale = 0.1", "scale = true", 12, 'field "scale": expected a number, got true'),
        ("scale = 0.1", "scale = nan", 12, 'field "scale": nan is not allowed; give a number'),
        ("scale = 0.1", "scale = 2020-01-01", 12, "got the date or time 2020-01-01"),
        ("scale = 0.1", "scale = { a = 1 }", 12, "expected a number, got a table"),
        ("scale = 0.1", f"scale = 1{'0' * 400}", 12, "a whole number has at most"),
        ("scale = 0.1", "skale = 0.1", 12,
         FLOW + 'field "skale": is not known here; did you mean "scale"?'),
        ("period_s = 2", "colour = 2", 6,
         'device "ps-03", field "colour": is not known here; '
         "allowed are label, name, period_s, point, port"),
        ("port = 1502", "port = 0", 7, "expected a whole number from 1 to 65535, got 0"),
        ("port = 1502", "port = 1.5", 7, "expected a whole number from 1 to 65535, got 1.5"),
        ("port = 1502", 'port = "502"', 7, 'from 1 to 65535, got the text "502"'),
        ("port = 1502", f"port = {2**63}", 7, "a whole number has at most"),
        ('en = "Pump"', 'de = "Pumpe"', 8,
         'table "label", field "de": is not known here; '),
        ('en = "Pump"', "en = 3", 8,
         'device "ps-03", table "label", field "en": expected a text, got 3'),
        ('en = "Pump"', f'en = "{"x" * 121}"', 8, "a label has at most 120 characters"),
        ('"CDAB"', '"CADB"', 14,
         FLOW + 'field "order": expected one of "ABCD", "CDAB", got the text "CADB"'),
        ('"CDAB"', "1234", 14, 'expected one of "ABCD", "CDAB", got 1234'),
        ("valid = [0, 5]", "valid = [0, true]", 13,
         'field "valid", value 2: expected a number, got true'),
        ("valid = [0, 5]", "valid = 3", 13,
         FLOW + 'field "valid": expected a list [low, high], got 3'),
        ("valid = [0, 5]", "valid = [1, 2, 3]", 13,
         "expected a list [low, high], got a list of 3 values"),
        ("valid = [0, 5]", "valid = [\n5,\n0]", 13, "low 5.0 must not be above high 0.0"),
        ('name = "level"', "scale = 1", 16, 'point number 2: field "name" is missing'),
        ("factor = 2", "factor = 0", 19,
         'point "level", table "extra", field "factor": expected a number above 0, got 0'),
        ("factor = 2", "faktor = 2", 19, 'field "faktor": is not known here; did you mean'),
        ('{ name = "a" }', '{ name = 7 }', 24,
         'device "ps-04", point number 1, field "name": expected a text, got 7'),
        ("      2] }", '      "2"] }', 27,
         'point "b", field "bits", value 2: expected a whole number, got the text "2"'),
        ("      2] }", "      2, 3] }", 25, "expected a list of at most 2 values, got a list of 3"),
        ('name = "medeu-1"', 'name = "bad"', 2,
         'table "gateway", field "name": name must not be bad'),
        ('name = "medeu-1"', "place = [1]", 1, 'table "gateway": field "name" is missing'),
        ("[gateway]", "[gatewy]", 1, 'table "gatewy": is not known here; did you mean "gateway"?'),
        ('[gateway]\nname = "medeu-1"', "", 1, 'field "gateway" is missing'),
        ('name = "ps-04"', 'name = "ps-04', 22, "is not TOML at column"),
        ('name = "ps-04"', 'name = "ps-04"\n[gateway]', 23, "is not TOML at column"),
        ('name = "ps-04"', 'name = "ps-04"\nname = "x"', 23, "is not TOML at column"),
        ('name = "ps-04"', 'name = ps-04', 22, "is not TOML at column 8: Invalid value"),
        ("scale = 0.1", "scale = 0,1", 12, "is not TOML at column"),
        ("  { name = \"b\", bits = [\n      1,\n      2] },\n]", "", 24,
         "is not TOML, the file ends too soon: Invalid value"),
    ],
)  # fmt: skip
def test_bad_file(tmp_path, old, new, line, words):
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, GOOD.replace(old, new)), File)
    assert f"edge.toml:{line}: " in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a = 1\nname = '\xff'", "edge.toml:2: is not UTF-8; save the file as UTF-8"),
        (b"#" * (FILE_BYTES_MAX + 1), "has over 8388608 bytes"),
        (b"a = " + b"[" * 50_000, "nested too deeply"),
        (b"\x00", "edge.toml:1: is not TOML"),
    ],
)
def test_unreadable_file(tmp_path, data, words):
    with pytest.raises(ConfigError, match=words):
        Document(written(tmp_path, data))


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"none.toml: cannot be read: No such file"):
        Document(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        Document(tmp_path)


def test_part_of_a_file_keeps_its_place(tmp_path):
    document = Document(written(tmp_path, GOOD))
    with pytest.raises(ConfigError, match=r'edge.toml:6: device "ps-03", field "period_s"'):
        document.convert(Point, {"name": "x", "period_s": 2}, ("device", 0))
    error = document.error("is on the same line as ps-03", ("device", 1))
    assert 'edge.toml:21: device "ps-04": is on the same' in str(error)
    assert document.line(("device", 1, "colour")) == 21


def test_fields_of_others_at_the_same_place_are_hinted_at(tmp_path):
    document = Document(written(tmp_path, GOOD))
    with pytest.raises(ConfigError, match='field "prot": is not known here; did you mean "port"'):
        document.convert(Extra, {"prot": 1}, ("device", 0), also=("port",))


def test_names_that_come_twice(tmp_path):
    document = Document(written(tmp_path, GOOD.replace("ps-04", "ps-03")))
    with pytest.raises(ConfigError) as caught:
        document.unique(["ps-03", "ps-03"], ("device",))
    assert 'edge.toml:22: device "ps-03", field "name": ' in str(caught.value)
    assert '"ps-03" is the name on line 5 already; each needs its own' in str(caught.value)
    document.unique(["ps-03", "ps-04"], ("device",))
