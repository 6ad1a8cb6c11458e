"""What entities refuse, as an answer of REST."""

import pytest

from citytwin_hub.apis.admitting import ApiError
from citytwin_hub.apis.refusing import answered
from citytwin_hub.entities.errors import AlreadyExists, BadRequestData, ResourceNotFound


@pytest.mark.parametrize(
    ("error", "status"), [(BadRequestData, 422), (ResourceNotFound, 404), (AlreadyExists, 409)]
)
def test_a_refusal_has_its_sentence_and_status(error, status):
    def act():
        raise error("because")

    with pytest.raises(ApiError, match="because") as caught:
        answered(act, "urn")
    assert (caught.value.status, caught.value.field) == (status, "urn" if status == 422 else "")
    assert answered(lambda: 5, "urn") == 5
