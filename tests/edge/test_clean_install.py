"""A gateway installs citytwin-edge and what that needs, and nothing of the hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"citytwin", "citytwin-protos", "citytwin-edge"}

# The whole list. A gateway has a small disk and a long life: each name here is a decision.
THIRD_PARTY = {
    "aiomqtt",
    "cffi",  # cryptography
    "click",  # sqlite-utils
    "click-default-group",  # sqlite-utils
    "cryptography",
    "grpcio",
    "msgspec",
    "numpy",
    "paho-mqtt",  # aiomqtt
    "pip",  # sqlite-utils
    "pluggy",  # sqlite-utils
    "protobuf",
    "pycparser",  # cffi
    "pymodbus",
    "pyserial",
    "pyserial-asyncio-fast",
    "python-dateutil",  # sqlite-utils
    "python-jsonpath",
    "sqlite-fts4",  # sqlite-utils
    "sqlite-utils",
    "structlog",
    "tabulate",  # sqlite-utils
    "typing-extensions",  # grpcio
    "tzdata",  # python-dateutil
    "zstandard",
}


def call(*command: str | Path, timeout_s: float = 240) -> str:
    """Run a command away from the checkout and return what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment made as a technician makes one: the lock, then our three wheels."""
    folder = tmp_path_factory.mktemp("gateway")
    wheels = folder / "wheels"
    sources = [ROOT / name for name in ("common", "protos", "edge")]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    call(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", wheels, *sources)
    venv.create(folder / "venv", with_pip=False)
    there: list[str | Path] = [*pip, "--python", folder / "venv/bin/python", "install", "-q"]
    lock = ROOT / "deploy/requirements/edge.txt"
    call(*there, "--require-hashes", "-r", lock)
    call(*there, "--no-deps", "--no-index", *sorted(wheels.iterdir()))
    return folder / "venv"


pytestmark = pytest.mark.timeout(300)


def test_exactly_these_distributions(gateway: Path) -> None:
    listed = json.loads(call(gateway / "bin/python", "-m", "pip", "list", "--format", "json"))
    assert {entry["name"].lower().replace("_", "-") for entry in listed} == OURS | THIRD_PARTY


def test_they_fit_together(gateway: Path) -> None:
    assert "No broken requirements" in call(gateway / "bin/python", "-m", "pip", "check")


def test_the_hub_is_not_there(gateway: Path) -> None:
    look = "import importlib.util as u; print(u.find_spec('citytwin_hub'))"
    assert call(gateway / "bin/python", "-c", look).strip() == "None"


@pytest.mark.parametrize("package", ["citytwin", "citytwin_protos", "citytwin_edge"])
def test_the_wheels_carry_their_types(gateway: Path, package: str) -> None:
    look = f"import {package}, pathlib; print(pathlib.Path({package}.__file__).parent)"
    folder = Path(call(gateway / "bin/python", "-c", look).strip())
    assert folder.is_relative_to(gateway)
    assert (folder / "py.typed").is_file()


@pytest.mark.skipif(
    not (ROOT / "edge/citytwin_edge/cli.py").is_file(), reason="citytwin_edge.cli is not here yet"
)
def test_the_command_answers(gateway: Path) -> None:
    help_text = call(gateway / "bin/citytwin-edge", "--help")
    for command in ("run", "check", "probe", "enrol"):
        assert command in help_text
