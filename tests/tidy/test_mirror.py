"""Every source module has its test module at the same place below tests/; no test is a stray."""

from __future__ import annotations

import ast

from tests.tidy.sources import PACKAGES, Module, held_to_ratchet, report, source_modules
from tests.tidy.sources import tracked_files as files

# Tests of a whole distribution rather than of one module of it.
OF_THE_WHOLE = {
    "tests/edge/test_clean_install.py",
    "tests/hub/test_wheel.py",
}

# Nothing to test: it only starts what is tested.
STARTERS = ("__main__.py",)


def has_code(module: Module) -> bool:
    """Tell whether something in a module can be wrong: any function that does anything.

    Captions, names, error trees, protocols and plain records have nothing to test by themselves.
    """
    return any(
        not (isinstance(step, ast.Pass) or is_constant(step))
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for step in node.body
    )


def is_constant(step: ast.stmt) -> bool:
    """Tell whether a statement is a docstring or an ellipsis."""
    return isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant)


def place_of_tests(path: str) -> str:
    """Return where the tests of a source module belong."""
    for package, tests in PACKAGES.items():
        if path.startswith(f"{package}/"):
            folder, _, name = path.removeprefix(package).rpartition("/")
            if name == "__init__.py":
                folder, _, name = folder.rpartition("/")
                name = f"{name or package.rpartition('/')[2]}.py"
            return f"{tests}{folder}/test_{name.lstrip('_')}"
    raise ValueError(path)


def expected() -> dict[str, str]:
    """Return source and test module of everything that must be tested."""
    return {
        module.path: place_of_tests(module.path)
        for module in source_modules()
        if has_code(module) and not module.path.endswith(STARTERS)
    }


def test_every_source_module_has_its_test_module() -> None:
    missing = {source: 1 for source, test in expected().items() if test not in files()}
    wrong = [
        f"{line} → {place_of_tests(line.partition(':')[0])}"
        for line in held_to_ratchet("without_test", missing)
    ]
    report("These have no test module of their own (tests/… mirrors the sources):", wrong)


def test_every_test_module_belongs_to_a_source_module() -> None:
    """`test_outbox.py` and `test_outbox_full.py` both belong to `outbox.py` beside them."""
    stems = [test.removesuffix(".py") for test in expected().values()]
    wrong = [
        name
        for name in files()
        if name.startswith(tuple(f"{tests}/" for tests in PACKAGES.values()))
        and name.rpartition("/")[2].startswith("test_")
        and name.endswith(".py")
        and name not in OF_THE_WHOLE
        and not any(name.removesuffix(".py") == s or name.startswith(f"{s}_") for s in stems)
    ]
    report("These test modules belong to no source module:", wrong)


def test_where_tests_belong() -> None:
    assert place_of_tests("edge/citytwin_edge/outbox.py") == "tests/edge/test_outbox.py"
    assert (
        place_of_tests("edge/citytwin_edge/wire/registers.py")
        == "tests/edge/wire/test_registers.py"
    )
    assert place_of_tests("hub/citytwin_hub/journal/__init__.py") == "tests/hub/test_journal.py"
    assert place_of_tests("common/citytwin/__init__.py") == "tests/common/test_citytwin.py"
