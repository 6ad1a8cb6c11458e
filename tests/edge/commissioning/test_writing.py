"""Writing where no agent runs: within the limits, read back, and honest when it fails."""

import os
import sqlite3

import pytest

from citytwin.errors import CommandError
from citytwin_edge.commissioning import writing
from citytwin_edge.commissioning.writing import check, found, journal, write
from citytwin_edge.config import load
from tests.edge.modbus_devices import Peer, device, mbap, registers, tcp_server

POINTS = """
[[device.point]]
name = "setpoint"
unit = "bar"
table = "holding"
address = 0
scale = 0.1
writable = [0, 6]
write = { step = 0.5 }

[[device.point]]
name = "pressure"
table = "input"
address = 0
writable = [0, 6]
[[device.point]]
name = "level"
table = "holding"
address = 1
"""


def configured(folder, port, more="", points=POINTS):
    path = folder / "edge.toml"
    path.write_text(
        '[gateway]\nname = "g"\nstate = "state"\n'
        '[[device]]\nname = "d"\nadapter = "modbus"\nhost = "127.0.0.1"\n'
        f"port = {port}\nreply_timeout_s = 0.2\n{points}{more}"
    )
    return load(path)


async def written(config, name, value):
    one, index = found(config, name)
    check(one, index, value)
    return await write(config, one, index, value)


async def test_a_point_is_set_and_read_back(tmp_path):
    async with tcp_server(device(1, [(0, [20, 7])])) as port:
        done = await written(configured(tmp_path, port), "d/setpoint", 3.5)
        assert (done["before"], done["state"], done["read"]) == (2.0, "executed", 3.5)
        assert done["confirmed"]
        again = await written(configured(tmp_path, port), "g/d/setpoint", 4.0)
        assert again["before"] == 3.5


async def test_a_device_that_will_not_says_so(tmp_path):
    async with tcp_server(device(1, [(0, [20, 7])])) as port:
        done = await written(configured(tmp_path, port), "d/pressure", 1.0)
    assert (done["state"], done["confirmed"]) == ("failed", False)
    assert "the device refused: a point of table input cannot be written" in done["reason"]


async def test_a_silent_device_is_not_taken_for_one_that_was_set(tmp_path):
    async with tcp_server(device(1, [(0, [20, 7])])) as port:
        pass
    done = await written(configured(tmp_path, port), "d/setpoint", 1.0)
    assert (done["state"], done["confirmed"], done["read"]) == ("failed", False, None)
    assert "the device did not confirm" in done["reason"]


async def test_the_shortest_time_between_two_is_kept_by_the_agents_own_journal(tmp_path):
    rarely = POINTS.replace("step = 0.5", "step = 0.5, interval_s_min = 3600")
    async with tcp_server(device(1, [(0, [20, 7])])) as port:
        config = configured(tmp_path, port, points=rarely)
        assert (await written(config, "d/setpoint", 3.5))["confirmed"]
        again = await written(config, "d/setpoint", 4.0)
        assert (again["state"], again["confirmed"], again["before"]) == ("refused", False, None)
        assert "s ago; it may be set once in 3600 s" in again["reason"]
        other = await written(config, "d/pressure", 1.0)
        assert other["state"] == "failed", "another point is not held back"
    kept = sqlite3.connect(tmp_path / "state" / "commands.db")
    rows = kept.execute("SELECT point, value, state FROM commands ORDER BY at_ns").fetchall()
    kept.close()
    assert rows == [
        ("g/d/setpoint", 3.5, "executed"), ("g/d/setpoint", 4.0, "refused"),
        ("g/d/pressure", 1.0, "failed"),
    ]  # fmt: skip


def test_the_journal_belongs_to_whom_the_folder_belongs(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    if os.geteuid() == 0:
        os.chown(state, 4711, 4712)
    assert journal(state) == state / "commands.db"
    made = (state / "commands.db").stat()
    assert (made.st_uid, made.st_gid) == (state.stat().st_uid, state.stat().st_gid)


async def test_what_cannot_be_journalled_is_not_set(tmp_path):
    (tmp_path / "state").write_text("no folder")
    async with tcp_server(device(1, [(0, [20, 7])])) as port:
        config = configured(tmp_path, port)
        with pytest.raises(CommandError, match=r"must be in the journal .* type sudo before"):
            await written(config, "d/setpoint", 3.5)
        (tmp_path / "state").unlink()
        assert (await written(config, "d/setpoint", 3.5))["before"] == 2.0


@pytest.mark.parametrize(("reads", "is_confirmed"), [(352, True), (348, True), (354, False)])
async def test_what_is_read_back_may_differ_by_the_tolerance(
    tmp_path, monkeypatch, reads, is_confirmed
):
    async def rounds(transaction, unit, pdu):
        return [mbap(transaction, unit, registers(pdu, reads) if pdu[0] == 3 else pdu[:5])]

    monkeypatch.setattr(writing, "READBACK_S_MAX", 0.5)
    only = POINTS.split("[[device.point]]")[1].replace("scale = 0.1", "scale = 0.01")
    only = "[[device.point]]" + only.replace("step = 0.5", "tolerance = 0.03")
    async with Peer(rounds).on_tcp() as port:
        done = await written(configured(tmp_path, port, points=only), "d/setpoint", 3.5)
    assert (done["state"], done["read"]) == ("executed", pytest.approx(reads / 100))
    assert done["confirmed"] is is_confirmed


async def test_what_an_interlock_guards_is_not_set_blindly(tmp_path):
    lock = '[[interlock]]\ntarget = "d/setpoint"\nguard = "d/level"\nspan = [0, 9]\n'
    with pytest.raises(CommandError, match="no agent runs that would know; start it first"):
        await written(configured(tmp_path, 5, lock), "d/setpoint", 1.0)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("d/none", 1.0, "there is no point 'd/none'; writable are d/setpoint, d/pressure"),
        ("d/level", 1.0, "g/d/level cannot be written"),
        ("d/setpoint", 6.5, "6.5 is outside 0 … 6"),
        ("d/setpoint", 1.2, "1.2 is not 0 plus a multiple of 0.5"),
        ("d/setpoint", float("nan"), "finite"),
    ],
)
async def test_limits_are_kept_before_anything_is_sent(tmp_path, name, value, words):
    with pytest.raises(CommandError, match=words):
        await written(configured(tmp_path, 5), name, value)
