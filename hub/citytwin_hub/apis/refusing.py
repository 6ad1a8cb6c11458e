"""Refusing: what an operation on entities refuses, as an answer of REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from citytwin_hub.apis.admitting import ApiError
from citytwin_hub.entities.errors import EntityError


def answered(act: Callable[[], Any], field: str) -> Any:
    """Return what an act returns.

    Args:
        act: what is done.
        field: what was named wrong if it was (422, as all that is wrong in a request here).

    Raises:
        ApiError: it refused.
    """
    try:
        return act()
    except EntityError as error:
        if error.status == 400:
            raise ApiError(422, str(error), field) from None
        raise ApiError(error.status, str(error)) from None
