"""A Modbus line shared by many: one at a time, commands first, nobody starved, nothing mixed up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from citytwin.adapter import Tapped
from citytwin.clock import SystemClock
from citytwin.errors import DeviceMalformed, DeviceSilent
from citytwin_edge.adapters.connection import Endpoint
from citytwin_edge.adapters.modbus_frames import read_request, write_request
from citytwin_edge.adapters.modbus_line import Line
from citytwin_edge.wire.fields import Table
from tests.edge.modbus_devices import (
    Peer,
    build,
    holding,
    mbap,
    new_site,
    plug,
    pty_line,
    registers,
    rtu,
)

READ = read_request(Table.HOLDING, 0, 1)
WRITE = write_request(Table.HOLDING, 0, b"\0\7")


def value(pdu: bytes) -> int:
    return int.from_bytes(pdu[2:4], "big")


@contextlib.asynccontextmanager
async def tcp_line(
    peer: Peer, *units: int, transport: str = "tcp", **more: Any
) -> AsyncIterator[Line]:
    async with peer.on_tcp() as port:
        line = Line(Endpoint(transport, host="127.0.0.1", port=port, **more), SystemClock())
        for unit in units:
            line.join(unit)
        try:
            yield line
        finally:
            for unit in units:
                await line.leave(unit)


@contextlib.asynccontextmanager
async def serial_line(peer: Peer, folder: Path, *units: int) -> AsyncIterator[Line]:
    with pty_line() as ptys:
        async with peer.on_pty(ptys.ends[1]):
            line = Line(Endpoint("rtu", serial=plug(ptys, folder / "port")), SystemClock())
            for unit in units:
                line.join(unit)
            try:
                yield line
            finally:
                for unit in units:
                    await line.leave(unit)


async def test_one_request_at_a_time() -> None:
    inside = [0]

    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        inside[0] += 1
        assert inside[0] == 1, "a converter that cannot pipeline would be confused"
        await asyncio.sleep(0.005)
        inside[0] -= 1
        return [mbap(transaction, unit, registers(pdu, unit))]

    async with tcp_line(Peer(respond), *range(1, 9)) as line:
        replies = await asyncio.gather(*(line.ask(unit, READ, 1) for unit in range(1, 9)))
    assert [value(reply.pdu) for reply in replies] == list(range(1, 9))


async def test_a_command_goes_before_waiting_polls() -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        await asyncio.sleep(0.002)
        return [mbap(transaction, unit, registers(pdu) if pdu[0] == 3 else pdu[:5])]

    peer = Peer(respond)

    async def poll(line: Line, unit: int) -> None:
        while True:
            await line.ask(unit, READ, 1)

    async with tcp_line(peer, *range(1, 21)) as line:
        polls = [asyncio.create_task(poll(line, unit)) for unit in range(1, 21)]
        for _ in range(10):
            await asyncio.sleep(0.01)
            before = len(peer.asked)
            await line.ask(7, WRITE, 1, command=True)
            place = next(i for i, (_, pdu) in enumerate(peer.asked[before:]) if pdu[0] == 6)
            assert place <= 1, "at most the poll that was on its way came first"
        for task in polls:
            task.cancel()
        await asyncio.gather(*polls, return_exceptions=True)


async def test_changing_bits_lets_nobody_in_between() -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        await asyncio.sleep(0.002)
        return [mbap(transaction, unit, registers(pdu) if pdu[0] == 3 else pdu[:5])]

    peer = Peer(respond)
    async with tcp_line(peer, 1, 2) as line:
        await asyncio.gather(
            line.ask(2, READ, 1),
            *(line.change(1, READ, lambda _: WRITE, 1) for _ in range(3)),
            line.ask(2, READ, 1, command=True),
        )
    order = [(unit, pdu[0]) for unit, pdu in peer.asked]
    changes = [at for at, asked in enumerate(order) if asked == (1, 3)]
    assert len(changes) == 3
    assert all(order[at + 1] == (1, 6) for at in changes)


async def test_a_late_answer_is_not_taken_for_the_next_on_tcp() -> None:
    delays = iter([0.15, 0.0, 0.0])

    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        number = len(peer.asked)
        await asyncio.sleep(next(delays))
        return [mbap(transaction, unit, registers(pdu, number))]

    peer = Peer(respond)
    async with tcp_line(peer, 1) as line:
        with pytest.raises(DeviceSilent, match="unit 1 gave no answer in time"):
            await line.ask(1, READ, 0.05)
        assert value((await line.ask(1, READ, 0.05)).pdu) == 2
        await asyncio.sleep(0.2)
        assert value((await line.ask(1, READ, 0.05)).pdu) == 3
    assert peer.connections == 1


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_late_answer_is_not_taken_for_the_next_on_rtu(
    tmp_path: Path, cancelled: bool
) -> None:
    delays = iter([0.2, 0.0])

    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        number = len(peer.asked)
        await asyncio.sleep(next(delays))
        return [rtu(unit, registers(pdu, number))]

    peer = Peer(respond, framing="rtu")
    async with serial_line(peer, tmp_path, 1) as line:
        first = asyncio.create_task(line.ask(1, READ, 0.15))
        if cancelled:
            await asyncio.sleep(0.1)
            first.cancel()
        await asyncio.wait([first])
        assert first.cancelled() or isinstance(first.exception(), DeviceSilent)
        assert value((await line.ask(1, READ, 0.15)).pdu) == 2


async def test_a_dead_unit_costs_its_neighbours_on_rtu_no_answer(tmp_path: Path) -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        return [] if unit == 2 else [rtu(unit, registers(pdu, unit))]

    async with serial_line(Peer(respond, framing="rtu"), tmp_path, 1, 2, 3) as line:
        asked = await asyncio.gather(
            *(line.ask(unit, READ, 0.05) for unit in (1, 2, 3)), return_exceptions=True
        )
    first, second, third = asked
    assert isinstance(second, DeviceSilent)
    assert not isinstance(first, BaseException)
    assert not isinstance(third, BaseException)
    assert (value(first.pdu), value(third.pdu)) == (1, 3)


async def test_a_converter_that_waits_for_a_dead_unit_makes_no_other_silent() -> None:
    """It serves one after another and waits longer for the dead unit than we do."""
    gate = asyncio.Lock()

    async def respond(transaction: int, unit: int, pdu: bytes) -> Sequence[bytes]:
        async with gate:
            if unit == 1:
                await asyncio.sleep(0.2)
                return []
            return [mbap(transaction, unit, registers(pdu, unit))]

    async with tcp_line(Peer(respond), 1, 2, 3) as line:
        asked = await asyncio.gather(
            *(line.ask(unit, READ, 0.1) for unit in (1, 2, 3)), return_exceptions=True
        )
    assert [type(one).__name__ for one in asked] == ["DeviceSilent", "Reply", "Reply"]


async def test_noise_on_rtu_is_asked_again_once() -> None:
    broken = {2, 4, 5}

    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        frame = rtu(unit, registers(pdu))
        return [frame[:-1] + bytes([frame[-1] ^ 1])] if len(peer.asked) in broken else [frame]

    peer = Peer(respond, framing="rtu")
    async with tcp_line(peer, 1, transport="rtu-over-tcp") as line:
        for _ in range(2):
            assert value((await line.ask(1, READ, 1)).pdu) == 7
        with pytest.raises(DeviceMalformed, match="the checksum of unit 1's answer is wrong"):
            await line.ask(1, READ, 1)
        assert value((await line.ask(1, READ, 1)).pdu) == 7
    assert len(peer.asked) == 6


async def test_a_command_is_never_sent_twice() -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        frame = rtu(unit, registers(pdu) if pdu[0] == 3 else pdu[:5])
        return [frame if pdu[0] == 3 else frame[:-1] + bytes([frame[-1] ^ 1])]

    peer = Peer(respond, framing="rtu")
    async with tcp_line(peer, 1, transport="rtu-over-tcp") as line:
        await line.ask(1, READ, 1)
        with pytest.raises(DeviceMalformed):
            await line.ask(1, WRITE, 1, command=True)
    assert [pdu[0] for _, pdu in peer.asked] == [3, 6]


async def test_a_peer_that_sends_nothing_is_connected_anew() -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        return [] if peer.connections == 1 else [mbap(transaction, unit, registers(pdu))]

    peer = Peer(respond)
    async with tcp_line(peer, 1) as line:
        for _ in range(3):
            with pytest.raises(DeviceSilent):
                await line.ask(1, READ, 0.02)
        assert value((await line.ask(1, READ, 1)).pdu) == 7
    assert peer.connections == 2


async def test_after_a_failed_connection_it_is_not_tried_at_once_again() -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        return [mbap(transaction, unit, registers(pdu))]

    peer = Peer(respond)
    async with tcp_line(peer, retry_s=0.5) as line:
        port = line.endpoint.port
    line.join(1)
    with pytest.raises(
        DeviceSilent, match=f"127.0.0.1:{port} is not reachable: Connection refused"
    ):
        await line.ask(1, READ, 1)
    async with peer.on_tcp(port):
        for _ in range(5):
            with pytest.raises(DeviceSilent, match="is not reachable: Connection refused"):
                await line.ask(1, READ, 1)
        assert peer.connections == 0
        async with asyncio.timeout(5):
            while not peer.connections:
                await asyncio.sleep(0.01)
                with contextlib.suppress(DeviceSilent):
                    await line.ask(1, READ, 1)
        await line.leave(1)


async def test_a_missing_serial_port_is_silence(tmp_path: Path) -> None:
    line = Line(Endpoint("rtu", serial=str(tmp_path / "none")), SystemClock())
    line.join(1)
    with pytest.raises(DeviceSilent, match="none is not reachable: No such file"):
        await line.ask(1, READ, 1)
    await line.leave(1)


async def test_the_last_to_leave_closes_the_line() -> None:
    released = asyncio.Event()

    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        if unit == 2:
            await released.wait()
        return [mbap(transaction, unit, registers(pdu))]

    peer = Peer(respond)
    async with tcp_line(peer) as line:
        for unit in (1, 1, 2):
            line.join(unit)
        await line.ask(1, READ, 1)
        await line.leave(1)
        await line.ask(1, READ, 1)
        pending = asyncio.create_task(line.ask(2, READ, 10))
        await asyncio.sleep(0.05)
        await line.leave(1)
        await line.leave(2)
        with pytest.raises(DeviceSilent):
            await pending
        with pytest.raises(DeviceSilent, match="was closed"):
            await line.ask(1, READ, 1)
        line.join(1)
        assert value((await line.ask(1, READ, 1)).pdu) == 7
        await line.leave(1)
    assert peer.connections == 2


async def test_adapters_of_one_endpoint_share_one_connection() -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        return [mbap(transaction, unit, registers(pdu, unit))]

    peer = Peer(respond)
    async with peer.on_tcp() as port:
        site = new_site()
        adapters = [
            build(site, holding(0), host="127.0.0.1", port=port, unit=unit) for unit in range(1, 11)
        ]
        for adapter in adapters:
            await adapter.open()
        batches = await asyncio.gather(*(adapter.read() for adapter in adapters))
        assert [batch.value[0] for batch in batches] == list(range(1, 11))
        assert peer.connections == 1
        for adapter in adapters:
            await adapter.close()


async def test_who_looks_at_a_shared_line_sees_which_device_each_frame_is_of() -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        return [mbap(transaction, unit, registers(pdu, unit))]

    async with Peer(respond).on_tcp() as port:
        site = new_site()
        seen: list[Tapped] = []
        site.taps.append(seen.append)
        for unit in (1, 2):
            adapter = build(
                site, holding(0), host="127.0.0.1", port=port, unit=unit, name=f"d{unit}"
            )
            await adapter.open()
            await adapter.read()
            await adapter.close()
    line = f"127.0.0.1:{port}"
    assert [(one.line, one.device, f"{one.direction}", one.data[6:].hex(" ")) for one in seen] == [
        (line, "d1", "tx", "01 03 00 00 00 01"),
        (line, "d1", "rx", "01 03 02 00 01"),
        (line, "d2", "tx", "02 03 00 00 00 01"),
        (line, "d2", "rx", "02 03 02 00 02"),
    ]
    assert [one.time_ns for one in seen] == sorted(one.time_ns for one in seen)
