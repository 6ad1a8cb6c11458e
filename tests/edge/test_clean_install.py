"""A gateway installs citytwin-edge and what that needs, and nothing of the hub."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bundles import changed
from tests.clean_gateway import ROOT, call, install, make_bundle
from tests.edge.modbus_devices import device, tcp_server
from tests.site import Site, asked
from tests.waiting import answered

METER = """
[[device]]
name = "meter"
adapter = "modbus"
host = "127.0.0.1"
port = {port}
period_s = 0.2
[[device.point]]
name = "level"
table = "holding"
address = 0
type = "uint16"
scale = 0.1
unit = "m"
"""
OURS = {"citytwin", "citytwin-protos", "citytwin-edge"}

# The whole list. A gateway has a small disk and a long life: each name here is a decision.
THIRD_PARTY = {
    "aiomqtt",
    "bleak",
    "cffi",  # cryptography
    "click",  # sqlite-utils
    "click-default-group",  # sqlite-utils
    "cryptography",
    "dbus-fast",  # bleak
    "grpcio",
    "h11",
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


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def commands(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(bundle, tmp_path_factory.mktemp("gateway"))


pytestmark = pytest.mark.timeout(300)


def test_exactly_these_distributions(commands: Path) -> None:
    listed = json.loads(call(commands / "python", "-m", "pip", "list", "--format", "json"))
    assert {entry["name"].lower().replace("_", "-") for entry in listed} == OURS | THIRD_PARTY


def test_they_fit_together(commands: Path) -> None:
    assert "No broken requirements" in call(commands / "python", "-m", "pip", "check")


def test_the_hub_is_not_there(commands: Path) -> None:
    look = "import importlib.util as u; print(u.find_spec('citytwin_hub'))"
    assert call(commands / "python", "-c", look).strip() == "None"


@pytest.mark.parametrize("package", ["citytwin", "citytwin_protos", "citytwin_edge"])
def test_the_wheels_carry_their_types(commands: Path, package: str) -> None:
    look = f"import {package}, pathlib; print(pathlib.Path({package}.__file__).parent)"
    folder = Path(call(commands / "python", "-c", look).strip())
    assert folder.is_relative_to(commands.parent)
    assert (folder / "py.typed").is_file()


def test_what_the_service_imports_is_compiled(commands: Path) -> None:
    """It may write nothing there, and would compile all of it at every start."""
    sources = list(commands.parent.glob("lib/python*/site-packages/*/**/*.py"))
    tag = sys.implementation.cache_tag
    missing = [
        path
        for path in sources
        if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.opt-2.pyc").exists()
    ]
    assert len(sources) > 1000
    assert missing == []


def test_the_command_answers(commands: Path) -> None:
    help_text = call(commands / "citytwin-edge", "--help")
    for command in ("run", "check", "probe", "enrol"):
        assert command in help_text


async def test_the_agent_runs(commands: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """From the token to the hub's history, with nothing but what was installed."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    site = Site(tmp_path / "site")
    try:
        async with tcp_server(device(1, [(0, [42])])) as port:
            await site.start_hub()
            gateway = site.gateway("clean", program=(str(commands / "citytwin-edge"),))
            gateway.configure(site.link, METER.format(port=port))
            await site.admit(gateway)
            await gateway.start()
            async with site.web() as web:
                samples = await answered(lambda: history(web, "clean/meter/level"), "samples")
            await gateway.stop()
        assert set(samples) == {4.2}
        assert gateway.said("agent.stopped")[0]["lost"] == 0
        (running,) = gateway.said("agent.started")
        assert (running["gateway"], running["devices"]) == ("clean", 1)
    finally:
        await site.end()


async def history(web: httpx.AsyncClient, point: str) -> list[float]:
    """Return every value of a point that the hub has; none while it does not know the point."""
    found = (await asked(web, "points", q=point))["points"]
    if not found:
        return []
    span = {"rows": found[0]["row"], "start_ms": 0, "end_ms": 9_000_000_000_000}
    samples = (await asked(web, "history", **span))["samples"]
    return [value for one in samples for value in one["value"]]


def test_the_example_is_a_right_configuration(bundle: Path, commands: Path, tmp_path: Path) -> None:
    assert "nothing is wrong" in call(
        commands / "citytwin-edge", "check", "--config", bundle / "edge.toml"
    )


def test_installing_again_keeps_the_version_in_use(bundle: Path, commands: Path) -> None:
    before = commands.parent.readlink()
    said = call("./install.sh", "--prefix", commands.parents[1], cwd=bundle)
    assert commands.parent.readlink() == before
    assert "Installing" not in said


def test_a_bundle_that_was_cut_short_changes_nothing(
    bundle: Path, commands: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    wheel = next((copy / "wheels").glob("citytwin_edge-*"))
    wheel.write_bytes(wheel.read_bytes()[:-100])
    before = commands.parent.readlink()
    done = subprocess.run(
        ["./install.sh", "--prefix", commands.parents[1]],
        cwd=copy, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "is not as it was made; copy it again" in done.stderr
    assert commands.parent.readlink() == before
    assert call(commands / "citytwin-edge", "--help")


def test_a_prefix_is_upgraded_taken_back_and_left_empty(bundle: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    current = prefix / "current"
    call(bundle / "install.sh", "--prefix", prefix)
    first = current.readlink()
    call(changed(bundle, tmp_path / "second", {}) / "install.sh", "--prefix", prefix)
    second = current.readlink()
    assert first != second
    call(prefix / "install.sh", "--rollback")
    assert current.readlink() == first
    assert call(current / "bin/citytwin-edge", "--help")
    call(prefix / "install.sh", "--rollback")
    assert current.readlink() == second
    call(prefix / "install.sh", "--uninstall")
    assert not prefix.exists()


def test_nothing_is_written_to_the_stick(bundle: Path, commands: Path) -> None:
    assert commands.exists()
    assert not list(bundle.rglob("__pycache__"))
    call("sha256sum", "--check", "--quiet", "SHA256SUMS", cwd=bundle)


@pytest.mark.parametrize("part", ["edge", "hub"])
def test_the_service_has_few_rights(part: str) -> None:
    """Exposure of at most 2.0 of 10, as systemd itself counts it."""
    analyser = shutil.which("systemd-analyze")
    if analyser is None or "--offline" not in call(analyser, "--help"):
        pytest.skip("there is no systemd-analyze of systemd 250 or newer here")
    call(analyser, "security", "--offline=true", "--threshold=20", "--no-pager",
         ROOT / f"deploy/systemd/citytwin-{part}.service")  # fmt: skip


def test_the_service_of_a_gateway_with_numba_has_few_rights(tmp_path: Path) -> None:
    analyser = shutil.which("systemd-analyze")
    if analyser is None or "--offline" not in call(analyser, "--help"):
        pytest.skip("there is no systemd-analyze of systemd 250 or newer here")
    units = ROOT / "deploy/systemd"
    unit = tmp_path / "citytwin-edge.service"
    shutil.copy(units / unit.name, unit)
    plain = call(analyser, "security", "--offline=true", "--no-pager", unit)
    drop_ins = tmp_path / f"{unit.name}.d"
    drop_ins.mkdir()
    shutil.copy(units / "compiled.conf", drop_ins)
    # Offline it does not look for drop-ins: the last of two assignments counts, as with them.
    unit.write_text(
        unit.read_text().replace("[Install]", (units / "compiled.conf").read_text() + "[Install]")
    )
    told = call(analyser, "security", "--offline=true", "--threshold=20", "--no-pager", unit)
    assert "✓ MemoryDenyWriteExecute" in plain
    assert "✗ MemoryDenyWriteExecute" in told


@pytest.mark.parametrize("part", ["edge", "hub"])
def test_the_service_is_understood(part: str, tmp_path: Path) -> None:
    analyser = shutil.which("systemd-analyze")
    if analyser is None:
        pytest.skip("there is no systemd-analyze here")
    text = (ROOT / f"deploy/systemd/citytwin-{part}.service").read_text()
    # The programs it names are not here; any that is will do to check the rest.
    unit = tmp_path / f"citytwin-{part}.service"
    unit.write_text(text.replace(f"/usr/local/bin/citytwin-{part}", "/bin/true"))
    done = subprocess.run(
        [analyser, "verify", "--man=no", unit], capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
