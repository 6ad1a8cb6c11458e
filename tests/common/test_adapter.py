"""What the gateway lends to its adapters, and how their capabilities are told apart."""

from __future__ import annotations

from citytwin.adapter import (
    Adapter,
    Direction,
    Listens,
    Reads,
    Scans,
    Site,
    Tapped,
    Writes,
)
from citytwin.batch import Batch
from citytwin.testing import VirtualClock


class Meter:
    """An adapter that can be read, and nothing else."""

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def read(self) -> Batch:
        return Batch.of([0], [0], [1.0])


def test_devices_on_one_line_share_it() -> None:
    site = Site(VirtualClock(), lambda _text: 0)
    made: list[str] = []

    def make() -> str:
        made.append("line")
        return f"line {len(made)}"

    assert site.line(("rtu", "/dev/ttyUSB0"), make) == "line 1"
    assert site.line(("rtu", "/dev/ttyUSB0"), make) == "line 1"
    assert site.line(("rtu", "/dev/ttyUSB1"), make) == "line 2"
    assert len(made) == 2


def test_two_gateways_in_one_process_share_nothing() -> None:
    one, other = (Site(VirtualClock(), lambda _text: 0) for _ in range(2))
    assert one.line("key", object) is not other.line("key", object)


def test_who_looks_at_a_line_sees_its_bytes_for_as_long_as_he_looks() -> None:
    clock = VirtualClock()
    site = Site(clock, lambda _text: 0)
    site.tap("/dev/ttyUSB0", Direction.SENT, b"nobody looks")
    seen: list[Tapped] = []
    other: list[Tapped] = []
    site.taps.extend([seen.append, other.append])
    site.tap("/dev/ttyUSB0", Direction.SENT, b"\x01\x03", device="meter")
    site.taps.remove(other.append)
    site.tap("broker:1883", Direction.RECEIVED, bytearray(b"7"), note="a/topic")
    first = Tapped(clock.now_ns(), "/dev/ttyUSB0", "meter", Direction.SENT, b"\x01\x03")
    second = Tapped(clock.now_ns(), "broker:1883", "", Direction.RECEIVED, b"7", "a/topic")
    assert seen == [first, second]
    assert other == [first]
    assert f"{seen[1].direction}" == "rx"
    assert isinstance(seen[1].data, bytes), "who keeps it must not see it change"


def test_capabilities_are_what_an_adapter_has() -> None:
    meter = Meter()
    assert isinstance(meter, Adapter)
    assert isinstance(meter, Reads)
    assert not isinstance(meter, Listens)
    assert not isinstance(meter, Writes)
    assert not isinstance(meter, Scans)
