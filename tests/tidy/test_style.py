"""Style as tests: lengths, captions, and calls that have a better replacement here."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.tidy.sources import Module, all_modules, held_to_ratchet, report

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400

# The two modules that meet other people's code (adapters, kernels) and must outlive it, and the
# executor of the virtual clock, which hands on whatever was raised.
MAY_CATCH_ALL = (
    "edge/citytwin_edge/poller.py",
    "edge/citytwin_edge/pipeline.py",
    "common/citytwin/testing/clock.py",
    "common/citytwin/testing/disturbance.py",
)
READS_THE_CLOCK = ("common/citytwin/clock.py",)
SPEAKS_TO_THE_TERMINAL = ("cli.py", "__main__.py")
TOOLS = (
    "deploy/",
    "docs/",
    "protos/generate.py",
    "tests/bench/",
    "tests/tidy/",
    "tests/conformance/ngsild.py",
)


def in_tests(module: Module) -> bool:
    return module.path.startswith("tests/")


def in_packages(module: Module) -> bool:
    return not in_tests(module) and not module.path.startswith(("docs/", "protos/generate.py"))


@dataclass(frozen=True)
class Banned:
    """Calls that may not stand somewhere, and what to write instead."""

    calls: tuple[str, ...]
    instead: str
    where: Callable[[Module], bool]
    unless: Callable[[ast.Call], bool] = lambda _call: False


def is_bounded(call: ast.Call) -> bool:
    return bool(call.args) or any(keyword.arg == "maxsize" for keyword in call.keywords)


def may_print(module: Module) -> bool:
    name = module.path.rpartition("/")[2]
    return name in SPEAKS_TO_THE_TERMINAL or "/cli/" in module.path or module.path.startswith(TOOLS)


BANNED = (
    Banned(
        (
            "time.time",
            "time.time_ns",
            "time.monotonic",
            "time.monotonic_ns",
            "datetime.datetime.now",
            "datetime.datetime.utcnow",
            "datetime.datetime.today",
            "datetime.date.today",
        ),
        "take the time as an argument, or a citytwin.clock.Clock",
        lambda module: in_packages(module) and module.path not in READS_THE_CLOCK,
    ),
    Banned(
        ("time.sleep",),
        "wait for the event itself, with a time-out",
        lambda module: in_tests(module) or in_packages(module),
    ),
    Banned(
        (
            "asyncio.Queue",
            "asyncio.LifoQueue",
            "asyncio.PriorityQueue",
            "queue.Queue",
            "queue.LifoQueue",
            "queue.PriorityQueue",
        ),
        "give it maxsize=: every queue has a limit",
        lambda _module: True,
        is_bounded,
    ),
    Banned(
        ("queue.SimpleQueue", "multiprocessing.SimpleQueue"),
        "queue.Queue(maxsize=…): every queue has a limit",
        lambda _module: True,
    ),
    Banned(
        ("asyncio.get_event_loop",),
        "asyncio.get_running_loop",
        lambda _module: True,
    ),
    Banned(
        ("os.system", "os.popen"),
        "subprocess.run([...], timeout=…)",
        lambda _module: True,
    ),
    Banned(
        ("print",),
        "structlog, or return the text to the command line module",
        lambda module: not may_print(module),
    ),
)


def calls_of(module: Module) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield node, module.dotted(node.func)


def broken_bans(modules: tuple[Module, ...]) -> list[str]:
    return [
        f"{module.path}:{call.lineno}: {name}(): {banned.instead}"
        for module in modules
        for call, name in calls_of(module)
        for banned in BANNED
        if name in banned.calls and banned.where(module) and not banned.unless(call)
    ]


def catches_all(module: Module) -> Iterator[int]:
    """Yield the lines where every exception there is gets caught, or suppressed.

    A handler that ends with a bare ``raise`` only cleans up, and is left alone.
    """
    everything = {"Exception", "BaseException"}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            last = node.body[-1]
            if isinstance(last, ast.Raise) and last.exc is None:
                continue
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(kind is None or module.dotted(kind) in everything for kind in kinds):
                yield node.lineno
        elif isinstance(node, ast.Call) and module.dotted(node.func) == "contextlib.suppress":
            yield from (node.lineno for kind in node.args if module.dotted(kind) in everything)


def long_functions(module: Module) -> dict[str, int]:
    """Return the functions that are too long, by path and name, with their lines.

    The signature and the docstring do not count: a promise may be as long as it needs to be.
    """
    found = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > FUNCTION_LINES_MAX:
                found[f"{module.path}::{node.name}"] = lines
    return found


def test_functions_are_short() -> None:
    found = {key: n for module in all_modules() for key, n in long_functions(module).items()}
    report(
        f"A function has at most {FUNCTION_LINES_MAX} lines; divide these:",
        held_to_ratchet("function_lines", found),
    )


def test_modules_are_short() -> None:
    counts = {module.path: len(module.text.splitlines()) for module in all_modules()}
    found = {path: n for path, n in counts.items() if n > MODULE_LINES_MAX}
    report(
        f"A module has at most {MODULE_LINES_MAX} lines; divide these:",
        held_to_ratchet("module_lines", found),
    )


def test_every_module_has_a_caption() -> None:
    wrong = []
    for module in all_modules():
        caption = (ast.get_docstring(module.tree) or "").partition("\n")[0]
        if not caption.endswith((".", "?", "!", ":")):
            wrong.append(f"{module.path}: {caption!r}" if caption else module.path)
    report("The first line of a module says in one sentence what it is:", wrong)


def test_no_banned_call() -> None:
    report("These calls have a replacement here:", broken_bans(all_modules()))


def test_nobody_catches_everything() -> None:
    wrong = [
        f"{module.path}:{line}"
        for module in all_modules()
        if module.path not in MAY_CATCH_ALL
        for line in catches_all(module)
    ]
    report("Catch what you expect, by name; only the owners of plug-ins catch all:", wrong)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("edge/citytwin_edge/x.py", "import time\ntime.time()"),
        ("edge/citytwin_edge/x.py", "from time import monotonic as m\nm()"),
        ("hub/citytwin_hub/x.py", "import datetime as dt\ndt.datetime.now(tz=None)"),
        ("hub/citytwin_hub/x.py", "from datetime import datetime\ndatetime.now(None)"),
        ("edge/citytwin_edge/x.py", "import asyncio\nasyncio.Queue()"),
        ("tests/edge/test_x.py", "from time import sleep\nsleep(1)"),
        ("hub/citytwin_hub/x.py", "print(1)"),
    ],
)
def test_a_banned_call_is_found(path: str, text: str) -> None:
    assert len(broken_bans((Module(path, text),))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("common/citytwin/clock.py", "import time\ntime.time_ns()"),
        ("edge/citytwin_edge/x.py", "import asyncio\nasyncio.Queue(maxsize=8)"),
        ("edge/citytwin_edge/cli.py", "print(1)"),
        ("edge/citytwin_edge/x.py", "self.time.time()"),
    ],
)
def test_an_allowed_call_is_left_alone(path: str, text: str) -> None:
    assert broken_bans((Module(path, text),)) == []


@pytest.mark.parametrize("clause", ["except:", "except Exception:", "except (OSError, Exception):"])
def test_catching_everything_is_found(clause: str) -> None:
    module = Module("hub/citytwin_hub/x.py", f"try:\n    a()\n{clause}\n    pass\n")
    assert list(catches_all(module)) == [3]


def test_cleaning_up_is_not_catching() -> None:
    module = Module("hub/citytwin_hub/x.py", "try:\n    a()\nexcept BaseException:\n    raise\n")
    assert list(catches_all(module)) == []
