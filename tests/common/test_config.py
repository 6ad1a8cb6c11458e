"""Configuration errors name file, line, device, point and field, and what is allowed."""

import msgspec
import pytest

from citytwin.config import FILE_BYTES_MAX, Document, load
from citytwin.errors import ConfigError


class Point(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    scale: float = 1.0
    valid: tuple[float, float] | None = None


class Device(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    period_s: float = 1.0
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


GOOD = """
[gateway]
name = "medeu-1"

[[device]]
name = "ps-03"
period_s = 2

[[device.point]]
name = "flow"
scale = 0.1
valid = [0, 5]

[[device.point]]
name = "level"

[[device]]
name = "ps-04"
"""


def written(tmp_path, text):
    path = tmp_path / "edge.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_good_file(tmp_path):
    file = load(written(tmp_path, GOOD), File)
    assert [device.name for device in file.device] == ["ps-03", "ps-04"]
    assert file.device[0].point[0].valid == (0, 5)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("scale = 0.1", 'scale = "0,1"', 11,
         'device "ps-03", point "flow", field "scale": expected a number, got a text'),
        ("scale = 0.1", "skale = 0.1", 11,
         'point "flow", field "skale": is not known here; did you mean \'scale\'?'),
        ("period_s = 2", "color = 2", 7, "allowed are name, period_s, point"),
        ('name = "level"', "scale = 1", 14, "point \"number 2\": field 'name' is missing"),
        ("valid = [0, 5]", "valid = [0, true]", 12,
         'field "valid": expected a number, got true or false'),
        ("valid = [0, 5]", "valid = 3", 12, "expected a list"),
        ('name = "medeu-1"', 'name = "bad"', 2, 'table "gateway": name must not be bad'),
        ('name = "medeu-1"', "place = [1]", 2, "field 'name' is missing"),
        ('name = "ps-04"', 'name = "ps-04', 18, "is not TOML"),
        ('name = "ps-04"', 'name = "ps-04"\n[gateway]', 19, "is not TOML"),
    ],
)  # fmt: skip
def test_bad_file(tmp_path, old, new, line, words):
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, GOOD.replace(old, new)), File)
    assert f"edge.toml:{line}: " in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"name = '\xff'", "edge.toml:1: is not UTF-8"),
        (b"#" * (FILE_BYTES_MAX + 1), "has over"),
        (b"a = [", "is not TOML"),
    ],
)
def test_unreadable_file(tmp_path, data, words):
    with pytest.raises(ConfigError, match=words):
        Document(written(tmp_path, data))


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"none.toml: cannot be read: No such file"):
        Document(tmp_path / "none.toml")


def test_part_of_a_file_keeps_its_place(tmp_path):
    document = Document(written(tmp_path, GOOD))
    with pytest.raises(ConfigError, match=r'edge.toml:7: device "ps-03", field "period_s"'):
        document.convert(Point, {"name": "x", "period_s": 2}, ("device", 0))
    error = document.error("is on the same line as ps-03", ("device", 1))
    assert 'edge.toml:17: device "ps-04": is on the same' in str(error)
