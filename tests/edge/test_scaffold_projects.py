"""What ``new`` writes, as a vendor uses it: installed, its tests run, linted, typed, tried."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clean_gateway import call, install, make_bundle
from tests.vendor import Vendor

pytestmark = pytest.mark.timeout(300)

PROJECTS = {"profile": "acme/m1", "adapter": "acme-gauge", "kernel": "steam-power"}


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    return Vendor(tmp_path_factory.mktemp("vendor"))


@pytest.fixture(scope="module")
def projects(vendor: Vendor) -> dict[str, Path]:
    """All three in one environment, as one vendor may have them."""
    made = {}
    for kind, name in PROJECTS.items():
        done = vendor.types(f"citytwin-edge new {kind} {name} --json", vendor.home)
        made[kind] = vendor.home / json.loads(done.stdout)["folder"]
        vendor.types("pip install --quiet -e '.[test]'", made[kind])
    return made


@contextmanager
def device(vendor: Vendor, project: Path) -> Iterator[str]:
    """Start the project's device on a free port; give its port."""
    process = subprocess.Popen(
        ["python", "tests/device.py", "0"], cwd=project, env=vendor.environment,
        executable=vendor.bin / "python", stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = re.search(r"listens on 127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert said is not None
        yield said[1]
    finally:
        process.kill()
        process.communicate(timeout=30)


@pytest.mark.parametrize("kind", PROJECTS)
def test_its_own_tests_pass(vendor: Vendor, projects: dict[str, Path], kind: str) -> None:
    assert " passed" in vendor.types("pytest", projects[kind]).stdout


@pytest.mark.parametrize("kind", PROJECTS)
def test_it_is_clean(vendor: Vendor, projects: dict[str, Path], kind: str) -> None:
    (line,) = re.findall(r"- run: (ruff .*)", (projects[kind] / ".github/workflows/check.yml")
                         .read_text())  # fmt: skip
    assert line == "ruff format --check . && ruff check . && mypy . && pytest"
    said = vendor.types(line.removesuffix(" && pytest"), projects[kind]).stdout
    assert "Success: no issues found" in said


@pytest.mark.parametrize("kind", PROJECTS)
def test_its_configuration_is_right(vendor: Vendor, projects: dict[str, Path], kind: str) -> None:
    assert "nothing is wrong" in vendor.types("citytwin-edge check", projects[kind]).stdout


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("profile", {"voltage": 230.2, "current": 2.5, "power": 561.1, "energy": 1234.56}),
        ("adapter", {"level": 2.431, "temperature": 18.5}),
    ],
)
def test_its_device_is_probed(
    vendor: Vendor, projects: dict[str, Path], kind: str, values: dict[str, float]
) -> None:
    project = projects[kind]
    with device(vendor, project) as port:
        config = project / "trial.toml"
        text = (project / "edge.toml").read_text()
        config.write_text(re.sub(r"port = \d+", f"port = {port}", text))
        said = vendor.types(f"citytwin-edge probe --json --config {config}", project)
    rows = {row["point"]: row for row in json.loads(said.stdout)}
    assert {row["quality"] for row in rows.values()} == {"good"}
    assert all(row["raw"] for row in rows.values())
    found = {name.rpartition("/")[2]: row["value"] for name, row in rows.items()}
    assert found == pytest.approx(values, rel=1e-6)


def test_a_device_that_is_not_there_is_said(vendor: Vendor, projects: dict[str, Path]) -> None:
    project = projects["adapter"]
    config = project / "away.toml"
    config.write_text((project / "edge.toml").read_text().replace("port = 4001", "port = 1"))
    said = vendor.types(f"citytwin-edge probe --config {config}", project, code=2).stdout
    assert said.count("bad: silent") == 2


def test_a_profile_is_a_vendors_own(vendor: Vendor, projects: dict[str, Path]) -> None:
    said = vendor.types("citytwin-edge profiles show acme/m1", vendor.home).stdout
    assert str(projects["profile"] / "citytwin_acme/profiles/acme/m1.toml") in said
    assert vendor.types("citytwin-edge profiles thing acme/m1", vendor.home).stdout


def test_tests_that_must_fail_do(vendor: Vendor, projects: dict[str, Path], tmp_path: Path) -> None:
    """A wrong word order, a check sum that nobody looks at, a kernel that forgets: each is met."""
    mistakes = {
        "profile": ("citytwin_acme/profiles/acme/m1.toml", 'order = "ABCD"', 'order = "CDAB"'),
        "adapter": ("citytwin_acme_gauge/wire.py", "or answer != framed(body)", ""),
        "kernel": ("citytwin_steam_power/kernel.py", "        self._last = found[2]\n", ""),
    }
    for kind, (name, right, wrong) in mistakes.items():
        file = projects[kind] / name
        text = file.read_text()
        assert right in text
        file.write_text(text.replace(right, wrong))
        try:
            assert " failed" in vendor.types("pytest", projects[kind], code=1).stdout
        finally:
            file.write_text(text)


def test_it_reaches_a_gateway_in_the_bundle(
    vendor: Vendor, projects: dict[str, Path], tmp_path: Path
) -> None:
    """Wheels beside ours; a technician uses what is in them like any other."""
    bundle = make_bundle(tmp_path)
    for project in projects.values():
        vendor.types(f"pip wheel --quiet --no-deps --wheel-dir {bundle}/wheels .", project)
    ours = "wheels/citytwin_acme* wheels/citytwin_steam_power*"
    call("sh", "-c", f"sha256sum {ours} >> SHA256SUMS", cwd=bundle)
    commands = install(bundle, tmp_path / "prefix")
    agent = commands / "citytwin-edge"
    call(agent, "new", "adapter", "other", "--to", tmp_path / "other")
    assert (tmp_path / "other/tests/test_adapter.py").is_file(), "our wheel has the templates"
    for project in projects.values():
        config = project / "edge.toml"
        assert "nothing is wrong" in call(agent, "check", "--config", config, cwd=project)
    config = tmp_path / "edge.toml"
    text = (projects["adapter"] / "edge.toml").read_text()
    config.write_text(text.replace('tag = "temp"', 'tga = "temp"'))
    done = subprocess.run(
        [agent, "check", "--config", config],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    line = config.read_text().splitlines().index('tga = "temp"') + 1
    assert f"{config}:{line}" in done.stderr
    assert 'did you mean "tag"?' in done.stderr
