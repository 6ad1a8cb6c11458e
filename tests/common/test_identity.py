"""Names and ids: what is allowed, and what the refusal says."""

import pytest

from citytwin.errors import IdentityError
from citytwin.identity import point_id, segment, split_point_id, urn


def test_point_id_round_trip():
    assert split_point_id(point_id("medeu-1", "ps-03", "flow.alarm")) == (
        "medeu-1",
        "ps-03",
        "flow.alarm",
    )


@pytest.mark.parametrize("text", ["", "A", "a b", "-a", "a.", "ж", "a/b", "a\n", "x" * 64])
def test_segment_refuses(text):
    with pytest.raises(IdentityError, match="device"):
        segment(text, "device")


@pytest.mark.parametrize("text", ["a/b", "a/b/c/d", "a//c", "x" * 5000])
def test_point_id_needs_three_segments(text):
    with pytest.raises(IdentityError):
        split_point_id(text)


def test_urn_is_checked():
    assert urn("urn:ngsi-ld:Pump:ps-03") == "urn:ngsi-ld:Pump:ps-03"
    for bad in ("Pump:1", "urn:x", "urn:ngsi-ld:" + "a" * 300, "urn:ngsi-ld:Pump 1"):
        with pytest.raises(IdentityError):
            urn(bad)
