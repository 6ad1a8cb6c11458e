"""The matrix of permissions is what docs/permissions.md says, and nothing forbidden is done."""

import sys
from pathlib import Path

from tests.hub.policy.matrix import LIMITED, NOBODY, PAGE, SHIPPED, tried, written

ROOT = Path(__file__).parents[2]
DONE = {"200", "201", "202", "204", "206", "207"}


async def test_each_role_tries_each_thing(tmp_path):
    table = await tried(tmp_path)
    text = written(table)
    sys.stdout.write(text)
    roles = (*SHIPPED, *LIMITED, NOBODY)
    cells = {
        (words, role): cell for words, row in table for role, cell in zip(roles, row, strict=True)
    }
    assert all(cell == "401" for (_, role), cell in cells.items() if role == NOBODY)
    assert all(cell.startswith(("2", "4 f", "3 f")) or cell == "422"
               for (_, role), cell in cells.items() if role == "admin")  # fmt: skip
    for role in ("viewer", "dispatcher", "planner", "public", "only-points"):
        for words in ("write a device", "make a person", "push a gateway's configuration"):
            assert cells[words, role] in {"403", "404"}, (words, role)
    assert text == (ROOT / PAGE).read_text(encoding="utf-8"), "run: make docs ARGS=permissions"
