"""What the commands share."""

from citytwin.errors import CityTwinError
from citytwin_edge.cli import _words, main
from tests.edge.cli.cli_scenes import written


def test_the_file_here_comes_before_that_of_the_system(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 1
    assert "/etc/citytwin/edge.toml: cannot be read" in capsys.readouterr().err
    written(tmp_path)
    assert main(["check"]) == 0


def test_an_error_of_the_system_names_the_file_and_what_to_do():
    denied = PermissionError(13, "Permission denied", "/etc/citytwin/edge.toml")
    assert _words(denied) == (
        "/etc/citytwin/edge.toml: Permission denied; type sudo before the command"
    )
    gone = FileNotFoundError(2, "No such file or directory", "authority.pem")
    assert _words(gone) == "authority.pem: No such file or directory"
    assert _words(CityTwinError("as it is")) == "as it is"
