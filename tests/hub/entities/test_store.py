"""A change names its entity."""

import pytest

from citytwin_hub.entities.store import Change
from tests.hub.entities.samples import entity


def test_a_change_is_of_one_entity():
    assert Change(None, entity(1)).id == Change(entity(1), None).id == "urn:ngsi-ld:Tank:1"
    with pytest.raises(ValueError, match="before, after or both"):
        _ = Change(None, None).id
