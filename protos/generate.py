"""Generates Python code from the .proto files, or tells whether it is current.

python protos/generate.py            write *_pb2* beside them
python protos/generate.py --check    change nothing; fail when they differ
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")
DURATION_S_MAX = 60


class Home(NamedTuple):
    """A folder with .proto files: the distribution it is in, and what is generated from them."""

    distribution: str
    folder: str
    kinds: tuple[str, ...]

    @property
    def path(self) -> str:
        """The folder, from the root of the repository."""
        return f"{self.distribution}/{self.folder}"


HOMES = (
    Home("protos", "citytwin_protos/v1", ("python", "mypy", "grpc_python", "mypy_grpc")),
    Home("edge", "citytwin_edge/wire", ("python", "mypy")),  # Sparkplug: messages without calls
)


def generate(home: Home, into: Path) -> dict[str, str]:
    """Run the compiler; return the generated files' text by path."""
    base = ROOT / home.distribution
    protos = sorted(path.relative_to(base) for path in (base / home.folder).glob("*.proto"))
    if not protos:
        raise SystemExit(f"There is no .proto file in {home.path}.")
    scripts = Path(sys.executable).parent
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--proto_path={base}",
            f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
            f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
            *(f"--{kind}_out={'quiet:' if 'mypy' in kind else ''}{into}" for kind in home.kinds),
            *map(str, protos),
        ],
        check=True,
        cwd=base,
        timeout=DURATION_S_MAX,
    )
    made = sorted((into / home.folder).iterdir())
    return {f"{home.path}/{path.name}": path.read_text(encoding="utf-8") for path in made}


def committed(home: Home) -> dict[str, str]:
    """Return the generated files that lie in the repository, by path."""
    return {
        f"{home.path}/{path.name}": path.read_text(encoding="utf-8")
        for path in sorted((ROOT / home.path).iterdir())
        if path.name.endswith(SUFFIXES)
    }


def main() -> int:
    """Write the generated code, or with --check compare it."""
    parser = argparse.ArgumentParser(description="Generate Python code from the .proto files.")
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args()
    fresh: dict[str, str] = {}
    found: dict[str, str] = {}
    for home in HOMES:
        with tempfile.TemporaryDirectory() as scratch:
            fresh |= generate(home, Path(scratch))
        found |= committed(home)
    differ = sorted(name for name in fresh | found if fresh.get(name) != found.get(name))
    if arguments.check:
        for name in differ:
            print(f"{name} is not what its .proto says; run: make proto")
        return 1 if differ else 0
    for name in differ:
        path = ROOT / name
        if name in fresh:
            path.write_text(fresh[name], encoding="utf-8")
            print(f"wrote {name}")
        else:
            path.unlink()
            print(f"removed {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
