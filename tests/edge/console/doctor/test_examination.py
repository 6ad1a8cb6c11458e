"""The whole examination, without an agent: real devices, one that is dead, one that is odd."""

from citytwin import SystemClock
from citytwin_edge.config import load
from citytwin_edge.console.doctor.examination import bad_configuration, examine
from citytwin_edge.console.doctor.findings import Result
from citytwin_edge.console.status import check_sum
from tests.edge.console.console_scenes import FLOW, LEVEL, rtu, tcp
from tests.edge.console.doctor.test_running import STATUS
from tests.edge.modbus_devices import device, tcp_server
from tests.servers import free_port

GONE = LEVEL.replace("address = 1", "address = 900")


def written(folder, devices):
    path = folder / "edge.toml"
    path.write_text(f'[gateway]\nname = "g"\nstate = "state"\n{devices}')
    return load(path)


async def test_without_an_agent_the_devices_are_read(tmp_path):
    async with tcp_server(device(1, [(0, [123, 7])])) as port:
        devices = tcp("well", port) + tcp("dead", free_port()) + rtu("serial", str(tmp_path / "no"))
        config = written(tmp_path, devices)
        found = {one.check: one for one in await examine(config, SystemClock(), None)}
        odd = written(tmp_path, tcp("odd", port, FLOW + GONE))
        part = {one.check: one for one in await examine(odd, SystemClock(), None)}["device odd"]
    assert found["device well"].result == Result.OK
    assert found["device dead"].result == Result.FAILED
    assert "Connection refused" in found["device dead"].found
    assert "frames --device dead" in found["device dead"].remedy
    assert found[f"port {tmp_path / 'no'}"].result == Result.FAILED
    assert (part.result, part.found) == (
        Result.WARNING, "odd answers, but 1 of 2 points are bad",
    )  # fmt: skip
    assert found["agent"].found == f"no agent runs with {tmp_path / 'state'}"
    assert found["enrolment"].result == Result.FAILED
    assert found["configuration"].result == Result.OK
    assert found["clock"].result in {Result.OK, Result.WARNING}
    assert not (tmp_path / "state").exists()


async def test_a_file_that_the_agent_has_not_read_yet(tmp_path):
    config = written(tmp_path, tcp("d", 1))
    status = STATUS | {
        "configuration": STATUS["configuration"] | {"sha256": check_sum(config.path)}
    }
    results = [
        [one.result for one in await examine(config, SystemClock(), said)
         if one.check == "configuration"]
        for said in (status, STATUS)
    ]  # fmt: skip
    assert results == [[Result.OK], [Result.OK, Result.WARNING]]


def test_a_wrong_file_is_said_in_its_own_words():
    finding = bad_configuration('edge.toml:3: device "d": no')
    assert finding.found == 'edge.toml:3: device "d": no'
    assert "citytwin-edge check" in finding.remedy
