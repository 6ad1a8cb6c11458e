"""capture and commission as a technician uses them, against a real meter's server."""

import json

import pytest

from citytwin import SystemClock
from citytwin_edge.cli import main
from citytwin_edge.cli.handover import DIFFERENT, DOUBTFUL
from citytwin_edge.commissioning.handover import verified
from citytwin_hub.authority import Authority
from tests.edge.cli.cli_scenes import ran
from tests.edge.commissioning.sdm120 import VALUES, meter
from tests.edge.small_hub import identity_of


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    authority = Authority(tmp_path / "authority", SystemClock().now_ns())
    identity_of(authority, "ph-7", tmp_path / "state", "127.0.0.1:1")
    return tmp_path


def written(folder, port):
    (folder / "edge.toml").write_text(
        '[gateway]\nname = "ph-7"\nstate = "state"\n[[device]]\nname = "meter"\n'
        f'profile = "eastron/sdm120"\nhost = "127.0.0.1"\nport = {port}\nunit = 3\n'
    )


async def test_a_capture_is_added_to_a_file(here, capsys):
    async with meter() as port:
        written(here, port)
        assert await ran("capture", "meter", "--read", "voltage=231.4") == 0
        assert await ran("capture", "meter", "--json", "--read", "voltage=250") == DIFFERENT
    said = capsys.readouterr()
    assert "captures/eastron-sdm120.frames.toml: 11 exchanges, 1 readings" in said.out
    assert "voltage: the display shows 250, the frames say 231.39" in said.err
    kept = (here / "captures" / "eastron-sdm120.frames.toml").read_text()
    assert kept.count("[[case]]") == 2
    assert "display = { voltage = 231.4 }" in kept


async def test_a_report_is_signed_and_can_be_verified(here, capsys):
    async with meter() as port:
        written(here, port)
        assert await ran("commission", "--by", "Асель", "--note", "new meter") == 0
    assert "handover.html: signed by ph-7" in capsys.readouterr().out
    found = verified((here / "handover.html").read_text())
    (device,) = found.report["devices"]
    assert (device["result"], found.report["by"]) == ("ok: 11 points", "Асель")
    assert device["points"][0]["raw"] == "43 67 66 66"
    check = ["commission", "--json", "--verify", "handover.html"]
    assert main([*check, "--authority", "state/authority.pem"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["certificate"] == "of this authority"
    page = here / "handover.html"
    page.write_text(page.read_text().replace("new meter", "old meter"))
    assert main(check) == 1
    assert "is not what the gateway signed" in capsys.readouterr().err


async def test_scripts_are_told_of_each_device_and_the_report_is_written_all_the_same(here, capsys):
    into = here / "reports.html"
    asked = ["commission", "--json", "--by", "Асель", "--into", str(into)]
    async with meter() as port:
        written(here, port)
        assert await ran(*asked) == 0
    assert json.loads(capsys.readouterr().out) == [{"device": "meter", "result": "ok: 11 points"}]
    assert verified(into.read_text()).report["by"] == "Асель"
    async with meter(values={**VALUES, 70: 5001.0}) as port:
        written(here, port)
        assert await ran(*asked) == DOUBTFUL
    (row,) = json.loads(capsys.readouterr().out)
    assert row == {"device": "meter", "result": "failed: 1 of 11 points"}
    (device,) = verified(into.read_text()).report["devices"]
    assert device["result"] == row["result"], "what is wrong is signed, too"


async def test_a_report_of_a_meter_that_says_nonsense_says_so(here, capsys):
    async with meter(values={**VALUES, 70: 5001.0}) as port:
        written(here, port)
        assert await ran("commission", "--by", "A") == DOUBTFUL
    assert "failed: 1 of 11 points" in capsys.readouterr().out


def test_who_hands_over_must_be_said(here, capsys):
    written(here, 5)
    assert main(["commission"]) == 1
    assert "who hands over" in capsys.readouterr().err
