"""Fields say what may stand in them, as the struct that checks them has it."""

from typing import Annotated, Literal

import msgspec
import pytest

from citytwin.point import Kind, Span
from citytwin_edge.catalogue.fields import CHOICES_MAX, tables, toml


class Inner(msgspec.Struct):
    """Something inside.

    Attributes:
        depth_m: how deep.
    """

    depth_m: Annotated[float, msgspec.Meta(gt=0)]


class Whole(msgspec.Struct, kw_only=True):
    """A device.

    Attributes:
        host: where it is.
        wait_s_max: how long.
    """

    host: str
    wait_s_max: Annotated[float, msgspec.Meta(gt=0, le=60)] = 3.0
    rate_per_s: float = 0.0
    unit: Annotated[int, msgspec.Meta(ge=0, lt=256)] = 1
    name: Annotated[str, msgspec.Meta(description="from Meta", max_length=8)] = ""
    mode: Literal["a", "b"] | None = None
    kind: Kind = Kind.ANALOG
    span: Span | None = None
    inner: tuple[Inner, ...] = ()
    words: dict[str, float] = {}
    either: bool | Annotated[int, msgspec.Meta(le=9)] = True
    many: Annotated[tuple[int, ...], msgspec.Meta(min_length=2, max_length=2)] = (1, 2)


FIELDS = {field.name: field for field in tables(Whole, "device")[0].fields}


@pytest.mark.parametrize(
    ("name", "kind", "allowed", "unit", "default"),
    [
        ("host", "text", "", "", None),
        ("wait_s_max", "number", "above 0 up to 60", "s", "3"),
        ("rate_per_s", "number", "", "", "0"),
        ("unit", "whole number", "0 … 255", "", "1"),
        ("name", "text", "at most 8 characters", "", '""'),
        ("mode", "one of", '"a", "b"', "", None),
        ("kind", "one of", '"analog", "counter", "state", "text", "alarm"', "", '"analog"'),
        ("span", "list [low, high]", "", "", None),
        ("inner", "list of table", "", "", "[]"),
        ("words", "table: number by name", "", "", "{}"),
        ("either", "true or false or whole number", "up to 9", "", "true"),
        ("many", "list of whole number", "2 of them", "", "[1, 2]"),
    ],
)
def test_a_field_is_as_its_struct_has_it(name, kind, allowed, unit, default):
    field = FIELDS[name]
    assert (field.kind, field.allowed, field.unit, field.default) == (kind, allowed, unit, default)
    assert field.needed == (name == "host")


def test_a_meaning_is_of_the_docstring_or_of_meta():
    assert FIELDS["host"].meaning == "where it is."
    assert FIELDS["name"].meaning == "from Meta"
    assert FIELDS["unit"].meaning == ""


def test_tables_inside_follow_once_each():
    found = tables(Whole, "device")
    assert [(one.name, one.is_list) for one in found] == [
        ("device", False), ("device.span", True), ("device.inner", False),
    ]  # fmt: skip
    assert found[2].meaning == "Something inside."
    assert found[2].fields[0].unit == "m"


def test_own_fields_come_before_common_ones():
    class More(Whole, kw_only=True):
        """More."""

        extra: str = ""

    assert [field.name for field in tables(More, "device")[0].fields][:2] == ["extra", "host"]


def test_values_are_written_as_toml():
    assert toml({"a": True, "b": [1, 2.5, "x"]}) == '{ a = true, b = [1, 2.5, "x"] }'


def test_long_choices_are_cut():
    many = Literal[tuple(range(CHOICES_MAX + 1))]
    (table,) = tables(msgspec.defstruct("Many", [("one", many)]), "device")
    assert table.fields[0].allowed.endswith(f"{CHOICES_MAX - 1}, …")
