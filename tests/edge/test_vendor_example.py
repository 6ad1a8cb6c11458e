"""The vendor's example: installed beside a gateway's agent it is found, checked and probed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from tests.clean_gateway import ROOT, call, install, make_bundle

EXAMPLE = ROOT / "docs/examples/adapter"

pytestmark = pytest.mark.timeout(300)


class Answer(StreamRequestHandler):
    """The gauge; it has no thermometer."""

    def handle(self) -> None:
        while self.rfile.readline():
            self.wfile.write(b"level=2.431\n")


@pytest.fixture
def gauge() -> Iterator[int]:
    with ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gateway's commands, the vendor's distribution beside the agent."""
    folder = tmp_path_factory.mktemp("gateway")
    shutil.copytree(EXAMPLE, folder / "example")
    bundle = make_bundle(folder)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    alone = ["--no-deps", "--no-build-isolation", "--no-index"]
    call(*pip, *alone, "--wheel-dir", bundle / "wheels", folder / "example")
    call("sh", "-c", "sha256sum wheels/example_gauge-* >> SHA256SUMS", cwd=bundle)
    return install(bundle, folder / "prefix")


def test_it_passes_the_conformance_kit(commands: Path) -> None:
    script = "import test_gauge; test_gauge.test_the_gauge()"
    call(commands / "python", "-c", script, cwd=EXAMPLE)


def test_a_technician_uses_it_like_any_other(commands: Path, gauge: int, tmp_path: Path) -> None:
    config = tmp_path / "edge.toml"
    text = (EXAMPLE / "edge.toml").read_text()
    config.write_text(text.replace("port = 4001", f"port = {gauge}"))
    agent = commands / "citytwin-edge"
    assert "nothing is wrong" in call(agent, "check", "--config", config)
    done = subprocess.run(
        [agent, "probe", "--json", "--config", config],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    level, temperature = json.loads(done.stdout)
    assert (level["value"], level["unit"], level["quality"]) == (2.431, "m", "good")
    assert temperature["quality"] == "bad: refused"


def test_its_capabilities_are_shown_like_ours(commands: Path, tmp_path: Path) -> None:
    agent = commands / "citytwin-edge"
    listed = json.loads(call(agent, "adapters", "list", "--json", cwd=tmp_path))
    row = next(one for one in listed if one["adapter"] == "gauge")
    assert (row["can"], row["from"]) == (["reads"], "example-gauge 1.0.0")
    shown = json.loads(call(agent, "adapters", "show", "--json", "gauge", cwd=tmp_path))
    fields = [*shown["device"][0]["fields"], *shown["point"][0]["fields"]]
    assert [field["name"] for field in fields if field["meaning"]] == ["host", "port", "tag"]
    assert {"bad: silent", "bad: malformed"} <= {one["words"] for one in shown["reasons"]}


def test_a_mistake_in_the_vendors_fields_is_named(commands: Path, tmp_path: Path) -> None:
    config = tmp_path / "edge.toml"
    config.write_text((EXAMPLE / "edge.toml").read_text().replace('tag = "temp"', 'tga = "temp"'))
    done = subprocess.run(
        [commands / "citytwin-edge", "check", "--config", config],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    line = config.read_text().splitlines().index('tga = "temp"') + 1
    assert f"{config}:{line}" in done.stderr
    assert 'did you mean "tag"?' in done.stderr
