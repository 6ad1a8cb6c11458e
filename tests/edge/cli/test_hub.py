"""enrol against a real hub."""

import json

from tests.edge.cli.cli_scenes import ran, written
from tests.hub.conftest import Core, core

__all__ = ["Core", "core"]


async def test_enrol_needs_hub_and_token_only(core, tmp_path, capsys):
    hub = f"127.0.0.1:{core.server.enrol_port}"
    path = written(tmp_path)
    assert await ran("enrol", hub, core.token("g"), "--config", path) == 0
    assert f"g is enrolled; its hub is {core.link}" in capsys.readouterr().out
    (tmp_path / "b").mkdir()
    other = written(tmp_path / "b", gateway='hub = "10.0.0.9:7443"\n')
    text = (tmp_path / "b" / "edge.toml").read_text().replace('name = "g"', 'name = "h"')
    (tmp_path / "b" / "edge.toml").write_text(text.replace('"state"', f'"{tmp_path}/b/state"'))
    assert await ran("enrol", hub, core.token("h"), "--json", "--config", other) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"gateway": "h", "hub": core.link, "used": "10.0.0.9:7443"}
    ]
    assert await ran("enrol", hub, core.token("other"), "--config", path) == 1
    assert "the hub refuses: " in capsys.readouterr().err
