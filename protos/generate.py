"""Generates the Python code of the wire from its .proto files, or tells whether it is current.

python protos/generate.py            write citytwin_protos/v1/*_pb2*
python protos/generate.py --check    change nothing; fail when they differ
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROTO_FOLDER = "citytwin_protos/v1"
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")
DURATION_S_MAX = 60


def generate(into: Path) -> dict[str, str]:
    """Run the compiler; return the generated files' text by name."""
    protos = sorted(path.relative_to(HERE) for path in (HERE / PROTO_FOLDER).glob("*.proto"))
    if not protos:
        raise SystemExit(f"There is no .proto file in protos/{PROTO_FOLDER}.")
    scripts = Path(sys.executable).parent
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--proto_path={HERE}",
            f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
            f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
            f"--python_out={into}",
            f"--mypy_out=quiet:{into}",
            f"--grpc_python_out={into}",
            f"--mypy_grpc_out=quiet:{into}",
            *map(str, protos),
        ],
        check=True,
        cwd=HERE,
        timeout=DURATION_S_MAX,
    )
    folder = into / PROTO_FOLDER
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def committed() -> dict[str, str]:
    """Return the generated files that lie in the repository, by name."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted((HERE / PROTO_FOLDER).iterdir())
        if path.name.endswith(SUFFIXES)
    }


def main() -> int:
    """Write the generated code, or with --check compare it."""
    parser = argparse.ArgumentParser(description="Generate the Python code of the wire.")
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        fresh = generate(Path(scratch))
    found = committed()
    differ = sorted(name for name in fresh | found if fresh.get(name) != found.get(name))
    if arguments.check:
        for name in differ:
            print(f"protos/{PROTO_FOLDER}/{name} is not what its .proto says; run: make proto")
        return 1 if differ else 0
    for name in differ:
        path = HERE / PROTO_FOLDER / name
        if name in fresh:
            path.write_text(fresh[name], encoding="utf-8")
            print(f"wrote protos/{PROTO_FOLDER}/{name}")
        else:
            path.unlink()
            print(f"removed protos/{PROTO_FOLDER}/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
