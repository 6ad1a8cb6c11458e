"""Scope queries: levels, any level, all below, and, or."""

from __future__ import annotations

import pytest

from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.scopes import LEVELS_MAX, parse

ONE = ["/Madrid/Gardens/Norte"]
MANY = ["/Madrid/Gardens/Norte", "CompanyA/Org/Unit"]


@pytest.mark.parametrize(
    ("text", "one", "many"),
    [
        ("/Madrid/Gardens/Norte", True, True),
        ("Madrid/Gardens/Norte", True, True),
        ("/Madrid/Gardens", False, False),
        ("/Madrid/+/Norte", True, True),
        ("/+/+", False, False),
        ("/CompanyA/#", False, True),
        ("/Madrid/Gardens/Norte/#", True, True),
        ("/#", True, True),
        ("/Madrid/Gardens/Norte;/CompanyA/Org/Unit", False, True),
        ("/None|/CompanyA/Org/Unit", False, True),
        ("(/Madrid/#;/CompanyA/#),/Nowhere", False, True),
    ],
)
def test_scopes_match(text: str, one: bool, many: bool) -> None:
    query = parse(text)
    assert query.matches(ONE) is one
    assert query.matches(MANY) is many
    assert not query.matches([])


@pytest.mark.parametrize("text", ["", "//", "/a//b", "/#/a", "/", "a/" * (LEVELS_MAX + 1) + "a"])
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(BadRequestData, match="scopeQ"):
        parse(text)
