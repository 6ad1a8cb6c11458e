"""What a subscription says of itself."""

import msgspec
import pytest

from citytwin_hub.entities.subscriptions import ATTRIBUTES, Status, Subscription, Touch, Trigger
from tests.hub.entities.subscribing import subscription


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, Status.ACTIVE),
        ({"is_active": True}, Status.ACTIVE),
        ({"is_active": False}, Status.PAUSED),
        ({"expires_ns": 101}, Status.ACTIVE),
        ({"expires_ns": 100}, Status.EXPIRED),
        ({"expires_ns": 100, "is_active": False}, Status.EXPIRED),
    ],
)
def test_its_status_is_that_of_the_moment(more, status):
    assert subscription(**more).status(100) is status


@pytest.mark.parametrize(
    ("triggers", "mask"),
    [
        ((), Touch.CREATED | Touch.UPDATED),
        ((Trigger.ENTITY_UPDATED,), ATTRIBUTES),
        ((Trigger.ENTITY_CREATED, Trigger.ATTRIBUTE_DELETED), Touch.ENTITY_CREATED | Touch.DELETED),
    ],
)
def test_triggers_are_what_counts(triggers, mask):
    assert subscription(triggers=triggers).mask == mask


def test_it_is_kept_as_json_and_read_back():
    one = subscription(
        triggers=tuple(Trigger), datasets=("", "urn:d:1"), geo={"georel": "within"}, context=["a"]
    )
    assert msgspec.json.decode(msgspec.json.encode(one), type=Subscription) == one
