"""doctor and support-bundle as commands: exit codes, and secrets that stay at home."""

import asyncio
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from citytwin import SystemClock
from citytwin.batch import SECOND_NS
from citytwin_edge.cli import main
from tests.edge.cli.cli_scenes import ran, written
from tests.edge.console.console_scenes import configured, running, tcp, typed
from tests.edge.modbus_devices import device, tcp_server

METER = device(1, [(0, [123, 7, 0])])
DAY_NS = 86_400 * SECOND_NS
BROKER = """
[[device]]
name = "air"
adapter = "mqtt"
host = "127.0.0.1"
port = 1
user = "reader"
password_file = "{folder}/broker-password"
[[device.point]]
name = "pm"
topic = "a"
"""


def contents(path) -> dict[str, str]:
    """The files of an archive, as texts."""
    with tarfile.open(path) as archive:
        members = {one.name: archive.extractfile(one) for one in archive.getmembers()}
        return {name: file.read().decode() for name, file in members.items() if file}


def test_a_wrong_configuration_is_the_first_thing_to_put_right(tmp_path, capsys):
    path = Path(written(tmp_path))
    path.write_text(path.read_text().replace("scale = 0.1", 'scale = "0,1"'))
    assert main(["doctor", "--json", "--config", str(path)]) == 2
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["check"], row["result"]) == ("configuration", "failed")
    assert 'field "scale"' in row["found"]
    assert main(["doctor", "--config", str(path)]) == 2
    assert "→ correct the file" in capsys.readouterr().out


async def test_each_line_says_what_to_do(tmp_path, capsys):
    async with tcp_server(METER) as port:
        assert await ran("doctor", "--config", written(tmp_path, port)) == 2
    lines = capsys.readouterr().out.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(("warning", "failed")):
            assert following.startswith("         → ")
    assert any(line.startswith("ok       device: meter answers") for line in lines)
    assert any(line.startswith("failed   enrolment: this gateway has not joined") for line in lines)


async def test_an_ended_certificate_a_full_disk_and_no_hub_beside_a_running_agent(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk)]
    if (await asyncio.to_thread(subprocess.run, command, capture_output=True)).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        ended = SystemClock().now_ns() - 3 * DAY_NS
        async with (
            tcp_server(METER) as port,
            running(disk, tcp("meter", port), expires_ns=ended) as gateway,
        ):
            filling = disk / "filling"
            with pytest.raises(OSError, match="No space left"):
                filling.write_bytes(bytes(30 << 20))
            done = await typed(gateway, "doctor", "--json")
            rows = {row["check"]: row for row in done.json}
            assert done.code == 2
            assert rows["certificate"]["found"] == "ended 3 days ago"
            assert "--replace" in rows["certificate"]["remedy"]
            assert rows["disk"]["result"] == "failed"
            assert "No space left" in rows["disk"]["found"]
            assert rows["hub"]["found"].startswith("nothing listens at 127.0.0.1:1")
            assert rows["delivery"]["result"] == "failed"
            assert rows["device meter"]["result"] == "ok"
            filling.unlink()
    finally:
        await asyncio.to_thread(subprocess.run, ["umount", str(disk)])


async def test_a_support_bundle_holds_no_secret(tmp_path):
    (tmp_path / "broker-password").write_text("planted-password\n")
    async with tcp_server(METER) as port:
        devices = tcp("meter", port) + BROKER.format(folder=tmp_path)
        async with running(tmp_path, devices) as gateway:
            await gateway.until_said("device failed", device="air")
            config = gateway.folder / "edge.toml"
            # As somebody may have left it there: the agent has not read it.
            config.write_text(config.read_text() + '\n[old]\nkey = "planted-key-in-the-file"\n')
            done = await typed(gateway, "support-bundle", "help.tar.gz", "--json")
            assert done.code == 0, done.err
            key = (gateway.state / "key.pem").read_text()
            files = contents(gateway.folder / "help.tar.gz")
    assert {Path(name).name for name in files} == {row["file"] for row in done.json}
    secret_lines = [line for line in key.splitlines() if not line.startswith("-")]
    for name, content in files.items():
        assert "planted" not in content, name
        assert "PRIVATE KEY" not in content, name
        assert not any(line in content for line in secret_lines), name
    status = json.loads(files["help/status.json"])
    assert status["gateway"] == "g"
    assert "agent.started" in files["help/log.jsonl"]
    findings = {row["check"]: row for row in json.loads(files["help/doctor.json"])}
    assert findings["configuration"]["result"] == "failed", "the file, by now"
    assert findings["device meter"]["result"] == "ok", "the agent, with the one that it has read"
    assert 'user = "reader"' in files["help/edge.toml"]


async def test_a_support_bundle_of_a_running_gateway(tmp_path):
    async with tcp_server(METER) as port, running(tmp_path, tcp("meter", port)) as gateway:
        done = await typed(gateway, "support-bundle", "help.tar.gz")
        assert done.code == 0
        assert "look into it before you send it" in done.out
        files = contents(gateway.folder / "help.tar.gz")
    status = json.loads(files["help/status.json"])
    assert status["gateway"] == "g"
    assert status["outbox"]["bytes_max"] == 512 << 20
    assert "agent.started" in files["help/log.jsonl"]


async def test_a_support_bundle_of_a_file_that_is_none(tmp_path):
    gateway = configured(tmp_path, tcp("meter", 1))
    (gateway.folder / "edge.toml").write_text('[gateway\npassword = "planted-password"\n')
    done = await typed(gateway, "support-bundle", "help.tar.gz")
    assert done.code == 0, done.err
    files = contents(gateway.folder / "help.tar.gz")
    assert "planted" not in "".join(files.values())
    assert json.loads(files["help/doctor.json"])[0]["result"] == "failed"


async def test_a_support_bundle_without_an_agent(tmp_path):
    gateway = configured(tmp_path, tcp("meter", 1))
    done = await typed(gateway, "support-bundle", "help.tar.gz")
    assert done.code == 0, done.err
    done = await typed(gateway, "support-bundle", "none/help.tar.gz")
    assert done.code == 1
    assert "name another place" in done.err
