"""Paging: a part of a list as an answer, with the way to the parts beside it (clause 6.3.10)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.responses import Response

from citytwin_hub.apis.ngsild.calls import Call
from citytwin_hub.apis.ngsild.discovery import COUNT_HEADER
from citytwin_hub.apis.ngsild.parameters import Page

T = TypeVar("T")


def cut(every: Sequence[T], page: Page) -> Sequence[T]:
    """Return the part of all that a page has."""
    return every[page.offset : page.offset + page.limit]


def paged(call: Call, content: list[Any], page: Page, count: int, path: str) -> Response:
    """Return the answer with a page.

    Args:
        call: the request.
        content: what the page has, as documents.
        page: which part it is.
        count: how many there are in all pages.
        path: where the parts beside it are asked for.
    """
    headers = {COUNT_HEADER: str(count)} if page.count else {}
    response = call.answer(content, headers=headers)
    for rel, offset in _neighbours(page.offset, page.limit, count):
        others = {name: value for name, value in call.query.items() if name != "offset"}
        query = urlencode(others | {"offset": offset})
        response.headers.append("Link", f'<{path}?{query}>;rel="{rel}";type="{call.media}"')
    return response


def _neighbours(offset: int, limit: int, count: int) -> Iterator[tuple[str, int]]:
    if offset > 0 and limit:
        yield "prev", max(offset - limit, 0)
    if limit and offset + limit < count:
        yield "next", offset + limit
