"""Modbus devices that misbehave, go and come back: a reason each time, and recovery."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from citytwin.errors import DeviceMalformed, DeviceSilent
from tests.edge.modbus_devices import (
    Peer,
    build,
    device,
    holding,
    mbap,
    new_site,
    opened,
    plug,
    pty_line,
    registers,
    serial_server,
    tcp_server,
)


class TestTroubles:
    @staticmethod
    async def outcome(frames: Any, **more: Any) -> list[str]:
        """Poll four times a peer that misbehaves in the second and third; say what came of it."""
        polls = [0]

        async def respond(transaction: int, unit: int, pdu: bytes) -> Sequence[bytes]:
            good = [mbap(transaction, unit, registers(pdu))]
            bad: Sequence[bytes] = frames(transaction, unit, pdu)
            return bad if polls[0] in {1, 2} else good

        said = []
        async with Peer(respond).on_tcp() as port:
            there = {"host": "127.0.0.1", "port": port, "reply_timeout_s": 0.1}
            async with opened(build(new_site(), holding(0, 1), **there, **more)) as adapter:
                for number in range(4):
                    polls[0] = number
                    try:
                        batch = await adapter.read()
                        said.append("good" if (batch.value == 7).all() else "wrong")
                    except DeviceMalformed as error:
                        said.append(f"malformed: {error}")
                    except DeviceSilent as error:
                        said.append(f"silent: {error}")
        assert said[0] == said[3] == "good", "it recovers"
        assert said[1].partition(":")[0] == said[2].partition(":")[0]
        return said[1:2]

    async def test_wrong_unit_id(self) -> None:
        assert await self.outcome(lambda t, u, p: [mbap(t, u + 1, registers(p))]) == [
            "malformed: unit 2 answered in place of unit 1"
        ]

    async def test_wrong_transaction_id(self) -> None:
        (said,) = await self.outcome(lambda t, u, p: [mbap(0xFFFF, u, registers(p, 9))])
        assert said.startswith("malformed: unit 1 answered with transaction 65535, not")

    async def test_garbage(self) -> None:
        (said,) = await self.outcome(lambda t, u, p: [b"HTTP/1.1 400 Bad Request\r\n\r\n"])
        assert said.startswith("malformed: what came for unit 1 is not Modbus TCP: 48 54 54 50")

    async def test_half_an_answer(self) -> None:
        (said,) = await self.outcome(lambda t, u, p: [mbap(t, u, registers(p))[:-1]])
        assert said == "malformed: the answer of unit 1 broke off after 12 bytes"

    async def test_fewer_registers_than_asked(self) -> None:
        (said,) = await self.outcome(lambda t, u, p: [mbap(t, u, b"\x03\x02\x00\x07")])
        assert said.startswith("malformed: unit 1 answered 4 bytes beginning 03 02 00 07")

    async def test_another_function(self) -> None:
        (said,) = await self.outcome(lambda t, u, p: [mbap(t, u, b"\x04" + registers(p)[1:])])
        assert said.startswith("malformed: unit 1 answered 6 bytes beginning 04 04")

    async def test_silence(self) -> None:
        assert await self.outcome(lambda t, u, p: []) == ["silent: unit 1 gave no answer in time"]

    async def test_a_converter_that_says_its_target_is_silent(self) -> None:
        assert await self.outcome(lambda t, u, p: [mbap(t, u, bytes([p[0] | 0x80, 11]))]) == [
            "silent: the converter before unit 1 says: gateway target gave no answer"
        ]

    async def test_an_answer_in_many_pieces_is_no_trouble(self) -> None:
        async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
            return [bytes([byte]) for byte in mbap(transaction, unit, registers(pdu))]

        async with Peer(respond).on_tcp() as port:
            async with opened(
                build(new_site(), holding(0), host="127.0.0.1", port=port)
            ) as adapter:
                assert (await adapter.read()).value.tolist() == [7]


async def test_a_server_that_restarts_is_read_again() -> None:
    unit = device(1, [(0, (5,))])
    async with tcp_server(unit) as port:
        adapter = build(new_site(), holding(0), host="127.0.0.1", port=port)
        await adapter.open()
        assert (await adapter.read()).value.tolist() == [5]
    with pytest.raises(DeviceSilent, match=f"127.0.0.1:{port} is not reachable"):
        await adapter.read()
    async with asyncio.timeout(10), tcp_server(unit, port=port):
        while True:
            with contextlib.suppress(DeviceSilent):
                batch = await adapter.read()
                break
            await asyncio.sleep(0.05)
        assert batch.value.tolist() == [5]
        await adapter.close()


async def test_a_connection_closed_while_idle_costs_no_poll() -> None:
    async with tcp_server(device(1, [(0, (5,))])) as port:
        async with opened(build(new_site(), holding(0), host="127.0.0.1", port=port)) as adapter:
            await adapter.read()
            link: Any = adapter._line._connection._link
            link.transport.get_extra_info("socket").shutdown(2)
            assert (await adapter.read()).value.tolist() == [5]


async def test_a_serial_line_unplugged_and_back(tmp_path: Path) -> None:
    unit = device(9, [(0, (5,))])
    name = tmp_path / "port"
    with pty_line() as line:
        async with serial_server(line.ends[1], unit):
            port = plug(line, name)
            settings = {"transport": "rtu", "serial": port, "unit": 9, "reply_timeout_s": 0.2}
            adapter = build(new_site(), holding(0), **settings)
            await adapter.open()
            assert (await adapter.read()).value.tolist() == [5]
    with pytest.raises(DeviceSilent):
        await adapter.read()
    with pty_line() as line:
        async with asyncio.timeout(10), serial_server(line.ends[1], unit):
            plug(line, name)
            while True:
                with contextlib.suppress(DeviceSilent):
                    assert (await adapter.read()).value.tolist() == [5]
                    break
                await asyncio.sleep(0.05)
            await adapter.close()
