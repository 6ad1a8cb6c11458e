"""The command line as a whole."""

import asyncio
import sys


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
