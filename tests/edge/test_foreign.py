"""What other people's code raises is a sentence with its line, never a traceback of ours."""

import pytest

from citytwin.errors import ConfigError
from citytwin_edge import plugins
from citytwin_edge.cli import main
from citytwin_edge.foreign import blamed, built
from tests.edge.vendor_kernels import vendor

__all__ = ["vendor"]


def test_what_other_peoples_code_raises_is_one_sentence_with_its_line(vendor):
    kind = plugins.kernel("total")
    with pytest.raises(
        ConfigError, match=r'^kernel "total" has a mistake: TypeError: .* line \d+\)'
    ):
        built('kernel "total"', lambda: kind.build(kind.settings(broken="mistake"), []))
    with pytest.raises(ConfigError, match=r"^it wants two inputs$"):
        built('kernel "total"', lambda: kind.build(kind.settings(broken="build"), []))
    assert blamed(KeyError()) == "KeyError"


def test_an_adapter_with_a_mistake_is_told_of_with_the_file(tmp_path, monkeypatch, capsys):
    from citytwin_edge.adapters.replay import REPLAY

    def build(settings, bindings, site):
        raise TypeError("it lacks a site")

    monkeypatch.setattr(type(REPLAY), "build", lambda self, *about: build(*about))
    (tmp_path / "x.csv").write_text("point,time,value\np,2026-01-01T00:00:00Z,1\n")
    config = tmp_path / "edge.toml"
    config.write_text(
        '[gateway]\nname = "g"\n[[device]]\nname = "d"\nadapter = "replay"\n'
        f'file = "{tmp_path / "x.csv"}"\n[[device.point]]\nname = "p"\n'
    )
    assert main(["check", "--config", str(config)]) == 1
    said = capsys.readouterr().err
    assert f'{config}:3: device "d": adapter "replay" has a mistake: TypeError: it lacks' in said
    assert "(test_foreign.py, line " in said
    assert "tell its maker" in said
