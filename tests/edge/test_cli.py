"""The command line as a whole."""

import argparse
import asyncio
import sys

from citytwin_edge.cli import parser

WITHOUT_JSON = {
    "run": "it prints nothing; its log has --log json",
    "profiles schema": "it is JSON",
    "profiles thing": "it is JSON",
}


async def test_help_is_quick_and_imports_no_library(tmp_path):
    code = (
        "import sys; from citytwin_edge.cli import parser; parser();"
        "print([n for n in ('grpc', 'cryptography', 'pymodbus', 'sqlite3') if n in sys.modules])"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await child.communicate()
    assert out.decode().strip() == "[]"


def commands_of(one, *words):
    """Yield each command with its parser."""
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from commands_of(inner, *words, name)
            return
    yield " ".join(words), one


def test_every_command_speaks_to_scripts_too():
    found = dict(commands_of(parser()))
    assert len(found) > 20
    without = {name for name, one in found.items() if "--json" not in one._option_string_actions}
    assert without == WITHOUT_JSON.keys()
