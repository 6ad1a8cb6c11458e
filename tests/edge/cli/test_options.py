"""What the commands share."""

from citytwin_edge.cli import main
from tests.edge.cli.cli_scenes import written


def test_the_file_here_comes_before_that_of_the_system(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 1
    assert "/etc/citytwin/edge.toml: cannot be read" in capsys.readouterr().err
    written(tmp_path)
    assert main(["check"]) == 0
