"""The hub's file: what may stand there, and mistakes named by line and field."""

import pytest

from citytwin.errors import ConfigError
from citytwin_hub import config as configuration
from citytwin_hub.config import is_loopback, load, split_address


def written(folder, text):
    path = folder / "hub.toml"
    path.write_text(text)
    return path


def test_the_file_here_comes_before_that_of_the_system(tmp_path, monkeypatch):
    system = written(tmp_path, '[hub]\nname = "system"')
    monkeypatch.setattr(configuration, "PLACES", ("./hub.toml", str(system)))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert load(None).hub.name == "system"
    written(here, '[hub]\nname = "here"')
    assert load(None).hub.name == "here"


def test_without_a_file_nothing_but_the_link_can_be_reached_from_outside(tmp_path, monkeypatch):
    monkeypatch.setattr(configuration, "PLACES", (str(tmp_path / "none"),))
    config = load(None)
    assert config.http.bind == "127.0.0.1:8080"
    assert str(config.state) == "citytwin-hub"


def test_everything_that_the_operators_guide_shows(tmp_path):
    config = load(
        written(
            tmp_path,
            '[hub]\nstate = "s"\nname = "Almaty"\n'
            '[link]\nbind = "[::]:7443"\nenrol_bind = "0.0.0.0:7444"\n'
            'address = "hub.example:7443"\nnames = ["hub.example"]\nwindow_entries = 8\n'
            '[http]\nbind = "0.0.0.0:443"\ncertificate = "c.pem"\nkey = "k.pem"\n'
            "[history]\nflush_s = 10\nflush_samples = 5000\n"
            '[city]\nmap = "m.geojson"\n[alarms]\ngateway_silent_s = 5\ndevice_bad_s = 6\n',
        )
    )
    assert config.link.names == ("hub.example",)
    assert (config.history.flush_s, config.alarms.device_bad_s) == (10.0, 6.0)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[hub]\nstat = "s"', 2, "stat"),
        ("[hub]\nstate = 5", 2, "state"),
        ('[link]\nbind = "7443"', 2, "'7443' is not host:port"),
        ('\n[link]\nenrol_bind = "x:99999"', 3, "is not host:port"),
        ('[link]\naddress = "hub.example"', 2, "is not host:port"),
        ("[link]\nwindow_entries = 0", 2, "1 to 10000"),
        ('[http]\nbind = "0.0.0.0:80"', 2, "certificate and key are needed"),
        ('[http]\nbind = "0.0.0.0:80"\ncertificate = "c"', 2, "certificate and key are needed"),
        ("[history]\nflush_s = -1", 2, "1 to 3600"),
        ("[history]\nflush_s = nan", 2, "give a number"),
        ("[history]\nflush_samples = 0", 2, "1000 to"),
        ("[alarms]\ngateway_silent_s = 0", 2, "1 to 86400"),
        ("[alarms]\n\ndevice_bad_s = inf", 3, "1 to 86400"),
        ("[alarms]\nmissing_s = 0", 2, "1 to 604800"),
        ("[hub\n", 1, ""),
    ],
)
def test_mistakes_name_file_line_and_what_is_allowed(tmp_path, text, line, words):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:{line}:"), caught.value
    assert words in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load(tmp_path / "none.toml")


def test_addresses():
    assert split_address("[::1]:80") == ("::1", 80)
    assert split_address("hub.example:7443") == ("hub.example", 7443)
    for wrong in ("", ":80", "host", "host:", "host:-1", "host:65536"):
        with pytest.raises(ValueError, match="is not host:port"):
            split_address(wrong)
    assert [is_loopback(h) for h in ("127.0.0.1", "::1", "localhost", "127.8.9.1")] == [True] * 4
    assert [is_loopback(h) for h in ("0.0.0.0", "::", "hub.example", "10.0.0.1")] == [False] * 4


def test_the_policy_is_the_file_beside_the_configuration(tmp_path):
    path = tmp_path / "hub.toml"
    path.write_text('[hub]\nname = "x"\n')
    assert load(path).hub.policy == ""
    (tmp_path / "policy.toml").write_text("")
    assert load(path).hub.policy == str(tmp_path / "policy.toml")
    path.write_text('[hub]\npolicy = "other.toml"\n')
    assert load(path).hub.policy == str(tmp_path / "other.toml")
