"""Permit: a refusal says who is what, and what he may not."""

import pytest

from citytwin_hub.access import AccessError
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.permit import EVERYTHING
from tests.hub.doors import permit


def test_what_may_not_be_done_is_said():
    vendor = permit("acme", "vendor")
    vendor.require(Act.READ)
    vendor.require(Act.COMMAND, Act.READ)
    with pytest.raises(AccessError, match="acme is vendor and may not command this") as caught:
        vendor.require(Act.COMMAND)
    assert caught.value.status == 403
    with pytest.raises(AccessError, match="everywhere, which this needs"):
        vendor.require(Act.WRITE, whole=True)
    with pytest.raises(AccessError, match="without a role"):
        permit("nobody").require(Act.READ)
    for act in Act:
        EVERYTHING.require(act, whole=True)
