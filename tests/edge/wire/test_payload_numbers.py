"""Numbers of one message read together are those that are read one by one."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_edge.wire.fields import Field, Table
from citytwin_edge.wire.payload import Inside, Payload, PayloadField, numbers
from citytwin_edge.wire.texts import Numeral

SEEN = (
    st.floats() | st.integers() | st.booleans() | st.none() | st.text(max_size=3)
    | st.just(1 << 64) | st.just(-(1 << 64)) | st.just([1.5])
)  # fmt: skip


@given(st.dictionaries(st.sampled_from("abc"), SEEN))
def test_numbers_read_together_are_those_read_one_by_one(document):
    payload = Payload(json.dumps(document).encode())
    fields = [PayloadField(f"$.{name}") for name in "ab"]
    names = [field.name_of_number for field in fields]
    assert names == ["a", "b"]
    found = numbers(payload, names)
    if found is None:
        assert not all(_is_usual(document.get(name)) for name in names)
    else:
        assert found == [field.decode(payload)[0] for field in fields]


def _is_usual(seen):
    return type(seen) in {float, int} and abs(seen) < 1 << 64


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"5", b'{"a": NaN, "b": 1}', b'{"a": 1}'])
def test_numbers_read_together_leave_the_rest_to_their_fields(data):
    assert numbers(Payload(data), ["a", "b"]) is None


@pytest.mark.parametrize(
    "field",
    [
        PayloadField("$.a.b"),
        PayloadField("$.a", "$.t"),
        PayloadField("$.a", is_text=True),
        PayloadField("$.a", numeral=Numeral(sentinel=[-1])),
        PayloadField("$.a", numeral=Numeral(words={"1": 5.0})),
        PayloadField(),
        PayloadField("$.a", field=Field(Table.FRAME, 0, "uint16"), inside=Inside("hex")),
    ],
)
def test_a_field_that_may_be_more_than_a_number_is_asked_itself(field):
    assert field.name_of_number == ""


def test_json_that_one_parser_refuses_the_other_reads():
    assert math.isnan(Payload(b'{"a": NaN}').document["a"])
    assert Payload('{"a": 1}'.encode("utf-16")).document == {"a": 1}
    assert Payload(b'{"a": 1e400}').document == {"a": math.inf}
