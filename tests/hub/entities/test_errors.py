"""Errors carry NGSI-LD's names and status."""

import pytest

from citytwin_hub.entities import errors


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.BadRequestData, 400),
        (errors.AlreadyExists, 409),
        (errors.ResourceNotFound, 404),
        (errors.LdContextNotAvailable, 504),
        (errors.TooComplexQuery, 403),
    ],
)
def test_an_error_has_the_uri_of_its_name_and_its_status(kind, status):
    error = kind("why")
    assert error.type == f"https://uri.etsi.org/ngsi-ld/errors/{kind.__name__}"
    assert (error.status, str(error)) == (status, "why")
