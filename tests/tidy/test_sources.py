"""Every built-in kernel says where its formula is from, and whether that was read."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from tests.tidy.sources import ROOT

STATUS = re.compile(r"\b(read|ours)\b", re.IGNORECASE)
"""What was read, what was not or could not be, or what is nobody else's."""


OF_POINTS = ("rules", "counter", "deadband", "swinging_door")
"""What fields of a point ask for; every other kernel has an entry point."""


def modules() -> list[str]:
    project = tomllib.loads((ROOT / "edge/pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = project["entry-points"]["citytwin.kernels"].values()
    own = [f"citytwin_edge.kernels.{name}" for name in OF_POINTS]
    return sorted(f"edge/{one.partition(':')[0].replace('.', '/')}.py" for one in [*named, *own])


def missing(docstring: str) -> str:
    """Return what a docstring lacks; "" where it lacks nothing."""
    _, found, source = docstring.partition("Source:")
    if not found:
        return "no paragraph with Source: and the standard, its clause, or the paper"
    return "" if STATUS.search(source) else "does not say whether its source was read"


@pytest.mark.parametrize("path", modules())
def test_a_kernel_says_where_its_formula_is_from_and_whether_that_was_read(path):
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or ""
    assert not missing(docstring), f"{path}: {missing(docstring)}"


@pytest.mark.parametrize(
    ("docstring", "said"),
    [
        ("Weir: flow over a plate.", "no paragraph"),
        ("Weir.\n\nSource: ISO 1438, clause 8.", "whether its source was read"),
        ("Weir.\n\nSource: ISO 1438, clause 8, which was not read in print.", ""),
        ("Ready readings.\n\nSource: ISO 1438, already there.", "whether"),
    ],
)
def test_the_rule_itself(docstring, said):
    assert said in missing(docstring) if said else not missing(docstring)
