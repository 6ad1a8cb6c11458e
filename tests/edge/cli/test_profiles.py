"""profiles list, show, check, schema and thing, as a technician and a vendor use them."""

import json
from pathlib import Path

import pytest

import citytwin_edge
from citytwin_edge.cli import main
from citytwin_edge.cli.profiles import WRONG
from citytwin_edge.config import load
from tests.edge.catalogue.profiles import METER, put


@pytest.fixture
def here(tmp_path, monkeypatch):
    put(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edge.toml").touch()
    return tmp_path


def test_list_finds_by_words_of_any_language(here, capsys):
    assert main(["profiles", "list", "acme", "счётчик"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "profile", "device", "what", "nature", "adapter", "points", "registers", "frames",
    ]  # fmt: skip
    assert row.split() == [
        "acme/m1", "Acme", "M1", "Meter", "electricity", "modbus", "4", "manual", "real",
    ]  # fmt: skip
    assert main(["profiles", "list", "no-such-thing"]) == 1
    assert capsys.readouterr().out == "(none)\n"
    assert main(["profiles", "list", "--json", "acme"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["profile"] == "acme/m1"


def test_list_and_show_say_whose_bytes_prove_a_profile(here, capsys):
    frames = here / "profiles" / "acme" / "m1.frames.toml"
    said = frames.read_text()
    for text, word in (
        (said.replace('source = "', 'source = "worked out from ', 1), "worked out"),
        ("[[case]", "wrong"),
        (None, "none"),
    ):
        frames.unlink(missing_ok=True) if text is None else frames.write_text(text)
        assert main(["profiles", "list", "--json", "acme/m1"]) == 0
        assert json.loads(capsys.readouterr().out)[0]["frames"] == word
    frames.write_text(said)
    assert main(["profiles", "show", "acme/m1"]) == 0
    assert "byte order by: manual; golden frames: real\n" in capsys.readouterr().out


def test_show_says_what_to_write_and_it_works(here, capsys):
    assert main(["profiles", "show", "acme/m1"]) == 0
    said = capsys.readouterr().out
    assert "manual: M1 manual, pages 4: https://acme.example/m1.pdf" in said
    assert "note: Answers after 300 ms only. (https://acme.example/faq)" in said
    assert "voltage-l1  Phase voltage L1" in said
    example = said.partition("In edge.toml:")[2].replace("…", "meter")
    (here / "edge.toml").write_text('[gateway]\nname = "g"\n' + example)
    assert len(load(here / "edge.toml").points) == 4
    assert main(["profiles", "show", "--json", "acme/m1"]) == 0
    assert json.loads(capsys.readouterr().out)["points"][2]["pace"] == "slow"


def test_a_label_of_the_points_own_is_shown(here, capsys):
    own = 'unit = "V"\nlabel = { kk = "Кіріс", ru = "Ввод", en = "Mains" }'
    put(here, METER.replace('unit = "V"', own, 1))
    assert main(["profiles", "show", "acme/m1"]) == 0
    said = capsys.readouterr().out
    assert "voltage-l1  Mains " in said
    assert "Phase voltage" not in said
    assert main(["profiles", "thing", "acme/m1"]) == 0
    titles = json.loads(capsys.readouterr().out)["properties"]["voltage-l1"]["titles"]
    assert titles == {"kk": "Кіріс", "ru": "Ввод", "en": "Mains"}


def test_show_names_what_is_near(here, capsys):
    assert main(["profiles", "show", "acme/m2"]) == 1
    assert 'there is no profile "acme/m2"; near it are acme/m1' in capsys.readouterr().err


def test_check_says_each_mistake(here, capsys):
    good = put(here)
    assert main(["profiles", "check", str(good)]) == 0
    assert capsys.readouterr().out == "ok acme/m1\n"
    bad = put(here, METER.replace('unit = "V"', 'unit = "A"', 1))
    assert main(["profiles", "check", str(bad)]) == WRONG
    failed, *wrong = capsys.readouterr().out.splitlines()
    assert failed == "failed acme/m1"
    assert 'm1.toml:32: point "voltage-l1": unit "A" does not measure voltage' in wrong[0]
    bad.write_text("nature = 5")
    assert main(["profiles", "check", "--json", str(bad)]) == WRONG
    assert json.loads(capsys.readouterr().out)[0]["result"] == "failed"


def test_check_refuses_two_spellings_of_a_vendor(here, capsys):
    other = here / "profiles" / "acme" / "m2.toml"
    other.write_text(METER.replace('vendor = "Acme"', 'vendor = "Acme Ltd"'))
    frames = here / "profiles" / "acme" / "m1.frames.toml"
    other.with_name("m2.frames.toml").write_text(frames.read_text())
    assert main(["profiles", "check", str(other.with_name("m1.toml")), str(other)]) == WRONG
    ok, failed, wrong = capsys.readouterr().out.splitlines()
    assert (ok, failed) == ("ok acme/m1", "failed acme/m2")
    assert 'vendor "Acme Ltd" is "Acme" in acme/m1' in wrong


def test_schema_and_thing_are_json(here, capsys):
    assert main(["profiles", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "CityTwin device profile"
    assert main(["profiles", "thing", "acme/m1"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Acme M1"


def test_check_takes_golden_frames_with_their_profile(here, capsys):
    """As a shell gives them: FOLDER/*.toml."""
    folder = Path(citytwin_edge.__file__).parent / "profiles/aquaread"
    assert main(["profiles", "check", *map(str, sorted(folder.glob("*.toml")))]) == 0
    assert capsys.readouterr().out == "ok aquaread/leveline-ctd\nok aquaread/leveline\n"
