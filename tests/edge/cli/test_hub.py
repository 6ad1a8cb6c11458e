"""enrol against a real hub."""

from tests.edge.cli.cli_scenes import ran, written
from tests.hub.conftest import Core, core

__all__ = ["Core", "core"]


async def test_enrol_needs_hub_and_token_only(core, tmp_path, capsys):
    hub = f"127.0.0.1:{core.server.enrol_port}"
    path = written(tmp_path)
    assert await ran("enrol", hub, core.token("g"), "--config", path) == 0
    assert f"g is enrolled; its hub is {core.link}" in capsys.readouterr().out
    assert await ran("enrol", hub, core.token("other"), "--config", path) == 1
    assert "the hub refuses: " in capsys.readouterr().err
