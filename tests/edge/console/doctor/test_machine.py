"""The machine: disk that is full or cannot be written, worn memory, versions, time zone."""

import subprocess

import pytest

from citytwin.testing import VirtualClock
from citytwin_edge import VERSION
from citytwin_edge.console.doctor import machine
from citytwin_edge.console.doctor.findings import Result

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one and twenty MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=21m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this machine mounts nothing")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_with_room(tmp_path):
    (finding,) = machine.disk(tmp_path, MIB)
    assert finding.result == Result.OK
    assert str(tmp_path) in finding.found
    assert list(tmp_path.iterdir()) == []
    (finding,) = machine.disk(tmp_path / "not there yet", MIB)
    assert finding.result == Result.OK


def test_a_disk_that_will_be_too_small_that_is_and_that_is_full(small_disk):
    (finding,) = machine.disk(small_disk, 512 * MIB)
    assert finding.result == Result.WARNING
    assert "the outbox may need 512 MiB" in finding.found
    assert "size_mb_max" in finding.remedy
    (small_disk / "outbox.db").write_bytes(bytes(10 * MIB))
    (finding,) = machine.disk(small_disk, 10 * MIB)
    assert finding.result == Result.FAILED
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "more").write_bytes(bytes(30 * MIB))
    (finding,) = machine.disk(small_disk, 10 * MIB)
    assert finding.result == Result.FAILED
    assert finding.found == f"{small_disk} cannot be written: No space left on device"
    assert "doctor" not in " ".join(file.name for file in small_disk.iterdir())


def test_a_disk_that_is_read_only(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    (finding,) = machine.disk(small_disk, MIB)
    assert finding.result == Result.FAILED
    assert "Read-only file system" in finding.found


@pytest.mark.parametrize(
    ("life_time", "result", "percent"),
    [("0x01 0x02", "ok", "20"), ("0x09 0x01", "warning", "90"), ("0x0b 0x0b", "warning", "110")],
)
def test_worn_memory(tmp_path, life_time, result, percent):
    (tmp_path / "mmcblk0" / "device").mkdir(parents=True)
    (tmp_path / "mmcblk0" / "device" / "life_time").write_text(life_time + "\n")
    (finding,) = machine.wear(tmp_path, tmp_path)
    assert (finding.result, finding.found) == (
        result, f"mmcblk0: {percent} % of its life are used up",
    )  # fmt: skip
    assert bool(finding.remedy) == (result == "warning")


@pytest.mark.parametrize("life_time", ["0x00 0x00", "what?"])
def test_memory_that_does_not_say_how_worn_it_is(tmp_path, life_time):
    (tmp_path / "mmcblk0" / "device").mkdir(parents=True)
    (tmp_path / "mmcblk0" / "device" / "life_time").write_text(life_time)
    findings = (
        machine.wear(tmp_path, tmp_path) if life_time else machine.wear(tmp_path, tmp_path / "x")
    )
    assert findings == []


def test_memory(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 1024000 kB\nMemFree: 1 kB\nMemAvailable: 500000 kB\n")
    (finding,) = machine.memory(meminfo)
    assert (finding.result, finding.found) == (Result.OK, "488 MiB of 1000 MiB are free")
    meminfo.write_text(meminfo.read_text().replace("500000", "50000"))
    assert machine.memory(meminfo)[0].result == Result.WARNING
    meminfo.write_text("what?\n")
    assert machine.memory(meminfo) == machine.memory(tmp_path / "none") == []


def test_versions_and_time_zone(tmp_path, monkeypatch):
    found = machine.versions()
    assert found["citytwin-edge"] == VERSION
    assert {"python", "kernel", "system", "numpy", "grpcio"} <= set(found)
    monkeypatch.setattr(machine, "LIBRARIES", ("no-such-library",))
    assert machine.versions()["no-such-library"] == "is not installed"
    words = machine.zone(0).found
    assert "UTC" in words
    assert "1970-01-01" in words or "1969-12-31" in words
    checks = [one.check for one in machine.examine_machine(tmp_path, MIB, VirtualClock())]
    assert checks[:4] == ["versions", "time zone", "memory", "disk"]
