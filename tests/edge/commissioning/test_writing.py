"""Writing where no agent runs: within the limits, read back, and honest when it fails."""

import pytest

from citytwin.errors import CommandError
from citytwin_edge.commissioning.writing import check, found, write
from citytwin_edge.config import load
from tests.edge.modbus_devices import device, tcp_server

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


def configured(folder, port, more=""):
    path = folder / "edge.toml"
    path.write_text(
        '[gateway]\nname = "g"\n[[device]]\nname = "d"\nadapter = "modbus"\nhost = "127.0.0.1"\n'
        f"port = {port}\nreply_timeout_s = 0.2\n{POINTS}{more}"
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
